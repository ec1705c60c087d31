"""`dfr storage migrate`: all blobs from the store of one configuration to that of another."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import Config, load
from ..failures import CommandError
from .options import DataFolder, on_disk, read

if TYPE_CHECKING:
    from rich.progress import Progress

    from ...core.records.database import Connection, Database
    from ...core.work.migrate import Migration, Pass

EACH = 60.0
"""Seconds between two lines in a log."""
SHOWN = 100
"""Objects that could not be copied and are told one by one."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(help="The store of blobs.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command()(migrate)
    app.add_typer(group, name="storage")


def migrate(
    to: Annotated[
        Path, typer.Option("--to", metavar="FILE", help="The configuration to be: the same but for `storage`.")
    ],
    source: Annotated[
        Path | None, typer.Option("--from", "--config", metavar="FILE", help="The one that servers run with now.")
    ] = None,
    data: DataFolder = None,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="Make the registry read-only, copy what is left, and check that all is there."),
    ] = False,
    drop_uploads: Annotated[
        bool, typer.Option("--drop-uploads", help="End unfinished uploads: their senders begin again.")
    ] = False,
) -> None:
    """Copy every blob from one store to another while the registry runs, each checked against its digest. It may be
    stopped at any moment and run again: what is there is not copied twice.

    In the end run it with --finish, give every server and worker the new configuration, and let pushes in again by
    `dfr mode normal`. Exit code 1: something could not be copied, which is named.
    """
    before, after = on_disk(read(source, data), "copy"), on_disk(load(to, _elsewhere(os.environ), data=data), "fill")
    if _place(before) == _place(after):
        raise CommandError(f"{to} names the store that is in use already")
    if drop_uploads and not finish:
        raise CommandError("--drop-uploads belongs to --finish: until then uploads may go on")
    from ...core.work.migrate import MigrationError
    from ..administration import with_database

    async def work(database: "Database", complete: Config) -> "Pass":
        return await _migrated(database, complete, after, finish, drop_uploads)

    try:
        last = with_database(before, work, connections=4)
    except MigrationError as error:
        raise CommandError(str(error)) from None
    for key, reason in list(last.failed.items())[:SHOWN]:
        typer.echo(f"not copied: {key}: {reason}", err=True)
    if len(last.failed) > SHOWN:
        typer.echo("not copied: and more", err=True)
    if last.failed:
        print(
            f"{len(last.failed)} of {last.wanted} objects are not in the new store: `dfr fsck --repair` marks lost ones"
        )
        raise typer.Exit(1)
    print(f"all {last.wanted} objects are in the new store" + (_NEXT if finish else "; go on with --finish"))


_NEXT = (
    ", and the registry is read-only: start every server and worker with the new configuration, then `dfr mode normal`"
)


async def _migrated(database: "Database", before: Config, after: Config, finish: bool, drop_uploads: bool) -> "Pass":
    from ...core.work.migrate import Migration
    from ..backends import open_store
    from .screen import progress

    old, new = open_store(before), open_store(after)
    try:
        with progress() as bar:
            tell = _Telling(bar)
            migration = Migration(database, old, new, tell)
            passes = await _finished(database, migration, drop_uploads) if finish else await migration.run()
        return passes[-1]
    finally:
        await new.close()
        await old.close()


class _Telling:
    """A line for each pass when it has ended, a bar meanwhile; where there is no terminal a line each minute."""

    def __init__(self, bar: "Progress") -> None:
        self._bar = bar
        self._task = bar.add_task("migrate", total=None, now="")
        self._passes = 0
        self._said = time.monotonic()

    def __call__(self, now: "Pass") -> None:
        done = f"{now.copied} copied, {now.size / 1e6:.0f} MB"
        self._bar.update(self._task, completed=now.wanted, now=done)
        if now.ended:
            self._passes += 1
            print(
                f"pass {self._passes}: {now.copied} of {now.wanted} objects ({now.size} bytes), {now.deleted} deleted"
            )
        elif not self._bar.console.is_terminal and time.monotonic() - self._said > EACH:
            self._said = time.monotonic()
            print(f"{now.wanted} objects looked at, {done}", file=sys.stderr)


async def _finished(database: "Database", migration: "Migration", drop_uploads: bool) -> "list[Pass]":
    """In read-only mode, which ends again where it fails."""
    from ...core.access import SYSTEM
    from ...core.records import settings

    async def switched(conn: "Connection") -> settings.Mode:
        was = await settings.mode(conn)
        await settings.set_mode(conn, SYSTEM, settings.Mode.READ_ONLY)
        return was

    await migration.run()  # so that the time without changes is short
    before = await database.run(switched)
    try:
        passes = await migration.finish(drop_uploads)
        whole = not passes[-1].failed
    except BaseException:
        whole = False
        raise
    finally:
        if not whole:
            await database.run(lambda conn: settings.set_mode(conn, SYSTEM, before))
    return passes


def _elsewhere(env: Mapping[str, str]) -> dict[str, str]:
    """Variables without those of the store, which say where it is now."""
    return {name: value for name, value in env.items() if not name.startswith("REGISTRY_STORAGE_")}


def _place(config: Config) -> tuple[str, ...]:
    """What tells one store from another."""
    section = getattr(config.storage, config.storage.driver)
    said = (str(getattr(section, name, "")) for name in _WHERE)
    if config.storage.driver == "filesystem":
        return ("filesystem", str(Path(section.rootdirectory).resolve()))
    return (config.storage.driver, *(text.strip("/") for text in said))


_WHERE = (
    *("regionendpoint", "endpoint", "serviceurl", "region", "realm", "accountname"),
    *("bucket", "container", "rootdirectory"),
)
