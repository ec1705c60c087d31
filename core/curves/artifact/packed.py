"""A curve version as it is pushed, and the one before it: documents and bytes, with which no array has to be loaded."""

from dataclasses import dataclass, field

from ...oci import media
from ...oci.digest import Digest
from .. import schema
from ..schema import Config, Manifest


@dataclass(frozen=True)
class Previous:
    """The version a new one follows, as it was read from the registry."""

    digest: str
    manifest: Manifest
    config: Config
    raw: bytes = field(repr=False)

    @classmethod
    def parse(cls, manifest: bytes, config: bytes) -> "Previous":
        """From the bytes of both, or CurveError."""
        return cls(
            Digest.of(manifest), schema.parse_manifest(manifest, media.CURVE), schema.parse_config(config), manifest
        )


@dataclass(frozen=True)
class Packed:
    """A curve version ready to push. blobs holds what the parent does not have: digest -> bytes, config included.

    changed is False where the parent says the same of the same values: then there is nothing to push, and manifest and
    digest are the parent's.
    """

    manifest: Manifest
    raw: bytes = field(repr=False)
    digest: str
    config: Config
    blobs: dict[str, bytes] = field(repr=False)
    changed: bool = True
