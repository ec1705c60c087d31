"""`dfr backup` and `dfr restore`: the records of one moment, and the blobs they promise."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import Config
from ..failures import CommandError
from .options import ConfigFile, DataFolder, on_disk, read

if TYPE_CHECKING:
    from ...core.backup import Report
    from ...core.records.database import Database

Folder = Annotated[Path, typer.Argument(metavar="DIR", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)


def backup(
    folder: Folder,
    blobs: Annotated[bool, typer.Option("--blobs", help="Copy blobs too, those that are not there yet.")] = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Write all records of this moment, and the list of their blobs, into a folder, while the registry runs. The secret
    key is not among them: keep it apart. Exit code 1: blobs are missing."""

    async def work(database: "Database", complete: Config) -> "Report":
        from ...core.backup import backup as write
        from ..backends import open_store
        from .screen import progress

        driver = open_store(complete)
        try:
            with progress() as bar:
                task = bar.add_task("backup", total=None, now="")
                undo = timedelta(seconds=complete.gc.undo)
                return await write(
                    *(database, driver, folder, undo), blobs=blobs, tell=lambda n: bar.update(task, completed=n)
                )
        finally:
            await driver.close()

    _run(on_disk(read(config, data), "back up"), work)


def restore(folder: Folder, config: ConfigFile = None, data: DataFolder = None) -> None:
    """Fill an empty database from a backup, and look for each of its blobs in the store. The server must not run, and
    needs the secret key of then. Exit code 1: blobs are missing, which are named."""

    async def work(database: "Database", complete: Config) -> "Report":
        from ...core.backup import restore as fill
        from ..backends import open_store
        from .screen import progress

        driver = open_store(complete)
        try:
            with progress() as bar:
                task = bar.add_task("restore", total=None, now="")
                return await fill(database, driver, folder, lambda n: bar.update(task, completed=n))
        finally:
            await driver.close()

    _run(on_disk(read(config, data), "restore"), work)


def _run(settings: Config, work: "Callable[[Database, Config], Awaitable[Report]]") -> None:
    from ...core.backup import BackupError
    from ..administration import with_database

    try:
        report = with_database(settings, work, connections=4)
    except BackupError as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        raise CommandError(f"cannot write {error.filename}: {error.strerror}") from None
    for digest in report.missing:
        typer.echo(f"missing: {digest}", err=True)
    print(
        f"{report.rows} rows, {report.blobs} blobs ({report.size} bytes), {report.copied} of them copied, "
        f"{len(report.missing)} missing"
    )
    raise typer.Exit(1 if report.missing else 0)
