"""What an import is made of: files, and each version of each curve of a DataForge folder."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ...core.curves.errors import CurveError
from ...core.curves.readers.folder_version import Version
from ...core.importing.asked import Reading
from ...core.importing.chain import Chain, Step
from ...core.importing.discovery import Found
from ...core.importing.reading import tables_in
from ...core.sandbox import Sandbox


@dataclass(frozen=True)
class Part:
    """name: in the report; size: bytes that reading it takes, as far as is known before."""

    name: str
    size: int
    reading: Reading
    step: Step | None = None


@dataclass(frozen=True)
class Naming:
    """What the user says of all files (see core.curves.files.read_frames)."""

    frame: str | None = None
    index: str | None = None
    well: str | None = None
    decimal_comma: bool = False

    def reading(self, path: Path, version: Version | None = None) -> Reading:
        """Of one file."""
        return Reading(
            path=str(path.absolute()),
            frame=self.frame,
            index=self.index,
            well=self.well,
            decimal_comma=self.decimal_comma,
            version=version,
        )


async def parts_of(sandbox: Sandbox, found: Found, naming: Naming, again: bool = False) -> list[Part]:
    """All of what was found, in order; a folder whose tables cannot be used joins the problems.

    again: see Chain.
    """
    parts: list[Part] = []
    for path in found.files:
        if not await asyncio.to_thread(path.is_dir):
            parts.append(Part(str(path), await asyncio.to_thread(size_of, path), naming.reading(path)))
            continue
        try:
            versions = await tables_in(sandbox, naming.reading(path))
        except CurveError as error:
            found.problems[str(path)] = str(error)
            continue
        parts += await asyncio.to_thread(_of_folder, path, versions, naming, again)
    return parts


def _of_folder(path: Path, versions: list[Version], naming: Naming, again: bool) -> list[Part]:
    curves: dict[tuple[str, ...], list[Version]] = {}
    for version in versions:
        curves.setdefault((version.workspace, version.well.name, version.frame, version.curve), []).append(version)
    parts = []
    for members in curves.values():
        blobs, parents = ({each.number: each.blob for each in members}, {each.number: each.parent for each in members})
        chain = Chain(blobs, parents, again)
        for version in members:
            name, reading = f"{path}/{version}", naming.reading(version.path, version)
            parts.append(Part(name, size_of(version.path), reading, Step(chain, version.number)))
    return parts


def size_of(path: Path) -> int:
    """Bytes of a file; 0 of one that is gone meanwhile: who reads it says so."""
    with suppress(OSError):
        return path.stat().st_size
    return 0
