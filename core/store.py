"""What every repository of a process shares: database, driver, limits, caches and batched look-ups."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from ..drivers import base
from .batch import Batch, apart
from .cache import ByteCache
from .reading import BlobReading
from .records import artifacts, blobs, lookup, repositories, uploads
from .records.database import Database
from .records.pulls import PullLog

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times as intervals; the configuration's words."""

    inline: int = 8192
    manifest: int = 4 << 20
    blob: int | None = None
    lease: timedelta = timedelta(hours=24)
    undo: timedelta = timedelta(hours=24)
    upload_expiry: timedelta = timedelta(days=7)
    upload_lease: timedelta = timedelta(seconds=30)
    upload_keep: timedelta = timedelta(hours=1)
    autocreate: bool = False
    cache_manifests: int = 64 << 20
    cache_blobs: int = 64 << 20
    cache_blob: int = 64 << 10
    verify_reads: bool = False


class Store:
    """Made once per process by `create_app`."""

    def __init__(self, database: Database, driver: base.Driver, limits: Limits, pulls: PullLog) -> None:
        self.database = database
        self.driver = driver
        self.limits = limits
        self.pulls = pulls
        self.manifests = ByteCache(limits.cache_manifests, limits.manifest)
        cache = ByteCache(limits.cache_blobs, limits.cache_blob)
        self.reading = BlobReading(database, driver, cache, limits.verify_reads)
        self.homes = Batch(database.acquire, lookup.homes)
        self.by_tag = Batch(database.acquire, lookup.by_tag)
        self.by_digest = Batch(database.acquire, lookup.by_digest)
        self.by_blob = Batch(database.acquire, lookup.blobs)
        start = apart(partial(uploads.start, database, expiry=limits.upload_expiry))
        store = apart(
            partial(
                uploads.put_inline,
                database,
                stale=limits.upload_lease,
                lease=limits.lease,
                keep=limits.upload_keep,
            )
        )
        self.starts = Batch[None, uploads.New, None](nullcontext, lambda _, news: start(news))
        self.smalls = Batch[None, uploads.Small, uploads.Upload](nullcontext, lambda _, smalls: store(smalls))
        inline = apart(partial(blobs.store_inline, database, lease=limits.lease))
        self.inlines = Batch[None, blobs.Small, None](nullcontext, lambda _, smalls: inline(smalls))
        made = apart(partial(repositories.make, database))
        self.makes = Batch[None, repositories.New, int](nullcontext, lambda _, news: made(news))
        self.pushes = artifacts.pushes(database, limits.lease)
        self._later: set[asyncio.Task[None]] = set()

    def later(self, work: Coroutine[Any, Any, Any]) -> None:
        """Clean up behind the answer. What fails is logged and found again by the reaper."""
        task = asyncio.create_task(_quietly(work))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def settle(self) -> None:
        """Wait for what is still to be cleaned up (at shutdown)."""
        while self._later:
            await asyncio.wait(self._later)


async def _quietly(work: Coroutine[Any, Any, Any]) -> None:
    try:
        await work
    except Exception as error:
        log.warning("cleaning up after a request failed; the reaper will see to it: %s", error)
