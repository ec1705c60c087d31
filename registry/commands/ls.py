"""`dfr ls`: projects, wells, curves and versions."""

from typing import TYPE_CHECKING, Annotated

import typer

from . import screen
from .pushed import pushed_table

if TYPE_CHECKING:
    from rich.table import Table

    from ...core.curves.names import Reference

Listed = Annotated[str, typer.Argument(metavar="REF", help="Nothing, PROJECT, PROJECT/WELL[/FRAME[/CURVE]].")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ls)


def ls(ref: Listed = "") -> None:
    """List wells, the curves of a well, or the versions of a curve."""
    with screen.one_line():
        from ...core.curves.names import Reference, checked_project, split_base

        base, rest = split_base(ref)
        rest = rest.strip("/")
        if "/" in rest:
            tables = screen.run(_list_well(screen.address(base), Reference.parse(rest)))
        else:
            tables = [screen.run(_list_wells(screen.address(base), checked_project(rest) if rest else ""))]
        for table in tables:
            screen.console().print(table)


async def _list_wells(base: str, project: str) -> "Table":
    from ...core.oci.errors import NameUnknown
    from ..client.curves import list_wells
    from ..client.remote import RemoteRegistry

    async with RemoteRegistry(base) as registry:
        wells = await list_wells(registry, project)
    if not wells and project:
        raise NameUnknown(f"there is no well in {project}, or none that you may read; dfr ls lists all")
    table = screen.table("well", "curves")
    for well, curves in wells.items():
        table.add_row(well, str(curves))
    return table


async def _list_well(base: str, reference: "Reference") -> "list[Table]":
    from ...core.curves import schema
    from ...core.curves.errors import CurveError
    from ...core.oci.errors import ManifestUnknown
    from ..client.curves import list_curves, list_versions
    from ..client.plain import plain_pushes
    from ..client.remote import RemoteRegistry

    async with RemoteRegistry(base) as registry:
        if len(reference.segments) == 4:
            table = screen.table("tag", "digest")
            for tag, digest in (await list_versions(registry, reference)).items():
                table.add_row(tag, digest)
            return [table]
        pushed = pushed_table(await plain_pushes(registry, reference))
        try:
            lines = await list_curves(registry, reference)
        except (ManifestUnknown, CurveError):  # no well, but somebody's files
            if not pushed:
                raise
            return pushed
    table = screen.table("curve", "mnemonic", "unit", "rows", "from", "to", "index")
    for line in lines:
        notes = line.annotations
        start, _, stop = notes.get(schema.SPAN, "").partition("/")
        rows = notes.get(schema.ROWS, "").rpartition("/")[2]
        name = f"{reference.well}/{notes.get(schema.REPOSITORY, '')}"
        index = f"{notes.get(schema.INDEX_KIND, '')} {notes.get(schema.INDEX_UNIT, '')}".strip()
        what = (notes.get(schema.MNEMONIC, ""), notes.get(schema.UNIT, ""))
        table.add_row(name, *what, rows, start, stop, index)
    return [table, *pushed]
