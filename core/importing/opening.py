"""A log file is opened, read and packed: what runs in the child process, for `reading` alone.

It loads no more than the file needs: each child of each import pays for it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..curves.artifact.packed import Previous
from ..curves.errors import CurveError
from ..curves.model import Frame
from ..curves.readers.files import read_frames
from ..curves.readers.folder_version import Version
from .asked import Again, Reading
from .packing import parcel_of, repacked


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
    from ..curves.readers.folder import read_version

    try:
        return [read_version(version)]
    except CurveError as error:  # its name stands before it in every report
        raise CurveError(str(error).removeprefix(f"{version}: ")) from error


def read_tables(argument: Any, _: list[bytes]) -> tuple[Any, Sequence[bytes]]:
    """Argument: a Reading of a DataForge folder. Result: its versions, as versions_of has them."""
    from ..curves.readers.folder import versions_of

    reading = msgspec.convert(argument, Reading)
    try:
        versions = versions_of(Path(reading.path), reading.frame, reading.well)
    except OSError as error:
        raise CurveError(f"it cannot be opened: {error.strerror or error}") from error
    return msgspec.to_builtins(versions), []


def _stamp(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns
