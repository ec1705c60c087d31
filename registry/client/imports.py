"""Many log files at once: read in child processes, pushed side by side, each reported on, none stopping the others.

Files are read ahead, few at a time and large ones alone, so that memory stays bounded. The curves of two files that
share a frame of a well are pushed in the order of the files, so that the later file is the later version.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ...core.curves.errors import CurveError
from ...core.curves.names import normal
from ...core.importing.importer import Importer, Pushed
from ...core.importing.parcel import ReadFile
from ...core.importing.reading import read_in
from ...core.importing.report import FileReport, Status
from ...core.oci import errors
from ...core.oci.errors import RegistryError
from ...core.sandbox import Sandbox
from .known import Known
from .parts import Part

ROOM = 96 << 20
"""Bytes of files that are read or pushed at the same time; one that is larger is alone."""
AHEAD = 64
"""Files that are read or pushed at the same time, however small: files of one well are pushed one behind the other, and
those of other wells, which share requests, must be read meanwhile."""

_HOPELESS = (errors.Unavailable, errors.Unauthorized, errors.Denied, errors.NameUnknown, errors.QuotaExceeded)
"""What no other file of the same import would fare better with."""


class Watch(Protocol):
    """Who is told how far it is."""

    def opened(self, name: str) -> None:
        """A file is read now."""

    def closed(self, report: FileReport, size: int) -> None:
        """And this is what became of it; its size in bytes."""


@dataclass(frozen=True)
class _Taken:
    """What is in hand."""

    part: Part
    started: float


class Room:
    """So much may be in hand at a time. One task takes, in the order of the files."""

    def __init__(self) -> None:
        self._sizes: list[int] = []
        self._freed = asyncio.Event()

    async def take(self, size: int) -> None:
        """Wait until there is room for a file."""
        while self._sizes and (len(self._sizes) >= AHEAD or sum(self._sizes) + size > ROOM):
            self._freed.clear()
            await self._freed.wait()
        self._sizes.append(size)

    def give(self, size: int) -> None:
        """One file less."""
        self._sizes.remove(size)
        self._freed.set()


class ImportRun:
    """One import. `reports` grows as files are done, and is there also where `run` is cancelled.

    known: what need not be read; None: all is.
    """

    def __init__(self, importer: Importer, sandbox: Sandbox, watch: Watch, known: Known | None = None) -> None:
        self.reports: list[FileReport] = []
        self._known = known
        self._importer, self._sandbox, self._watch = importer, sandbox, watch
        self._room = Room()
        self._hopeless: RegistryError | None = None
        self._last: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def run(self, parts: Sequence[Part]) -> None:
        """All of them; what goes wrong with one stands in its report."""
        async with asyncio.TaskGroup() as group:
            reads: asyncio.Queue[asyncio.Task[tuple[_Taken, ReadFile] | None] | None] = asyncio.Queue()

            async def read_ahead() -> None:
                for part in parts:
                    await self._room.take(part.size)
                    await reads.put(group.create_task(self._read(_Taken(part, time.monotonic()))))
                await reads.put(None)

            group.create_task(read_ahead())
            pushes = []
            while (reading := await reads.get()) is not None:
                if (read := await reading) is not None:
                    pushes.append(self._push_in_turn(group, *read))
            await asyncio.gather(*pushes)
            self._importer.close()

    async def _read(self, taken: _Taken) -> tuple[_Taken, ReadFile] | None:
        if self._hopeless:
            self._close(taken, _report(taken, "failed", f"not tried: {self._hopeless}"))
            return None
        part = taken.part
        self._watch.opened(part.name)
        if self._known and (report := await self._known.report(part)):
            report.seconds = time.monotonic() - taken.started
            self._close(taken, report)
            return None
        partly = self._known is not None
        try:
            return taken, await read_in(self._sandbox, part.reading, part.name, part.step, partly)
        except CurveError as error:
            self._close(taken, _report(taken, "refused", str(error)))
            return None

    def _push_in_turn(self, group: asyncio.TaskGroup, taken: _Taken, file: ReadFile) -> "asyncio.Task[None]":
        keys = {(normal(frame.well.name), frame.folder) for frame in file.parcel.frames}
        before = {self._last[key] for key in keys if key in self._last}

        async def push() -> None:
            if before:
                await asyncio.wait(before)
            if (pushed := await self._push(taken, file)) is not None:
                group.create_task(self._complete(taken, pushed))

        task = group.create_task(push())
        self._last |= dict.fromkeys(keys, task)
        return task

    async def _push(self, taken: _Taken, file: ReadFile) -> Pushed | None:
        try:
            if self._hopeless:
                raise self._hopeless
            pushed = await self._importer.push(file)
        except (CurveError, RegistryError) as error:
            self._close(taken, self._failed(taken, error))
            return None
        self._room.give(taken.part.size)  # what is left to do needs no more than its lines in the index
        return pushed

    async def _complete(self, taken: _Taken, pushed: Pushed) -> None:
        try:
            report = await pushed.complete()
            report.seconds = time.monotonic() - taken.started
        except (CurveError, RegistryError) as error:
            report = self._failed(taken, error)
        self._close(taken, report, in_hand=False)

    def _failed(self, taken: _Taken, error: CurveError | RegistryError) -> FileReport:
        if isinstance(error, errors.DigestInvalid):
            return _report(taken, "refused", "it changed while it was imported; import it again when it is complete")
        if isinstance(error, CurveError):
            return _report(taken, "refused", str(error))
        if isinstance(error, _HOPELESS):
            self._hopeless = error
        return _report(taken, "failed", str(error))

    def _close(self, taken: _Taken, report: FileReport, in_hand: bool = True) -> None:
        if in_hand:
            self._room.give(taken.part.size)
        self.reports.append(report)
        self._watch.closed(report, taken.part.size)


def _report(taken: _Taken, status: Status, reason: str) -> FileReport:
    report = FileReport(file=taken.part.name, status=status, reason=" ".join(reason.split()), received=taken.part.size)
    report.seconds = time.monotonic() - taken.started
    return report
