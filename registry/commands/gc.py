"""`dfr gc`: a whole run of the garbage collection, beside the sweep that every worker does all the time."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import Config
from ..failures import CommandError
from .options import ConfigFile, DataFolder, on_disk, read

if TYPE_CHECKING:
    from ...core.records.database import Database
    from ...core.records.executions import Execution, Line
    from ...core.work.gc_run import GcParameters

USER = "dfr gc"
CONNECTIONS = 8
LOOK_SECONDS = 0.2


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gc)


def gc(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and change nothing.")] = False,
    delete_untagged: Annotated[
        bool, typer.Option("--delete-untagged", help="Delete artifacts without a tag too, with the same undo window.")
    ] = False,
    time_window: Annotated[float, typer.Option(help="Hours for which an untagged artifact stays after its push.")] = 2,
    workers: Annotated[int, typer.Option(help="Batches under way at once.")] = 1,
    resume: Annotated[
        int | None, typer.Option(help="Go on with this run, which was stopped or failed, and with its settings.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Work on it here too, and wait for its end.")] = False,
    config: ConfigFile = None,
    data: DataFolder = None,
) -> None:
    """Collect everything that is due now, while the registry runs. Without --wait a server or `dfr worker` does it.
    Exit code 1: it failed or was stopped."""
    settings = on_disk(read(config, data), "collect")
    from ...core.work.gc_run import GcParameters
    from ..administration import with_database

    try:
        parameters = GcParameters(delete_untagged, dry_run, time_window, workers)
    except ValueError as error:
        raise CommandError(str(error)) from None
    waiting = wait or dry_run
    work = partial(_started, parameters=parameters, resume=resume, wait=waiting)
    execution, lines = with_database(settings, work, connections=CONNECTIONS + workers)
    for line in lines:
        typer.echo(line.line, err=line.level != "info")
    if not waiting:
        print(f"gc {execution.id} is queued: a server or `dfr worker` does it")
    elif execution.status != "success":
        left = f"the next run collects what is left, or --resume {execution.id}"
        typer.echo(f"dfr: gc {execution.id}: {execution.status}; {left}", err=True)
        raise typer.Exit(1)


async def _started(
    database: "Database", complete: Config, parameters: "GcParameters", resume: int | None, wait: bool
) -> "tuple[Execution, list[Line]]":
    from ...core.records.executions import execution, lines
    from ...core.work.gc_run import GC, resume_gc, start_gc

    if resume is not None:
        resumed = await database.run(lambda conn: resume_gc(conn, resume, USER))
        if resumed is None:
            raise CommandError(f"no run {resume} of gc was stopped or failed; leave --resume out for a new one")
        started = resumed
    else:
        started = await database.run(lambda conn: start_gc(conn, parameters, USER))
    if wait:
        await _worked(database, complete, started)
    async with database.acquire() as conn:
        found = await execution(conn, GC, started)
        assert found is not None
        return found, await lines(conn, started)


async def _worked(database: "Database", complete: Config, started: int) -> None:
    """Until the run has ended, here or wherever another worker took it."""
    from ...core.work.gc_run import GC, RunGc
    from ...core.work.queue import Queue
    from ...core.work.task import Kind
    from ..backends import open_store
    from ..worker import gc_over, reaper_over

    driver = open_store(complete)
    try:
        run = RunGc(database, *gc_over(complete, database, driver), reaper_over(complete, database, driver))
        queue = Queue(database, {GC: Kind(run)})
        working = asyncio.create_task(queue.run())
        try:
            await _ended(database, started, working)
        finally:
            queue.stop()
            await working
    finally:
        await driver.close()


async def _ended(database: "Database", started: int, working: "asyncio.Task[None]") -> None:
    from ...core.records.executions import execution
    from ...core.work.gc_run import GC
    from .screen import progress

    with progress() as bar:
        task = bar.add_task("gc", total=None, now="")
        while not working.done():
            async with database.acquire() as conn:
                found = await execution(conn, GC, started)
            if found is None or found.end_time is not None:
                return
            told = found.attributes
            now = f"{told['rate']:g}/s, {told['eta'] or 0:g} s to go" if "eta" in told else ""
            bar.update(task, completed=told.get("done", 0), total=told.get("total"), now=now)
            await asyncio.sleep(LOOK_SECONDS)
