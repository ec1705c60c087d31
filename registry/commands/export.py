"""`dfr export`: curves, frames or whole wells to files."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import screen
from .read import parsed, save
from .windows import FormatName, Refs, Start, Step, Stop, Unit

if TYPE_CHECKING:
    from ...core.curves.artifact.read import Window
    from ...core.curves.names import Reference
    from ...core.curves.writers import Format
    from ..client.selection import Chosen

_HELP = "A file for all curves together, or a folder (existing, or with / at its end) for a file a frame."
Target = Annotated[str, typer.Option("-o", "--output", metavar="FILE|DIR/", help=_HELP)]
Files = list[tuple[Path, int, int, int]]  # file, curves, rows, bytes


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(export)


def export(
    refs: Refs,
    output: Target,
    format: FormatName = "las",
    start: Start = None,
    stop: Stop = None,
    step: Step = None,
    unit: Unit = None,
) -> None:
    """Write curves, frames or wells as files. A LAS file leaves with the header it came with."""
    with screen.one_line():
        from ...core.curves.artifact.read import Window
        from ...core.curves.writers import format_of

        kind = format_of(format)
        base, references = parsed(refs)
        target = Path(output)
        folder = output.endswith(("/", "\\")) or target.is_dir()
        files, notes = screen.run(_export(base, references, kind, target, folder, Window(start, stop), unit, step))
        table = screen.table("file", "curves", "rows", "bytes")
        for path, curves, rows, size in files:
            table.add_row(str(path), str(curves), f"{rows:,}", f"{size:,}")
        screen.console().print(table)
        for note in notes:
            typer.echo(f"dfr: {note}", err=True)


async def _export(
    base: str,
    references: "Sequence[Reference]",
    kind: "Format",
    target: Path,
    folder: bool,
    window: "Window",
    unit: str | None,
    step: str | None,
) -> tuple[Files, list[str]]:
    from ...core.curves.errors import CurveError
    from ...core.curves.writers import write
    from ..client.remote import RemoteRegistry
    from ..client.selection import choose, original_of, read_together

    files: Files = []
    notes: list[str] = []
    async with RemoteRegistry(base) as registry:
        chosen = await choose(registry, references)
        groups: dict[tuple[str, ...], list[Chosen]] = {}
        for one in chosen:
            groups.setdefault(one.frame if folder else (), []).append(one)
        if not folder and len({one.frame[:2] for one in chosen}) > 1:
            raise CurveError("curves of several wells go to files of their own: give a folder, -o DIR/")
        if folder:
            _made(target)
        for frame, curves in groups.items():
            aligned = await read_together(curves, window, unit=unit, step=step)
            header = await original_of(registry, curves) if kind == "las" else None
            path = target / file_name(frame, kind.suffix) if folder else target
            pieces = write(kind, list(aligned.chunks(kind.chunk_rows)), header=header)
            size = await asyncio.to_thread(save, pieces, path)
            files.append((path, len(curves), len(aligned), size))
            notes += [f"{path}: {note}" for note in aligned.notes]
    return files, notes


def file_name(frame: Sequence[str], suffix: str) -> str:
    """`well-frame.las`, of slugs alone: nothing that a registry names leaves the folder or means something in it."""
    from ...core.curves.names import slug

    _, well, name = frame
    return f"{slug(well, 'well')}-{slug(name, 'frame')}{suffix}"


def _made(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise screen.Failed(f"{folder} cannot be made: {error.strerror}") from error
