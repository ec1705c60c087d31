"""What works in the background of a registry: `dfr worker`, and inside `dfr serve`. All of it is built here."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from dataforge_registry.core.records import retention, work
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.events import Event
from dataforge_registry.core.records.partitions import ensure_partitions
from dataforge_registry.core.records.pulls import PullLog
from dataforge_registry.core.sandbox import Sandbox, SandboxLimits
from dataforge_registry.core.sealing import Signer
from dataforge_registry.core.secrets import Vault
from dataforge_registry.core.signing import KeyRing
from dataforge_registry.core.store import Store
from dataforge_registry.core.work import (
    deletions,
    forward,
    gc,
    gc_run,
    ingest,
    manifests,
    mover,
    purge,
    relay,
    schedule,
    scrub,
    verdicts,
)
from dataforge_registry.core.work.queue import Queue
from dataforge_registry.core.work.reaper import Reaper
from dataforge_registry.core.work.retention import RunRetention, after_pushes
from dataforge_registry.core.work.sealer import ROWS, Sealer
from dataforge_registry.core.work.task import Kind, Task, Wanted
from dataforge_registry.core.work.worker import Step, Worker
from dataforge_registry.drivers.base import Driver

from .backends import limits, sandbox_limits
from .config import Config
from .gc_metrics import GcMetrics

REAP: Final = "uploads.reap"
TIDY: Final = "records.tidy"
SCHEDULES: Final = {REAP: "0 */5 * * * *", TIDY: "0 7 * * * *"}
"""The system's own schedules, as they are made on a fresh database; an administrator may change the rows."""
OWN_KINDS: Final = (manifests.COPY, verdicts.JUDGE, ingest.INGEST, scrub.SCRUB, REAP, TIDY)
"""Kinds whose finished executions are only of passing interest."""
COPY_ATTEMPTS: Final = 500
"""More than a day of tries: until the store is back, the copy of a manifest is owed."""
SILENCE: Final = 30.0
NICE: Final = 10
PATIENCE: Final = 10
"""Times as long as other work in a sandbox may take, for what stands behind it: CPU time is limited all the same."""


def pushed(config: Config, events: Sequence[Event]) -> Iterable[Wanted]:
    """What follows from pushes: each manifest is copied to the store, each curve judged, each log file imported."""
    yield from manifests.copies(events)
    yield from verdicts.judgements(events)
    if config.ingest.enabled:
        yield from ingest.ingests(events)


def create_worker(
    config: Config, database: Database, driver: Driver, *, silence: float = SILENCE, metrics: GcMetrics | None = None
) -> Worker:
    """A worker over an open database and driver: `await worker.run()` works until `worker.stop()`.

    `silence` is how long, in seconds, another worker may give no sign of life before its tasks are taken over.
    """
    collector, deleter = gc_over(config, database, driver, metrics)
    # Of its own, behind all others: reads and pushes of curves never wait for verdicts.
    shared = sandbox_limits(config)
    sandbox = Sandbox(1, replace(shared, nice=NICE, wall=PATIENCE * shared.wall))
    reaper = reaper_over(config, database, driver)

    async def reap(task: Task) -> None:
        uploads, stagings = await reaper.uploads(), await reaper.stagings()
        if uploads or stagings:
            await task.log(f"removed {uploads} expired uploads and {stagings} stagings")

    async def tidy(task: Task) -> None:
        for name in await ensure_partitions(database):
            await task.log(f"made partition {name}")
        if strays := await reaper.strays():
            await task.log(f"removed {strays} stagings that no upload knows")
        await reaper.credentials()
        async with database.acquire() as conn:
            await work.purge(conn, OWN_KINDS)

    queue = Queue(
        database,
        {
            manifests.COPY: Kind(manifests.CopyManifests(database, driver), attempts=COPY_ATTEMPTS),
            verdicts.JUDGE: Kind(verdicts.JudgeVersions(database, driver, sandbox)),
            ingest.INGEST: Kind(_ingest(config, database, driver), attempts=ingest.ATTEMPTS),
            gc_run.GC: Kind(gc_run.RunGc(database, collector, deleter, reaper)),
            scrub.SCRUB: Kind(_scrub(config, database, driver)),
            retention.KIND: Kind(RunRetention(database, limits(config).undo)),
            REAP: Kind(reap),
            purge.PURGE: Kind(purge.RunPurge(database, signer(config, database))),
            TIDY: Kind(tidy),
        },
        concurrency=config.worker.concurrency,
        silence=silence,
    )
    schedules = SCHEDULES | ({gc_run.GC: config.gc.schedule} if config.gc.schedule else {})
    schedules |= {scrub.SCRUB: scrub.HOURLY} if config.scrub.enabled else {}
    routes = {"artifact.pushed": partial(pushed, config)}
    return Worker(
        queue,
        [
            Step("relay", relay.Relay(database, routes, after_pushes).step, 0.5, relay.BATCH),
            Step("mover", mover.Mover(database, driver).step, 0.5, mover.BATCH),
            Step("gc", collector.step, 5.0, gc.BATCH),
            Step("deletions", deleter.step, 2.0, deletions.BATCH),
            Step("sealer", Sealer(database, signer(config, database)).step, 5.0, ROWS),
            Step("audit forward", forward.Forwarder(database, config.audit.forward).step, 2.0, forward.BATCH),
            Step("schedules", schedule.Clock(database, schedules).step, 1.0, schedule.BATCH),
            Step("lost jobs", queue.revive, silence, work.VANISHED_BATCH),
        ],
        close=sandbox.close,
    )


def signer(config: Config, database: Database) -> Signer | None:
    """What signs the audit trail; None: there is no master secret."""
    if not config.auth.secretkey:
        return None
    vault, token = Vault(config.auth.secretkey), config.auth.token
    return Signer(KeyRing(database, vault, token.issuer, token.service), vault)


def gc_over(
    config: Config, database: Database, driver: Driver, metrics: GcMetrics | None = None
) -> tuple[gc.Gc, deletions.Deletions]:
    """What collects, and what deletes the objects behind it."""
    lease, undo = timedelta(seconds=config.gc.lease), timedelta(seconds=config.gc.undo)
    if metrics is None:
        return gc.Gc(database, lease=lease, undo=undo), deletions.Deletions(database, driver)
    collector = gc.Gc(database, lease=lease, undo=undo, tell=metrics.collected)
    return collector, deletions.Deletions(database, driver, tell=metrics.deleted)


def reaper_over(config: Config, database: Database, driver: Driver) -> Reaper:
    """What removes expired uploads and their stagings."""
    return Reaper(database, driver, lease=config.upload.lease)


def _scrub(config: Config, database: Database, driver: Driver) -> Callable[[Task], Awaitable[None]]:
    """A slice of the store, read again; none where that is switched off, though a schedule may be left."""
    if config.scrub.enabled:
        return scrub.ScrubSlice(database, scrub.Scrub(database, driver, config.scrub.rate), config.scrub.every)

    async def off(task: Task) -> None:
        await task.log("scrub.enabled is false")

    return off


def _ingest(config: Config, database: Database, driver: Driver) -> ingest.Ingest:
    """Over a store of its own, which keeps little in memory and counts no pull of what it reads."""
    own = replace(limits(config), cache_manifests=1 << 20, cache_blobs=1 << 20, autocreate=False)
    settings = config.ingest
    sandbox = SandboxLimits(settings.memory, int(settings.cpu), settings.timeout, answer=settings.memory)
    store = Store(database, driver, own, PullLog(database, bound=0))
    allowed = ingest.IngestLimits(settings.size, sandbox, settings.at_once, open=config.auth.mode == "none")
    return ingest.Ingest(store, allowed)
