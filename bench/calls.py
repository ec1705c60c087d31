"""Our own calls beside ever more records: how long each takes, what it reads of the database and writes to its log."""

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from statistics import median
from typing import Any, NamedTuple

import heaps
import numpy as np
import pyarrow as pa

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.body import Body
from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Packed, Previous
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.local import LocalRepository
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.records import blobs, catalog_versions, catalog_wells
from dataforge_registry.core.records.artifacts import Actor
from dataforge_registry.core.records.catalog import Asker
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.pulls import Pull, PullLog
from dataforge_registry.core.store import Limits, Store
from dataforge_registry.core.work.gc import Gc
from dataforge_registry.core.work.mover import Mover
from dataforge_registry.drivers.memory import MemoryDriver

ROWS = 10_000
"""Samples of a pushed curve: some 1,500 m, five segments."""
COUNTED = """SELECT blks_hit + blks_read, pg_current_wal_insert_lsn() - '0/0'::pg_lsn,
  pg_snapshot_xmax(pg_current_snapshot())::text::bigint
FROM pg_stat_database WHERE datname = current_database()"""
GARBAGE = """WITH home AS (SELECT repository_id, project_id FROM repository WHERE name = 'scale/w/run-1/gr'),
heap AS (INSERT INTO artifact_blob (digest, size, state, keep_until)
  SELECT 'sha256:' || encode(sha256(('g' || $2 || n)::bytea), 'hex'), 20000, 'live', now()
  FROM generate_series(1, $1) n RETURNING id, size),
linked AS (INSERT INTO repository_blob (repository_id, project_id, blob_id, keep_until)
  SELECT r.repository_id, r.project_id, h.id, now() FROM heap h, home r RETURNING id),
paid AS (INSERT INTO project_blob (project_id, blob_id, size) SELECT r.project_id, h.id, h.size FROM heap h, home r)
INSERT INTO gc_review (kind, target, review_after) SELECT 'link', id, now() FROM linked"""


class Cost(NamedTuple):
    """Of one call: milliseconds (the median), blocks of 8 KiB it looked at, bytes of log, transaction numbers."""

    ms: float
    blocks: float
    wal: float
    xids: float


async def pieces(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


def log_of(well: str, seed: int, previous: Packed | None = None) -> Packed:
    """A gamma ray with three decimals; after a previous version one with 50 samples put right."""
    random = np.random.default_rng(seed if previous is None else 617)
    values = np.round(60 + random.normal(0, 4, ROWS).cumsum() * 0.2 + random.normal(0, 5, ROWS), 3)
    if previous is not None:
        at = 500 + seed * 97 % (ROWS - 1000)
        values[at : at + 50] += np.round(np.random.default_rng(seed).uniform(-2, 2, 50), 3)
    index = Index("MD", "DEPT", "m", "M", np.arange(ROWS, dtype=np.int64) * 1524)
    frame = Frame(
        Well(well), "run-1", index, (Curve("GR", "GAPI", pa.array(values.astype(np.float32)), text_decimals=3),)
    )
    before = previous and Previous(previous.digest, previous.manifest, previous.config, previous.raw)
    return pack(frame, frame.curves[0], "gr", pack_index(frame.index, frame.name), before)


@dataclass
class Calls:
    """A registry without HTTP over one connection, as each request of a node has one."""

    database: Database
    curves: int
    """How many were laid."""
    costs: dict[str, Cost] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = Store(self.database, MemoryDriver(), Limits(autocreate=True), PullLog(self.database))
        self.dice = random.Random(self.curves)

    def repository(self, name: str) -> LocalRepository:
        return LocalRepository(self.store, SYSTEM, name, Actor("bench"))

    async def push(self, name: str, packed: Packed, tag: str, *, blobs: bool = True) -> None:
        home = self.repository(name)
        for digest, content in packed.blobs.items() if blobs else ():
            await home.push_blob(Digest.parse(digest), Body(pieces(content), len(content), None))
        await home.push_manifest(Body(pieces(packed.raw), len(packed.raw), None), None, None, [tag], None, True)

    async def sample(self) -> None:
        """One curve of five versions, pushed: what all laid rows are clones of."""
        packed = log_of("w", 1)
        await self.push("scale/w/run-1/gr", packed, "latest")
        for version in range(2, heaps.VERSIONS + 1):
            packed = log_of("w", version, packed)
            await self.push("scale/w/run-1/gr", packed, "latest")
        await Mover(self.database, self.store.driver).step()

    async def _count(self) -> tuple[float, float, float]:
        async with self.database.acquire() as conn:
            await conn.execute("SELECT pg_stat_force_next_flush()")
            blocks, wal, xid = await conn.fetchrow(COUNTED)
        return float(blocks), float(wal), float(xid)

    async def measure(self, name: str, times: int, call: Callable[[int], Awaitable[Any]]) -> None:
        """The cost of a call, of `times` after two that plan its statements."""
        for n in range(2):
            await call(-1 - n)
            await self._count()
        none, own = await self._count(), await self._count()  # what counting itself reads
        async with self.database.acquire() as conn:
            await conn.execute("CHECKPOINT")  # from here on the first change of each page is logged with the page
        before = await self._count()
        took = []
        for n in range(times):
            began = time.perf_counter()
            await call(n)
            took.append((time.perf_counter() - began) * 1000)
        after = await self._count()
        blocks, wal, xids = (a - b - (o - n) for a, b, o, n in zip(after, before, own, none, strict=True))
        self.costs[name] = Cost(median(took), blocks / times, wal / times, xids / times)

    def laid(self) -> tuple[str, int]:
        """The repository of a laid curve, taken at random, and its number."""
        return heaps.laid(self.dice.randrange(self.curves))

    async def reads(self, times: int) -> None:
        """What is asked of records taken at random."""

        async def measure(name: str, work: Callable[[str, int], Awaitable[Any]]) -> None:
            await self.measure(name, times, lambda n: work(*self.laid()))

        def asker(name: str) -> tuple[Database, Asker]:
            return self.database, Asker(SYSTEM, name.partition("/")[0])

        of = self.repository
        await measure("manifest by tag", lambda name, c: of(name).stat_manifest("latest"))
        await measure(
            "manifest by digest", lambda name, c: of(name).stat_manifest(heaps.hashed("a", c * heaps.VERSIONS))
        )
        await measure("blob", lambda name, c: of(name).stat_blob(heaps.hashed("b", c * heaps.OWN)))
        await measure("page of tags", lambda name, c: of(name).tags("", 100))
        await measure(
            "50 curves of a well", lambda name, c: catalog_wells.curves(*asker(name), name.split("/")[1], None, 50)
        )
        await measure("versions of a curve", lambda name, c: catalog_versions.versions(*asker(name), name, None, 50))

    async def writes(self, times: int) -> None:
        """What pushes do, each call in a repository of its own, which the first of them makes."""
        run = f"{self.curves}"

        def home(n: int) -> str:
            return f"scale/w{run}x{n + 2}/run-1/gr"

        def lease(n: int) -> Awaitable[bool]:
            return blobs.extend(self.database, heaps.BASE + self.laid()[1] * heaps.LINKS, timedelta(hours=24))

        await self.measure("lease renewed", times, lease)
        await self.measure("pulls of 100 curves", max(5, times // 20), lambda n: self.pull(100))
        first = {n: log_of(f"w{run}x{n + 2}", self.curves + n + 1000) for n in range(-2, times)}
        second = {n: log_of(f"w{run}x{n + 2}", n + 2, packed) for n, packed in first.items()}
        await self.measure("curve pushed, new", times, lambda n: self.push(home(n), first[n], "latest"))
        await self.measure("curve pushed, edited", times, lambda n: self.push(home(n), second[n], "latest"))
        await self.measure("tag moved", times, lambda n: self.push(home(n), first[n], "latest", blobs=False))

    async def pull(self, count: int) -> None:
        """What a second's pulls of so many artifacts write."""
        for _ in range(count):
            name, c = self.laid()
            tag = heaps.BASE + c * heaps.TAGS + heaps.VERSIONS
            artifact = heaps.BASE + (c + 1) * heaps.VERSIONS - 1
            places = artifact, tag, heaps.BASE + c, heaps.BASE + c // heaps.IN_WELL % heaps.PROJECTS
            digest = heaps.hashed("a", artifact - heaps.BASE)
            self.store.pulls.record(Pull(*places, name, "latest", digest, "ann", "192.0.2.1", "0123456789abcdef"))
        await self.store.pulls.flush()

    async def collect(self, count: int) -> float:
        """Blobs that nobody names, gone from the records: how many a second."""
        async with self.database.acquire() as conn:
            await conn.execute(GARBAGE, count, str(self.curves))
        gc = Gc(self.database, lease=timedelta(), undo=timedelta())
        began, gone = time.monotonic(), 0
        while gone < count:
            gone += (await gc.both()).gone
        return count / (time.monotonic() - began)
