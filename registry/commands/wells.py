"""`dfr import`, `dfr ls` and `dfr read`: well logs to a registry, and depth windows back.

Exit codes: 2 for what the user can mend in the command (a reference, a window), 1 for what went wrong.
"""

import asyncio
import os
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table

    from ...core.curves.names import Reference
    from ..client.wells import LogFile, Report

ADDRESS_VARIABLE = "DFR_REGISTRY"
_FAILURE, _USAGE = 1, 2
_WIDTH = 1000
_NUMBERS = frozenset({"curves", "rows", "from", "to"})

Files = Annotated[list[Path], typer.Argument(help="LAS files (1.2, 2.0, basic 3.0).", metavar="FILE.las...")]
Into = Annotated[str, typer.Option("--into", help="[http[s]://HOST[:PORT]/]PROJECT", metavar="PROJECT")]
Ref = Annotated[str, typer.Argument(metavar="REF", help="PROJECT/WELL/FRAME/CURVE[:TAG|@DIGEST]")]
Listed = Annotated[str, typer.Argument(metavar="[REF]", help="Nothing, PROJECT, PROJECT/WELL[/FRAME[/CURVE]].")]
Start = Annotated[str | None, typer.Option("--from", help="First depth or time, included.", metavar="A")]
Stop = Annotated[str | None, typer.Option("--to", help="Last depth or time, included.", metavar="B")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="A file to write instead of the screen.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("import")(import_)
    app.command()(ls)
    app.command()(read)


def address(base: str | None) -> str:
    """The registry meant: given with the reference, else DFR_REGISTRY, else this machine's."""
    from ..client.transport import DEFAULT_ADDRESS

    return base or os.environ.get(ADDRESS_VARIABLE) or DEFAULT_ADDRESS


def import_(
    files: Files,
    into: Into,
    frame: Annotated[str | None, typer.Option(help="Name of the frame; else the run in the header, or log.")] = None,
) -> None:
    """Push well logs: one version for each curve that changed. All files are checked before anything is sent."""
    with _one_line():
        from rich.markup import escape

        from ...core.curves.errors import CurveError
        from ...core.curves.names import checked_project, split_base
        from ..client.wells import open_las

        base, project = split_base(into)
        checked_project(project.strip("/"))
        opened: list[LogFile] = []
        refused: list[str] = []
        with _progress() as progress:
            reading = progress.add_task("reading files", total=len(files), now="")
            for path in files:
                progress.update(reading, now=escape(path.name))
                try:
                    opened.append(open_las(path.read_bytes(), path.name, frame))
                except CurveError as error:
                    refused.append(f"{path}: {error}")
                except OSError as error:
                    refused.append(f"{path}: {error.strerror}")
                progress.advance(reading)
        if refused:
            raise _Failed("\n".join([*refused, "nothing was sent"]))
        _print_report(_run(_import(address(base), project.strip("/"), opened)))


async def _import(base: str, project: str, files: "list[LogFile]") -> "Report":
    from rich.markup import escape

    from ..client.remote import RemoteRegistry
    from ..client.wells import WellImport

    with _progress() as progress:
        pushing = progress.add_task("pushing curves", total=sum(len(file.frame.curves) for file in files), now="")
        async with RemoteRegistry(base) as registry:
            run = WellImport(registry, project, lambda name: progress.update(pushing, advance=1, now=escape(name)))
            for file in files:
                await run.push(file)
            return run.report


def _progress() -> "Progress":
    """A bar that goes when it is done, none in a log; what is `now` stands last, so that the bar keeps its place."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    now = TextColumn("[cyan]{task.fields[now]}[/]")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), now)
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _print_report(report: "Report") -> None:
    console = _console()
    table = _table("", "")
    for name, value in (
        ("wells", ", ".join(sorted(report.wells))),
        ("frames", str(len(report.frames))),
        ("curves", f"{report.curves} ({report.new} new versions)"),
        ("samples", f"{report.samples:,}"),
        ("bytes in", f"{report.received:,}"),
        ("bytes sent", f"{report.sent:,}"),
        ("blobs sent", str(report.blobs_sent)),
        ("blobs reused", str(report.blobs_reused)),
    ):
        table.add_row(name, value)
    table.show_header = False
    console.print(table)
    for finding in report.findings:
        console.print(f"found: {finding}", markup=False)


def ls(ref: Listed = "") -> None:
    """List wells, the curves of a well, or the versions of a curve."""
    with _one_line():
        from ...core.curves.names import Reference, checked_project, split_base

        base, rest = split_base(ref)
        rest = rest.strip("/")
        if "/" in rest:
            table = _run(_list_well(address(base), Reference.parse(rest)))
        else:
            table = _run(_list_wells(address(base), checked_project(rest) if rest else ""))
        _console().print(table)


async def _list_wells(base: str, project: str) -> "Table":
    from ...core.oci.errors import NameUnknown
    from ..client.curves import list_wells
    from ..client.remote import RemoteRegistry

    async with RemoteRegistry(base) as registry:
        wells = await list_wells(registry, project)
    if not wells and project:
        raise NameUnknown(f"there is no well in {project}, or none that you may read; dfr ls lists all")
    table = _table("well", "curves")
    for well, curves in wells.items():
        table.add_row(well, str(curves))
    return table


async def _list_well(base: str, reference: "Reference") -> "Table":
    from ...core.curves import schema
    from ..client.curves import list_curves, list_versions
    from ..client.remote import RemoteRegistry

    async with RemoteRegistry(base) as registry:
        if len(reference.segments) == 4:
            table = _table("tag", "digest")
            for tag, digest in (await list_versions(registry, reference)).items():
                table.add_row(tag, digest)
            return table
        lines = await list_curves(registry, reference)
    table = _table("curve", "mnemonic", "unit", "rows", "from", "to", "index")
    for line in lines:
        notes = line.annotations
        start, _, stop = notes.get(schema.SPAN, "").partition("/")
        rows = notes.get(schema.ROWS, "").rpartition("/")[2]
        name = f"{reference.well}/{notes.get(schema.REPOSITORY, '')}"
        index = f"{notes.get(schema.INDEX_KIND, '')} {notes.get(schema.INDEX_UNIT, '')}".strip()
        what = (notes.get(schema.MNEMONIC, ""), notes.get(schema.UNIT, ""))
        table.add_row(name, *what, rows, start, stop, index)
    return table


def read(
    ref: Ref,
    start: Start = None,
    stop: Stop = None,
    format: Annotated[str, typer.Option("--format", help="csv, json or parquet.")] = "csv",
    output: Output = None,
) -> None:
    """Read a depth window of one curve; only the layers that hold it are fetched."""
    with _one_line():
        from ...core.curves.errors import CurveError
        from ...core.curves.names import Reference
        from ..client.formats import Format

        if format not in list(Format):
            raise CurveError(f"--format is csv, json or parquet, not {format!r}")
        reference = Reference.parse(ref)
        data = _run(_read(address(reference.base), reference, start, stop, Format(format)))
        try:
            if output:
                output.write_bytes(data)
            else:
                sys.stdout.buffer.write(data)
                sys.stdout.flush()
        except BrokenPipeError:  # the reader has seen enough: `dfr read ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            raise _Failed(f"{output or 'standard output'} cannot be written: {error.strerror}") from error


async def _read(base: str, reference: "Reference", start: str | None, stop: str | None, kind: Any) -> bytes:
    from ...core.curves.errors import CurveError
    from ...core.curves.read import Window
    from ..client.curves import open_curve
    from ..client.formats import render
    from ..client.remote import RemoteRegistry

    async with RemoteRegistry(base) as registry:
        curve = await open_curve(registry, reference)
        table, config = await asyncio.gather(curve.read(Window(start, stop)), curve.config())
    if not table.num_rows:
        index, segments = config.index, config.segments
        span = f"{segments[0].index[0]} to {segments[-1].index[1]} {index.unit}".strip()
        raise CurveError(f"no sample of {reference} lies in the window: its {index.kind} runs from {span}")
    return render(table, config, kind)


class _Failed(Exception):
    """Lines for the user; exit code 1."""


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


@contextmanager
def _one_line() -> Iterator[None]:
    """What the user is told, on standard error, instead of a traceback."""
    from ...core.curves.errors import ContentMismatch, CurveError
    from ...core.oci.errors import RegistryError

    try:
        yield
    except (CurveError, _Failed, RegistryError) as error:
        lines = str(error) if isinstance(error, _Failed) else " ".join(str(error).split())
        typer.echo("\n".join(f"dfr: {line}" for line in lines.splitlines()), err=True)
        usage = isinstance(error, CurveError) and not isinstance(error, ContentMismatch)
        raise typer.Exit(_USAGE if usage else _FAILURE) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _console() -> "Console":
    """Standard output, in whole lines: a reference that is folded in a narrow window cannot be copied."""
    from rich.console import Console

    return Console(highlight=False, width=_WIDTH)


def _table(*columns: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(*columns, box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for column in table.columns:
        column.justify = "right" if column.header in _NUMBERS else "left"
    return table
