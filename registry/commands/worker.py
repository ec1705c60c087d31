"""`dfr worker`: background work in a process of its own."""

import asyncio
import signal

import typer

from ..config import Config
from .options import ConfigFile, DataFolder, on_disk, read


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)


def worker(config: ConfigFile = None, data: DataFolder = None) -> None:
    """Do background work until Ctrl-C or SIGTERM. Beside servers started with --no-worker or not."""
    settings = on_disk(read(config, data), "work on")
    from .. import logs, server
    from ..provision import provisioned

    logs.configure(settings.log)
    with provisioned(settings) as complete:
        server.run(_work(complete))


async def _work(config: Config) -> None:
    from dataforge_registry.core.records.schema import check_schema

    from ..backends import open_database, open_store
    from ..worker import create_worker

    database, driver = await open_database(config), open_store(config)
    try:
        await check_schema(database)
        await driver.check()
        working = create_worker(config, database, driver)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, working.stop)
        print("DataForge Registry works in the background", flush=True)
        await working.run()
    finally:
        await driver.close()
        await database.close()
