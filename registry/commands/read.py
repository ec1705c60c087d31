"""`dfr read`: a depth window of a curve."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import screen

if TYPE_CHECKING:
    from ...core.curves.names import Reference

Ref = Annotated[str, typer.Argument(metavar="REF", help="PROJECT/WELL/FRAME/CURVE[:TAG|@DIGEST]")]
Start = Annotated[str | None, typer.Option("--from", help="First depth or time, included.", metavar="A")]
Stop = Annotated[str | None, typer.Option("--to", help="Last depth or time, included.", metavar="B")]
Output = Annotated[Path | None, typer.Option("-o", "--output", help="A file to write instead of the screen.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(read)


def read(
    ref: Ref,
    start: Start = None,
    stop: Stop = None,
    format: Annotated[str, typer.Option("--format", help="csv, json or parquet.")] = "csv",
    output: Output = None,
) -> None:
    """Read a depth window of one curve; only the layers that hold it are fetched."""
    with screen.one_line():
        from ...core.curves.errors import CurveError
        from ...core.curves.names import Reference
        from ..client.formats import Format

        if format not in list(Format):
            raise CurveError(f"--format is csv, json or parquet, not {format!r}")
        reference = Reference.parse(ref)
        data = screen.run(_read(screen.address(reference.base), reference, start, stop, Format(format)))
        try:
            if output:
                output.write_bytes(data)
            else:
                sys.stdout.buffer.write(data)
                sys.stdout.flush()
        except BrokenPipeError:  # the reader has seen enough: `dfr read ... | head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            raise screen.Failed(f"{output or 'standard output'} cannot be written: {error.strerror}") from error


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
