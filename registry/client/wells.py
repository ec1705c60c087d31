"""Log files in memory to a registry, one after the other: what a program, a notebook or the demo does.

`dfr import` brings folders of them (imports.py), by the same logic (core/importing).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...core.curves.artifact.packed import Packed
from ...core.curves.model import Frame
from ...core.curves.readers.las.reader import read_las
from ...core.importing.importer import Importer
from ...core.importing.packing import parcel_of, repacked
from ...core.importing.parcel import ReadFile, Wanted
from ...core.importing.report import Counts
from .remote import RemoteRegistry


@dataclass(frozen=True)
class LogFile:
    """A file read and accepted."""

    content: bytes = field(repr=False)
    frame: Frame


def open_las(content: bytes, name: str, frame: str | None = None) -> LogFile:
    """A LAS file, or LasRefused with line and reason."""
    return LogFile(content, read_las(content, name, frame))


class WellImport:
    """Pushes log files into one project of a registry; `report` counts what was done."""

    def __init__(self, registry: RemoteRegistry, project: str, advance: Callable[[int], None] = lambda n: None) -> None:
        self._importer = Importer(registry.repository, project, advance=advance)
        self._importer.close()  # each file is whole before the next comes
        self.report = Counts()

    async def push(self, file: LogFile) -> None:
        """The whole of one file. RegistryError or CurveError where it cannot be; what was sent is reused later."""

        async def repack(wanted: Sequence[Wanted]) -> list[Packed]:
            return repacked([file.frame], wanted)

        parcel, blobs = parcel_of([file.frame], len(file.content))
        name = file.frame.original.file if file.frame.original else ""
        pushed = await self._importer.push(ReadFile(name, file.content, parcel, blobs, repack))
        report = await pushed.complete()
        report.findings = [f"{name}: {finding}" for finding in report.findings]
        self.report.add(report)
