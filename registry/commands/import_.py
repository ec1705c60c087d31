"""`dfr import`: well logs to a registry."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import screen

if TYPE_CHECKING:
    from ..client.wells import LogFile, Report

Files = Annotated[list[Path], typer.Argument(help="LAS files (1.2, 2.0, basic 3.0).", metavar="FILE.las...")]
Into = Annotated[str, typer.Option("--into", help="[http[s]://HOST[:PORT]/]PROJECT", metavar="PROJECT")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(import_)


def import_(
    files: Files,
    into: Into,
    frame: Annotated[str | None, typer.Option(help="Name of the frame; else the run in the header, or log.")] = None,
) -> None:
    """Push well logs: one version for each curve that changed. All files are checked before anything is sent."""
    with screen.one_line():
        from rich.markup import escape

        from ...core.curves.errors import CurveError
        from ...core.curves.names import checked_project, split_base
        from ..client.wells import open_las

        base, project = split_base(into)
        checked_project(project.strip("/"))
        opened: list[LogFile] = []
        refused: list[str] = []
        with screen.progress() as progress:
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
            raise screen.Failed("\n".join([*refused, "nothing was sent"]))
        _print_report(screen.run(_import(screen.address(base), project.strip("/"), opened)))


async def _import(base: str, project: str, files: "list[LogFile]") -> "Report":
    from rich.markup import escape

    from ..client.remote import RemoteRegistry
    from ..client.wells import WellImport

    with screen.progress() as progress:
        pushing = progress.add_task("pushing curves", total=sum(len(file.frame.curves) for file in files), now="")
        async with RemoteRegistry(base) as registry:
            run = WellImport(registry, project, lambda name: progress.update(pushing, advance=1, now=escape(name)))
            for file in files:
                await run.push(file)
            return run.report


def _print_report(report: "Report") -> None:
    console = screen.console()
    table = screen.table("", "")
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
