"""A log file, read and packed: what crosses from the child process that opened it to the one that pushes.

A parcel is a small JSON-like tree whose numbers are places in a list of blobs beside it: manifests, configs, layers.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..curves import schema
from ..curves.artifact.packed import Packed, Previous
from ..curves.origin import Original, Well
from ..oci import media
from ..oci.digest import Digest

if TYPE_CHECKING:
    from .chain import Step


class CurveParcel(msgspec.Struct, frozen=True):
    """A curve as the first version of its repository. blobs: places of its config and of its layers."""

    mnemonic: str
    segment: str
    manifest: int
    blobs: list[int]


class FrameParcel(msgspec.Struct, frozen=True):
    """A frame: `folder` is its repository segment."""

    well: Well
    name: str
    folder: str
    rows: int
    curves: list[CurveParcel]
    original: Original | None


class Parcel(msgspec.Struct, frozen=True):
    """A file, with its size in bytes; folder: out of a folder, whose files are not kept as received."""

    size: int
    folder: bool
    frames: list[FrameParcel]


Place = tuple[int, int]
"""A curve of a parcel: number of its frame, number in the frame."""

Wanted = tuple[Place, str, Previous]
"""A curve to be packed again at a repository segment, as what follows a version."""

Repack = Callable[[Sequence[Wanted]], Awaitable[list[Packed]]]


@dataclass(frozen=True)
class ReadFile:
    """A file that was read: its parcel, and the content that is kept as received (none out of a folder)."""

    name: str
    content: Path | bytes | None
    parcel: Parcel
    blobs: Sequence[bytes] = field(repr=False)
    repack: Repack = field(repr=False)
    step: "Step | None" = None  # of a version out of a folder
    recipe: str = ""  # how it was read
    partly: bool = False  # the registry said that not all of it is there

    def packed(self, place: Place) -> Packed:
        """A curve as the first version of its repository."""
        curve = self.parcel.frames[place[0]].curves[place[1]]
        raw = self.blobs[curve.manifest]
        manifest = schema.parse_manifest(raw, media.CURVE)
        config, *layers = (self.blobs[number] for number in curve.blobs)
        blobs = {layer.digest: data for layer, data in zip(manifest.layers, layers, strict=True)}
        assert manifest.config is not None
        blobs[manifest.config.digest] = config
        return Packed(manifest, raw, Digest.of(raw), schema.parse_config(config), blobs)


IMPORTED = schema.Lineage(operation="import")


def parsed(result: Any) -> Parcel:
    """A parcel as it came out of the child."""
    return msgspec.convert(result, Parcel)


def packed_again(raw: bytes, previous: Previous, digests: Sequence[str], blobs: Sequence[bytes]) -> Packed:
    """What follows a version, as it came out of the child: its manifest, and the blobs the version before has not."""
    manifest = schema.parse_manifest(raw, media.CURVE)
    held = dict(zip(digests, blobs, strict=True))
    if not held:
        return Packed(manifest, raw, Digest.of(raw), previous.config, held, changed=False)
    assert manifest.config is not None
    return Packed(manifest, raw, Digest.of(raw), schema.parse_config(held[manifest.config.digest]), held)
