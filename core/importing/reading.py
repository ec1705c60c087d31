"""A log file is opened, read and packed in a child process and nowhere else: what runs there, and who asks for it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..curves import schema
from ..curves.errors import CurveError
from ..curves.files import read_frames
from ..curves.folder import Version, read_version, versions_of
from ..curves.model import Frame
from ..curves.pack import Packed, Previous
from ..sandbox import Sandbox
from .chain import Step
from .parcel import IMPORTED, Place, ReadFile, Wanted, packed_again, parcel_of, parsed, repacked


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Which file, and what the user says of it (see read_frames); source: the REF of the artifact it was pushed as;
    version: it is the blob of that one, of a DataForge folder."""

    path: str
    frame: str | None = None
    index: str | None = None
    well: str | None = None
    decimal_comma: bool = False
    source: str | None = None
    version: Version | None = None

    @property
    def lineage(self) -> schema.Lineage:
        """How the versions came to be."""
        if (version := self.version) is not None:
            known = {"author": version.author, "created": version.created, "version": f"v{version.number}"}
            return schema.Lineage(
                operation=version.operation or IMPORTED.operation,
                message=version.message,
                parameters={name: value for name, value in known.items() if value},
            )
        inputs = [schema.LineageInput(ref=self.source, role="original")] if self.source else []
        return schema.Lineage(operation=IMPORTED.operation, inputs=inputs)


class Again(msgspec.Struct, frozen=True):
    """Curves to be packed once more: each with its repository segment; their parents are the blobs, two for each."""

    reading: Reading
    curves: list[tuple[Place, str]]


def read_file(argument: Any, _: list[bytes]) -> tuple[Any, Sequence[bytes]]:
    """Argument: a Reading. Result: a Parcel and its blobs."""
    reading = msgspec.convert(argument, Reading)
    path = Path(reading.path)
    frames, folder = _frames(reading), reading.version is not None
    parcel, blobs = parcel_of(frames, _stamp(path)[0], folder=folder, lineage=reading.lineage)
    return msgspec.to_builtins(parcel), blobs


def pack_again(argument: Any, blobs: list[bytes]) -> tuple[Any, Sequence[bytes]]:
    """Argument: Again; blobs: manifest and config of the parent of each. Result: digests of the blobs of each version,
    and its manifest, its config, and what the parent does not hold."""
    again = msgspec.convert(argument, Again)
    parents = [Previous.parse(*blobs[number : number + 2]) for number in range(0, len(blobs), 2)]
    wanted = [(place, segment, parent) for (place, segment), parent in zip(again.curves, parents, strict=True)]
    digests: list[list[str]] = []
    found: list[bytes] = []
    for packed in repacked(_frames(again.reading), wanted, again.reading.lineage):
        digests.append([str(digest) for digest in packed.blobs])  # msgspec knows no subclass of str
        found += [packed.raw, *packed.blobs.values()]
    return digests, found


def _frames(reading: Reading) -> list[Frame]:
    if reading.version:
        return _of_folder(reading.version)
    path = Path(reading.path)
    try:
        before = _stamp(path)
        frames = read_frames(
            path, frame=reading.frame, index=reading.index, well=reading.well, decimal_comma=reading.decimal_comma
        )
        changed = _stamp(path) != before
    except OSError as error:
        raise CurveError(f"it cannot be opened: {error.strerror or error}") from error
    if changed:
        raise CurveError("it changed while it was read; import it again when it is complete")
    if not any(frame.curves for frame in frames):
        raise CurveError("it holds no curve")
    return frames


def _of_folder(version: Version) -> list[Frame]:
    try:
        return [read_version(version)]
    except CurveError as error:  # its name stands before it in every report
        raise CurveError(str(error).removeprefix(f"{version}: ")) from error


def read_tables(argument: Any, _: list[bytes]) -> tuple[Any, Sequence[bytes]]:
    """Argument: a Reading of a DataForge folder. Result: its versions, as versions_of has them."""
    reading = msgspec.convert(argument, Reading)
    try:
        versions = versions_of(Path(reading.path), reading.frame, reading.well)
    except OSError as error:
        raise CurveError(f"it cannot be opened: {error.strerror or error}") from error
    return msgspec.to_builtins(versions), []


async def tables_in(sandbox: Sandbox, reading: Reading) -> list[Version]:
    """The versions of a DataForge folder, its tables read in a child. CurveError where they cannot be."""
    return msgspec.convert((await sandbox.run(read_tables, msgspec.to_builtins(reading)))[0], list[Version])


def _stamp(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


async def read_in(sandbox: Sandbox, reading: Reading, name: str, step: Step | None = None) -> ReadFile:
    """A file, read in a child; name: what it is called in reports; step: where it stands among the versions of a
    folder's curve. CurveError where it cannot be."""
    result, blobs = await sandbox.run(read_file, msgspec.to_builtins(reading))

    async def repack(wanted: Sequence[Wanted]) -> list[Packed]:
        again = Again(reading, [(place, segment) for place, segment, _ in wanted])
        parents = [data for *_, parent in wanted for data in (parent.raw, schema.encode(parent.config))]
        digests, found = await sandbox.run(pack_again, msgspec.to_builtins(again), parents)
        left = iter(found)
        return [
            packed_again(next(left), parent, names, [next(left) for _ in names])
            for names, (*_, parent) in zip(digests, wanted, strict=True)
        ]

    parcel = parsed(result)
    return ReadFile(name, None if parcel.folder else Path(reading.path), parcel, blobs, repack, step)
