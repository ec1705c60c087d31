"""A registry to be cleaned: real pushes into PostgreSQL and a folder, and time that passes when a test says so."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest_asyncio

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.body import Body
from dataforge_registry.core.local import LocalRepository
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest, blob_key, manifest_key
from dataforge_registry.core.records.artifacts import Actor
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.executions import Execution, execution
from dataforge_registry.core.records.pulls import PullLog
from dataforge_registry.core.store import Limits, Store
from dataforge_registry.core.work.deletions import Deletions
from dataforge_registry.core.work.gc import Gc
from dataforge_registry.core.work.gc_run import GC, GcParameters, RunGc, start_gc
from dataforge_registry.core.work.mover import Mover
from dataforge_registry.core.work.queue import Queue
from dataforge_registry.core.work.reaper import Reaper
from dataforge_registry.core.work.task import Kind
from dataforge_registry.drivers.base import Driver
from dataforge_registry.drivers.filesystem import FilesystemDriver

LEASE, UNDO = timedelta(hours=2), timedelta(hours=1)
LARGE = 20_000
TIMES = (
    ("artifact", "keep_until"),
    ("artifact", "deleted_at"),
    ("artifact", "push_time"),
    ("repository_blob", "keep_until"),
    ("artifact_blob", "keep_until"),
    ("gc_review", "review_after"),
    ("gc_delete", "next_try"),
)
MISCOUNTED = """
SELECT p.name, p.storage_used, p.artifact_count, b.size, a.size AS manifests, a.count FROM project p
CROSS JOIN LATERAL (
  SELECT coalesce(sum(size), 0)::bigint AS size FROM project_blob WHERE project_id = p.project_id) AS b
CROSS JOIN LATERAL (SELECT coalesce(sum(octet_length(manifest)), 0)::bigint AS size, count(*) FROM artifact
  WHERE project_id = p.project_id AND charged) AS a
WHERE p.storage_used <> b.size + a.size OR p.artifact_count <> a.count"""
CHARGES = """
SELECT l.project_id, l.blob_id FROM (SELECT DISTINCT project_id, blob_id FROM repository_blob) AS l
FULL JOIN project_blob c USING (project_id, blob_id) WHERE c.size IS NULL OR l.blob_id IS NULL"""
LOST = """
SELECT f.blob_digest FROM artifact_blob_ref f
JOIN repository_blob l ON l.id = f.link_id JOIN artifact_blob b ON b.id = l.blob_id
WHERE b.state NOT IN ('live', 'missing', 'pending')"""


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content


class Yard:
    """The registry, its workers, and what tests look at."""

    def __init__(self, database: Database, driver: Driver, lease: timedelta = LEASE, undo: timedelta = UNDO) -> None:
        self.database = database
        self.driver = driver
        self.store = Store(database, driver, Limits(autocreate=True, lease=lease, undo=undo), PullLog(database))
        self.gc = Gc(database, lease=lease, undo=undo)
        self.mover = Mover(database, driver)
        self.deletions = Deletions(database, driver)
        self.reaper = Reaper(database, driver)

    def repository(self, name: str = "p/a") -> LocalRepository:
        return LocalRepository(self.store, SYSTEM, name, Actor("me"))

    async def blob(self, content: bytes, name: str = "p/a") -> dict[str, Any]:
        """Push a blob; its descriptor."""
        digest = Digest.of(content)
        await self.repository(name).push_blob(digest, Body(pieces(content), len(content), None))
        return {"digest": digest, "size": len(content), "mediaType": "application/vnd.test.layer"}

    async def image(self, *layers: dict[str, Any], tags: list[str], name: str = "p/a", **more: Any) -> Digest:
        """Push a manifest of blobs that are there, the first being the config too."""
        image = {"mediaType": media.OCI_MANIFEST, "config": layers[0], "layers": list(layers)}
        return await self.manifest(image | more, tags, name)

    async def manifest(self, manifest: dict[str, Any], tags: list[str], name: str = "p/a") -> Digest:
        raw = json.dumps({"schemaVersion": 2} | manifest).encode()
        pushed, _ = await self.repository(name).push_manifest(Body(pieces(raw), len(raw), None), None, None, tags)
        return pushed.digest

    async def index(self, *children: Digest, tags: list[str], name: str = "p/a", below: str = "") -> Digest:
        """Push an index of manifests that are there, or in a repository below."""
        listed = []
        for child in children:
            _, raw = await self.repository(below or name).get_manifest(child)
            listed.append({"digest": child, "size": len(raw), "mediaType": media.OCI_MANIFEST})
        return await self.manifest({"mediaType": media.OCI_INDEX, "manifests": listed}, tags, name)

    async def pass_time(self, by: timedelta) -> None:
        """All that has an end comes nearer to it."""
        async with self.database.transaction() as conn:
            for table, column in TIMES:
                await conn.execute(f"UPDATE {table} SET {column} = {column} - $1::interval", by)

    async def collect(self) -> None:
        """Everything that is due, until nothing is."""
        while await self.gc.step() + await self.mover.step() + await self.deletions.step():
            pass

    async def run(self, started: int, *, silence: float = 30.0) -> Execution:
        """Work on an execution of gc until it has ended."""
        queue = Queue(
            self.database, {GC: Kind(RunGc(self.database, self.gc, self.deletions, self.reaper))}, silence=silence
        )
        working = asyncio.create_task(queue.run())
        try:
            while (found := await self.execution(started)).end_time is None:
                assert not working.done()
                await asyncio.sleep(0.02)
            return found
        finally:
            queue.stop()
            await working

    async def execution(self, started: int) -> Execution:
        async with self.database.acquire() as conn:
            found = await execution(conn, GC, started)
        assert found is not None
        return found

    async def start(self, parameters: GcParameters) -> int:
        return await self.database.run(lambda conn: start_gc(conn, parameters, "me"))

    async def settle(self) -> None:
        """Longer than any window: a lease, and the undo windows of an artifact and of its blobs."""
        for _ in range(4):
            await self.pass_time(LEASE + UNDO)
            await self.collect()

    async def all(self, statement: str, *args: Any) -> list[Any]:
        """Rows, as tuples; a column alone as values."""
        async with self.database.acquire() as conn:
            rows = [tuple(row) for row in await conn.fetch(statement, *args)]
        return [row[0] if len(row) == 1 else row for row in rows]

    async def do(self, statement: str, *args: Any) -> None:
        async with self.database.acquire() as conn:
            await conn.execute(statement, *args)

    async def state(self, digest: str) -> tuple[str, int] | None:
        """State and generation of a blob."""
        found = await self.all("SELECT state, generation FROM artifact_blob WHERE digest = $1", digest)
        return found[0] if found else None

    async def used(self) -> tuple[int, int]:
        """What the project p is charged: bytes and artifacts."""
        found: list[tuple[int, int]] = await self.all(
            "SELECT storage_used, artifact_count FROM project WHERE name = 'p'"
        )
        return found[0]

    async def objects(self, prefix: str = "blobs/") -> set[str]:
        return {stat.key async for stat in self.driver.list(prefix)}

    async def violations(self) -> list[Any]:
        """What must never be, whatever is going on."""
        lost = await self.all(LOST)
        return lost + await self.all(MISCOUNTED) + await self.all(CHARGES)

    async def orphans(self) -> tuple[set[str], set[str]]:
        """Objects that no row means, and objects that rows lack: both empty once all windows are over."""
        wanted = "SELECT digest, generation FROM artifact_blob WHERE state IN ('live', 'condemned') AND content IS NULL"
        means = {blob_key(Digest(digest), generation) for digest, generation in await self.all(wanted)}
        there = await self.objects()
        return there - means, means - there


@pytest_asyncio.fixture(loop_scope="session")
async def yard(database: Database, tmp_path: Path) -> AsyncIterator[Yard]:
    driver = FilesystemDriver(str(tmp_path / "store"))
    made = Yard(database, driver)
    yield made
    await made.store.settle()
    await driver.close()


__all__ = ["LARGE", "LEASE", "UNDO", "Yard", "manifest_key"]
