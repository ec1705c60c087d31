"""`dfr worker`: background work in a process of its own."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import typer
from msgspec.structs import replace

from ..config import Config
from .options import ConfigFile, DataFolder, on_disk, read

if TYPE_CHECKING:
    from dataforge_registry.core.records.database import Database
    from dataforge_registry.drivers.base import Driver

    from ..metrics import Metrics


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
    from ..background import beside
    from ..gc_metrics import GcMetrics
    from ..load.nodes import Nodes
    from ..metrics import Metrics
    from ..worker import create_worker

    async with AsyncExitStack() as stack:
        database = await open_database(config)
        stack.push_async_callback(database.close)
        await check_schema(database)
        driver = open_store(config)
        stack.push_async_callback(driver.close)
        await driver.check()
        nodes = Nodes(database, serves=False)
        stack.push_async_callback(nodes.leave)
        await nodes.beat()
        metrics = Metrics()
        working = create_worker(config, database, driver, metrics=GcMetrics(metrics.registry))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, working.stop)
        async with _answering(config, database, driver, metrics):
            print("DataForge Registry works in the background", flush=True)
            async with beside("the sign of life", nodes.run):
                await working.run()


@asynccontextmanager
async def _answering(config: Config, database: "Database", driver: "Driver", metrics: "Metrics") -> AsyncIterator[None]:
    """/health and /metrics at `worker.port` meanwhile. CommandError where nobody can listen there."""
    if not config.worker.port:
        yield
        return
    from ..background import beside
    from ..engines.hypercorn import serve
    from ..health import Health
    from ..listening import listen
    from ..middleware import Observed, ServerErrors
    from ..pages import pages
    from ..state_metrics import StateMetrics

    # Behind no proxy and without TLS: this is for probes and Prometheus.
    http = replace(config.http, port=config.worker.port, tls=type(config.http.tls)(), drain=1.0, drain_delay=0.0)
    app = Observed(ServerErrors(pages(Health(database, driver), metrics if config.metrics.enabled else None)), metrics)
    stop = asyncio.Event()
    with listen(replace(config, http=http)) as sock:
        serving = asyncio.create_task(serve(app, http, sock, lambda: None, stop))
        try:
            async with beside("metrics", partial(StateMetrics(metrics.registry).run, database)):
                yield
        finally:
            stop.set()
            await asyncio.gather(serving, return_exceptions=True)
