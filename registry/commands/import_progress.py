"""How far an import is: files, curves, bytes, and which files are in hand."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from ...core.importing.report import FileReport

_SHOWN = 60
"""Characters of file names; the bar keeps its place in a narrow window."""


class ImportProgress:
    """A bar that goes when it is done, none in a log. An ImportRun's Watch."""

    def __init__(self, files: int, size: int) -> None:
        console = Console(stderr=True)
        self._files, self._done, self._curves = files, 0, 0
        self._now: list[str] = []
        self._progress = Progress(
            TextColumn("{task.fields[counts]}"),
            BarColumn(20),
            DownloadColumn(),
            TimeElapsedColumn(),
            TextColumn("[cyan]{task.fields[now]}[/]"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=max(size, 1), counts="", now="")

    def __enter__(self) -> Self:
        self._progress.start()
        self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def curves(self, number: int) -> None:
        """So many are pushed."""
        self._curves += number
        self._show()

    def opened(self, name: str) -> None:
        """A file is read now."""
        self._now.append(_short(name))
        self._show()

    def closed(self, report: FileReport, size: int) -> None:
        """A file is done."""
        self._done += 1
        name = _short(report.file)
        if name in self._now:
            self._now.remove(name)
        self._progress.advance(self._task, size)
        self._show()

    def _show(self) -> None:
        names = ", ".join(self._now)
        now = names if len(names) <= _SHOWN else names[: _SHOWN - 1] + "…"
        counts = f"{self._done}/{self._files} files, {self._curves} curves"
        self._progress.update(self._task, counts=counts, now=escape(now))


def _short(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]
