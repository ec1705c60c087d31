"""`dfr import`: well logs to a registry.

Exit codes: 0 all files are there, 1 some were refused or failed (the others are there), 2 the command cannot be used.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...core.importing.discovery import Found
    from ...core.oci.repository import Pushable
    from ...core.sandbox import Sandbox
    from ..client.parts import Naming
    from ..client.remote import RemoteRegistry
    from .import_report import Outcome

Paths = Annotated[list[str], typer.Argument(help="Files, folders, or globs such as 'wells/**/*.las'.", metavar="PATH")]
Into = Annotated[str, typer.Option("--into", help="[http[s]://HOST[:PORT]/]PROJECT", metavar="PROJECT")]
Frame = Annotated[str | None, typer.Option(help="Name of the frame; else the file's own, or log.")]
Well = Annotated[str | None, typer.Option(help="Name of the well where a file says none.")]
Index = Annotated[str | None, typer.Option(help="The index column of a table (CSV, Parquet).")]
Comma = Annotated[bool, typer.Option("--decimal-comma", help="`12,5` is a number in CSV.")]
Tags = Annotated[
    list[str] | None, typer.Option("--tag", help="Also tag each version so: raw, edited, final, approved ...")
]
Again = Annotated[bool, typer.Option("--again", help="Also files that are there already: undoes later edits.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read, compare and count; send nothing.")]
Report = Annotated[
    Path | None, typer.Option("--report", help="What became of each file, as JSON.", metavar="FILE.json")
]
Jobs = Annotated[int | None, typer.Option("--jobs", min=1, max=256, help="Processes that read files; else one a core.")]
Timeout = Annotated[float, typer.Option(help="Seconds that reading one file may take.", min=0)]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)


def import_(
    paths: Paths,
    into: Into,
    frame: Frame = None,
    well: Well = None,
    index: Index = None,
    decimal_comma: Comma = False,
    tag: Tags = None,
    again: Again = False,
    dry_run: DryRun = False,
    report: Report = None,
    jobs: Jobs = None,
    timeout: Timeout = 1800.0,
) -> None:
    """Push well logs: a version for each curve that changed. A bad file is refused, the others go on."""
    with screen.one_line():
        from ...core.curves.errors import CurveError
        from ...core.curves.names import checked_project, split_base
        from ...core.importing.discovery import find
        from ...core.oci.names import is_tag
        from ..client.parts import Naming
        from .import_report import Outcome, show

        base, project = split_base(into)
        project = checked_project(project.strip("/"))
        for name in tag or ():
            if not is_tag(name) or name == "latest" or (name[:1] == "v" and name[1:].isdigit()):
                raise CurveError(f"--tag {name}: latest and v1, v2 ... are given anyway; choose a word such as raw")
        if report and not report.parent.is_dir():
            raise CurveError(f"--report {report}: there is no folder {report.parent}")
        found = find(paths)
        outcome = Outcome(screen.address(base), project, dry_run, found)
        work = _Work(
            outcome, Naming(frame, index, well, decimal_comma), tuple(tag or ()), again, jobs or _cores(), timeout
        )
        try:
            screen.run(work.run(found))
        except KeyboardInterrupt:
            outcome.interrupted = True
        finally:
            if report and (outcome.files or outcome.interrupted or outcome.ended):
                outcome.write(report)
        show(outcome)
        if outcome.interrupted:
            raise typer.Exit(screen.INTERRUPTED)
        if outcome.bad:
            raise typer.Exit(screen.FAILURE)


class _Work:
    """An import over the network."""

    def __init__(
        self, outcome: "Outcome", naming: "Naming", tags: tuple[str, ...], again: bool, jobs: int, timeout: float
    ) -> None:
        self._outcome, self._naming, self._tags, self._again = outcome, naming, tags, again
        self._jobs, self._timeout = jobs, timeout

    async def run(self, found: "Found") -> None:
        """All files that were found; the outcome has their reports, however it ends."""
        from ...core.importing.reading import OPENING
        from ...core.sandbox import Sandbox, SandboxLimits

        memory, seconds = _memory(), int(self._timeout) + 1
        limits = SandboxLimits(memory=memory, seconds=seconds, wall=self._timeout, answer=memory)
        async with Sandbox(self._jobs, limits, [OPENING]) as sandbox:
            await sandbox.warm(len(found.files))  # they load what they need while this process does
            await self._run(found, sandbox)

    async def _run(self, found: "Found", sandbox: "Sandbox") -> None:
        from ...core.importing.importer import Importer
        from ..client.imports import ImportRun
        from ..client.known import Known
        from ..client.parts import parts_of
        from ..client.remote import RemoteRegistry
        from .import_progress import ImportProgress

        async with RemoteRegistry(self._outcome.registry) as registry:
            ours = await registry.check()
            parts = await parts_of(sandbox, found, self._naming, self._again)
            self._outcome.names = [part.name for part in parts]
            with ImportProgress(len(parts), sum(part.size for part in parts)) as progress:
                importer = Importer(
                    self._repositories(registry),
                    self._outcome.project,
                    tags=self._tags,
                    again=self._again,
                    advance=progress.curves,
                )
                known = Known(registry, self._outcome.project) if ours and not self._again else None
                run = ImportRun(importer, sandbox, progress, known)
                self._outcome.files = run.reports
                await run.run(parts)
                self._outcome.ended = True

    def _repositories(self, registry: "RemoteRegistry") -> "Callable[[str], Pushable]":
        from ...core.importing.dry import DryRepository

        if self._outcome.dry_run:
            return lambda name: DryRepository(registry.repository(name))
        return registry.repository


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> int:
    """Bytes that the reading of one file may take: three quarters of the machine's, at least 2 GiB."""
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        there = 0
    return max(2 << 30, there * 3 // 4)
