"""`dfr pull`: the files of an artifact to a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import screen
from .windows import At

if TYPE_CHECKING:
    from ...core.curves.names import Reference

Ref = Annotated[str, typer.Argument(metavar="REF", help="PROJECT/WELL[/FRAME/CURVE][:TAG|@DIGEST]")]
Output = Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.", metavar="DIR")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(pull)


def pull(ref: Ref, output: Output = Path("."), at: At = None) -> None:
    """Fetch the Parquet files of a well or a curve. Each under its title; what was cut short goes on."""
    with screen.one_line():
        from ...core.curves.names import Reference

        reference = Reference.parse(ref)
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise screen.Failed(f"{output} cannot be made: {error.strerror}") from error
        files, untitled = screen.run(_pull(screen.address(reference.base), reference, output, at))
    for path in sorted(files):
        typer.echo(path)
    if untitled:
        typer.echo(f"dfr: {untitled} layers without a title were left out", err=True)


async def _pull(base: str, reference: "Reference", output: Path, at: str | None) -> tuple[list[Path], int]:
    from ..client.past import as_of
    from ..client.pull import pull
    from ..client.remote import RemoteRegistry

    with screen.progress() as progress:
        task = progress.add_task("bytes", total=None, now="")
        async with RemoteRegistry(base) as registry:
            return await pull(
                registry,
                await as_of(registry, reference, at),
                output,
                lambda size: progress.update(task, total=size),
                lambda size: progress.advance(task, size),
            )
