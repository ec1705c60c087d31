"""`dfr reindex`: the catalogue of wells and curves, made again from what is stored."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import Config
from .options import ConfigFile, DataFolder, read

if TYPE_CHECKING:
    from ...core.records.database import Database
    from ...core.work.reindex import Reindexed


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(reindex)


def reindex(
    project: Annotated[str | None, typer.Option(help="This project only.")] = None,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Make the catalogue again from the artifacts alone. The registry may run meanwhile; as often as wanted."""
    from ..administration import with_database

    done = with_database(read(config, data), partial(_reindex, project=project))
    for line in done.refused:
        typer.echo(f"not catalogued: {line}", err=True)
    print(f"{done.versions} versions in {done.repositories} repositories")
    raise typer.Exit(1 if done.refused else 0)


async def _reindex(database: "Database", complete: Config, project: str | None) -> "Reindexed":
    from ...core.work.reindex import Reindex, Reindexed
    from ..backends import open_store
    from .screen import progress

    driver, done = open_store(complete), Reindexed()
    try:
        with progress() as bar:
            task = bar.add_task("reindex", total=None, now="")
            async for done in Reindex(database, driver).run(project):
                bar.update(task, completed=done.repositories, now=f"{done.versions} versions")
        return done
    finally:
        await driver.close()
