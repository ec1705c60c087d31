"""`dfr mode`: whether the registry takes pushes, or any change, at this moment."""

from typing import TYPE_CHECKING, Annotated

import typer

from ..failures import CommandError
from .options import ConfigFile, DataFolder, read

if TYPE_CHECKING:
    from ...core.records.database import Connection


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(mode)


def mode(
    wanted: Annotated[str, typer.Argument(metavar="[normal|no-push|read-only]", show_default=False)] = "",
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Say in which mode the registry is, or change it: for the next request of every server.

    no-push refuses pushes, read-only every change but to settings; pulls, sign-ins and gc go on.
    """
    from ...core.access import SYSTEM
    from ...core.records import settings
    from ..administration import administer

    known = tuple(settings.Mode)
    if wanted and wanted not in known:
        raise CommandError(f"{wanted!r} is no mode; there are {', '.join(known)}")

    async def change(conn: "Connection") -> settings.Mode:
        if wanted:
            await settings.set_mode(conn, SYSTEM, settings.Mode(wanted))
        return await settings.mode(conn)

    print(administer(read(config, data), change))
