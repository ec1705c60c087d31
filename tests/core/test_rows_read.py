"""No call reads more than a few rows, however many there are and whatever the planner knows of them.

A fresh registry fills faster than its statistics come, and a plan once made stays with its connection: what was planned
over empty tables meets thousands of rows. Counted by PostgreSQL itself: index entries and rows read by each call.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.body import Body
from dataforge_registry.core.curves.artifact.pack import Packed
from dataforge_registry.core.curves.artifact.well import EMPTY_CONFIG, original_manifest, original_tag
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.local import LocalRepository
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.records import (
    accounts,
    blobs,
    catalog,
    catalog_versions,
    catalog_wells,
    credentials,
    identities,
    ingest,
    originals,
    projects,
    repositories,
    robots,
    segments,
    sessions,
    uploads,
    work,
)
from dataforge_registry.core.records.artifacts import Actor
from dataforge_registry.core.records.catalog import Asker
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.events import gathering
from dataforge_registry.core.records.identities import Person
from dataforge_registry.core.records.pulls import PullLog
from dataforge_registry.core.store import Limits, Store
from dataforge_registry.core.work import verdicts
from dataforge_registry.core.work.deletions import Deletions
from dataforge_registry.core.work.gc import Gc
from dataforge_registry.core.work.manifests import CopyManifests
from dataforge_registry.core.work.mover import Mover
from dataforge_registry.core.work.queue import start
from dataforge_registry.core.work.reaper import Reaper
from dataforge_registry.core.work.relay import LONGEST, QUIET, relay
from dataforge_registry.core.work.task import Task, Wanted
from dataforge_registry.drivers.base import Staging
from dataforge_registry.drivers.memory import MemoryDriver

from .catalogue.conftest import Shelf, frame_of, packed_of

pytestmark = pytest.mark.asyncio

FEW = 100
HOUR = timedelta(hours=1)
NAME = "p/a"
CONFIG, LAYER = media.OCI_CONFIG, "application/vnd.test.layer"
NEVER_ANALYZED = """SELECT format('ALTER TABLE %I SET (autovacuum_enabled = false)', relname) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"""
READ = """SELECT (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes)
  + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables)"""
FILL = Path(__file__).with_name("many_rows.sql").read_text()


async def pieces(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


class Calls:
    """All that a registry asks its records for, over one connection; `read` is what each call read the last time."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = Store(database, MemoryDriver(), Limits(autocreate=True), PullLog(database))
        self.read: dict[str, int] = {}

    async def _counted(self) -> int:
        async with self.database.acquire() as conn:
            await conn.execute("SELECT pg_stat_force_next_flush()")
            return int(await conn.fetchval(READ))

    async def ask(self, name: str, call: Callable[[], Awaitable[object]]) -> None:
        before = await self._counted()
        await call()
        self.read[name] = await self._counted() - before

    def repository(self, name: str = NAME) -> LocalRepository:
        return LocalRepository(self.store, SYSTEM, name, Actor("me"))

    async def push(self, name: str, tag: str, manifest: dict[str, Any]) -> Digest:
        raw = json.dumps({"schemaVersion": 2} | manifest).encode()
        pushed, _ = await self.repository(name).push_manifest(Body(pieces(raw), len(raw), None), None, None, [tag])
        return pushed.digest

    async def blob(self, name: str, content: bytes) -> dict[str, Any]:
        digest = Digest.of(content)
        await self.repository(name).push_blob(digest, Body(pieces(content), len(content), None))
        return {"digest": digest, "size": len(content), "mediaType": LAYER}

    async def image(self, name: str, tag: str, layer: dict[str, Any], **more: Any) -> Digest:
        image = {"mediaType": media.OCI_MANIFEST, "config": layer | {"mediaType": CONFIG}, "layers": [layer]}
        return await self.push(name, tag, image | more)

    async def all(self, run: str) -> None:
        """Every call, on contents and names of this run."""
        await self.people(run)
        await self.uploads(run)
        await self.artifacts(run)
        await self.curves(run)
        await self.work()

    async def people(self, run: str) -> None:
        ann, system, project = f"ann-{run}", f"robot$ci-{run}", f"robot$robots-{run}+ci"
        async with self.database.transaction() as conn:
            await accounts.create(conn, SYSTEM, ann, None)
            owner = await projects.create(conn, SYSTEM, f"robots-{run}")
            await robots.create(conn, SYSTEM, f"ci-{run}", "", (), duration=1)
            await robots.create(conn, SYSTEM, "ci", "", (), project_id=owner, project=f"robots-{run}")
            found = await credentials.find(conn, ann)
            assert found is not None
            who = await identities.onboard(conn, Person("issuer", run, "", None, None, (), False), f"oidc-{run}")
            token = await sessions.begin(conn, found.principal, HOUR)

        async def find(name: str) -> None:
            async with self.database.acquire() as conn:
                found = await credentials.find(conn, name)
                assert found is not None
                await credentials.used(conn, found)
                assert (await accounts.rights(conn, found.principal, f"robots-{run}")).valid

        async def known() -> None:
            async with self.database.acquire() as conn:
                assert await identities.find(conn, "issuer", run) is not None
                assert await identities.meta(conn, who.id) is not None
                assert await identities.ask(conn, who.id) is None
                assert await identities.use(conn, run, datetime.now(UTC) + HOUR)

        async def visit() -> None:
            async with self.database.acquire() as conn:
                assert await sessions.find(conn, token, 4 * HOUR, 8 * HOUR) is not None

        for name in (ann, system, project):
            await self.ask(f"sign in, {name}", partial(find, name))
        await self.ask("identity", known)
        await self.ask("session", visit)

    async def uploads(self, run: str) -> None:
        repository, database, limits = self.repository(), self.database, self.store.limits
        await self.ask(
            "repository_make", lambda: repositories.make(database, [repositories.New(f"p/{run}", True, Actor())])
        )
        [home] = await repositories.make(database, [repositories.New(NAME, True, Actor())])
        content = f"small {run}".encode()
        digest, small = Digest.of(content), (uuid4(), home, "system:0")
        await self.ask("upload_start", lambda: uploads.start(database, [uploads.New(*small, "sha256")], HOUR))
        put = uploads.Small(*small, digest, content)
        await self.ask("upload_inline", lambda: uploads.put_inline(database, [put], HOUR, HOUR, HOUR))
        large, lease, staging = uuid4(), uuid4(), Staging(f"s{run}", 1, {})
        await uploads.start(database, [uploads.New(large, home, "system:0", "sha256")], HOUR)
        take = (large, home, "system:0")
        await self.ask("upload_take", lambda: uploads.take(database, *take, 0, lease, HOUR))
        await self.ask("upload_fork", lambda: uploads.fork(database, large, lease, staging, staging))
        await self.ask("upload_renew", lambda: uploads.renew(database, large, lease))
        await self.ask("upload_save", lambda: uploads.save(database, large, lease, None, staging, HOUR))
        await uploads.take(database, *take, 1, lease, HOUR)
        await self.ask("upload_release", lambda: uploads.release(database, large, lease))
        await self.ask("upload_status", lambda: uploads.status(database, *take))
        await self.ask("upload_cancel", lambda: uploads.cancel(database, *take))
        digest = Digest.of(f"large {run}".encode())
        claim = await blobs.claim(database, home, digest, 1, HOUR)
        assert await blobs.finish(database, home, claim, digest, 1, HOUR, None, HOUR)
        await self.ask("blob_claim, live", lambda: blobs.claim(database, home, digest, 1, HOUR))
        lost = Digest.of(f"lost {run}".encode())
        await self.ask("blob_claim", lambda: blobs.claim(database, home, lost, 1, HOUR))
        claim = await blobs.claim(database, home, lost, 1, HOUR)
        finish = (home, claim, lost, 1, HOUR, large, HOUR)
        await self.ask("blob_finish", lambda: blobs.finish(database, *finish))
        await self.ask("blob_mount", lambda: self.repository("p/b").mount_blob(digest, NAME))
        await self.ask("blob_mount, anywhere", lambda: self.repository("p/c").mount_blob(digest, None))
        await self.ask("blob_hide", lambda: repository.delete_blob(digest))
        await self.ask("hand back", lambda: blobs.hand_back(database, digest, 0))
        missing = claim.blob_id, claim.generation
        await self.ask("mark missing", lambda: blobs.mark_missing(database, *missing))
        await self.ask("blob_claim, missing", lambda: blobs.claim(database, home, lost, 1, limits.lease))

    async def artifacts(self, run: str) -> None:
        repository = self.repository()
        layer = await self.blob(NAME, f"layer {run}".encode())
        below = await self.blob("p/a/b", f"below {run}".encode())
        image = await self.image(NAME, f"image {run}", layer)
        other = await self.image("p/a/b", "other", below)
        raw = (await self.repository("p/a/b").get_manifest(other))[1]
        listed = [{"digest": other, "size": len(raw), "mediaType": media.OCI_MANIFEST}]
        signed = {"subject": {"digest": image, "size": 1, "mediaType": media.OCI_MANIFEST}}
        index = {"mediaType": media.OCI_INDEX, "manifests": listed, "annotations": {"run": run}}
        await self.ask("manifests_put", lambda: self.image(NAME, "moves", layer, annotations={"run": run}))
        await self.ask("manifests_put, again", lambda: self.image(NAME, "moves", layer))
        await self.ask("manifests_put, index", lambda: self.push(NAME, "index", index))
        await self.ask("manifests_put, signature", lambda: self.image(NAME, "signature", layer, **signed))
        await self.ask("by tag", lambda: repository.get_manifest("moves"))
        await self.ask("by digest", lambda: repository.stat_manifest(image))
        await self.ask("blob", lambda: repository.stat_blob(Digest(layer["digest"])))
        await self.ask("referrers", lambda: repository.referrers(image, None, "", 10))
        await self.ask("tags", lambda: repository.tags("", 10))
        await self.ask("catalog", lambda: repositories.catalog(self.database, SYSTEM, "", 10))
        async with self.database.acquire() as conn:
            found = await conn.fetchval("SELECT id FROM artifact WHERE digest = $1", image)
        await self.ask("ingest, file", lambda: ingest.pushed_file(self.database, found))
        done = ingest.IngestStatus("done")
        await self.ask("ingest, set", lambda: ingest.set_status(self.database, found, done))
        await self.ask("ingest, status", lambda: ingest.status_of(self.database, NAME, image))
        await self.ask("tag_delete", lambda: repository.delete_tag("signature"))
        await self.ask("artifact_delete", lambda: repository.delete_manifest(image))
        await self.ask("pulls", self.store.pulls.flush)

    async def curves(self, run: str) -> None:
        shelf, home = Shelf(self.database, self.store), "p/well-1/run-1/gr"
        value = float(sum(map(ord, run)))
        first = packed_of(frame_of((value, 1.0)))
        second = packed_of(frame_of((value, 2.0)), first)
        new = packed_of(frame_of((value, 1.0), "ZZ", Well(f"Well {run}")))
        for name, packed in ((home, first), (home, second), (f"p/well-{run}/run-1/zz", new)):
            await shelf.blobs(name, packed)
        push = partial(shelf.push, home, blobs=False)
        await self.ask("curve, numbered", lambda: push(first, "latest", numbered=True))
        await self.ask("curve, moved", lambda: push(second, "latest", f"v{int(value) + 10_000}"))
        await self.ask("curve, again", lambda: push(first, "latest", numbered=True))
        await self.ask("curve, new", lambda: shelf.push(f"p/well-{run}/run-1/zz", new, "latest", blobs=False))
        await self.catalogue(home, f"well-{run}", second)
        await self.ask("curve, untagged", lambda: shelf.repository(home).delete_tag("latest"))
        await self.ask("curve, deleted", lambda: shelf.repository(home).delete_manifest(Digest(first.digest)))
        content = first.config.segments[0].content
        file = f"file of {run}".encode()
        kept = Digest.of(file)
        body = original_manifest(Well(f"Well {run}"), "a.las", kept, len(file), ["run-1/zz"], "0" * 16)
        for blob in (file, EMPTY_CONFIG):
            await shelf.repository(f"p/well-{run}").push_blob(Digest.of(blob), Body(pieces(blob), len(blob), None))
        await shelf.repository(f"p/well-{run}").push_manifest(
            Body(pieces(body), len(body), None), media.OCI_MANIFEST, None, [original_tag(kept)]
        )
        async with self.database.acquire() as conn:
            project = await conn.fetchval("SELECT project_id FROM project WHERE name = 'p'")
        (there,) = await originals.whole(self.database, project, [str(kept)])
        assert (there.repository, there.curves) == (f"p/well-{run}", ["run-1/zz"])
        told = [verdicts.Verdict(1, "good", [], [(Digest(content).hex, first.manifest.layers[1].digest)])]
        await self.ask("verdict", lambda: self.database.run(lambda conn: verdicts.record(conn, told)))
        await self.ask("originals", lambda: originals.whole(self.database, project, [str(kept)]))
        await self.ask("segments", lambda: segments.held(self.database, SYSTEM, [content]))

    async def catalogue(self, curve: str, new: str, packed: Packed) -> None:
        """What is asked of one well and one curve: lists of five, of which each takes seven rows or so."""
        database, who = self.database, Asker(SYSTEM, "p")
        async with database.acquire() as conn:
            version = await conn.fetchval("SELECT id FROM artifact WHERE digest = $1", packed.digest)
        columns = ([version], [None], [version])

        async def fetch(statement: str, *arguments: Any) -> None:
            async with database.acquire() as conn:
                assert await conn.fetch(statement, *arguments)

        await self.ask("home", lambda: fetch(catalog.SELECT_HOME, *who.arguments))
        await self.ask("entries", lambda: fetch(catalog.SELECT_ENTRIES, *columns))
        await self.ask("well", lambda: catalog_wells.well(database, who, new))  # it counts its curves: here one
        await self.ask("curves", lambda: catalog_wells.curves(database, who, "well-1", None, 5))
        after = ("run-1", "run1", "b", 0)
        await self.ask("curves, more", lambda: catalog_wells.curves(database, who, "well-1", after, 5))
        await self.ask("latest", lambda: catalog_versions.latest(database, who, curve))
        await self.ask("versions", lambda: catalog_versions.versions(database, who, curve, None, 5))
        await self.ask("versions, more", lambda: catalog_versions.versions(database, who, curve, 10_000, 5))

    async def work(self) -> None:
        database, driver = self.database, self.store.driver
        await self.ask("gathering", lambda: database.run(partial(gathering, quiet=QUIET, longest=LONGEST)))
        await self.ask("relay", lambda: relay(database, {}, 5))
        await self.ask("mover", Mover(database, driver).step)
        reaper = Reaper(database, driver)
        await self.ask("reap uploads", reaper.uploads)
        await self.ask("reap stagings", reaper.stagings)
        await self.ask("deletions", Deletions(database, driver, batch=2).step)
        for window in (HOUR, -24 * HOUR):  # nothing is due; everything is
            gc = Gc(database, lease=window, undo=window, batch=2)
            await self.ask(f"gc reviews, {window}", gc.reviews)
            await self.ask(f"gc sweep, {window}", gc.sweep)
            await self.ask(f"gc untagged, {window}", partial(gc.untagged, 0, window, "me"))
        async with database.transaction() as conn:
            execution = await start(conn, Wanted("k", [{"artifacts": [1]}]))
            task = await conn.fetchval("SELECT id FROM task WHERE execution_id = $1", execution)
        await self.ask("claim task", lambda: database.run(lambda conn: work.claim_task(conn, task, 60)))
        claim = work.Claim(task, "k", {"artifacts": [1]}, 1, 0)
        await self.ask("copy manifests", lambda: CopyManifests(database, driver)(Task(database, claim)))
        await self.ask("beat task", lambda: database.run(lambda conn: work.beat_task(conn, claim)))
        await self.ask("finish task", lambda: database.run(lambda conn: work.finish_task(conn, claim, "success")))
        await self.ask("lost jobs", lambda: database.run(lambda conn: work.vanished_tasks(conn, HOUR.total_seconds())))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Calls]:
    """Over one connection, whose plans are its own."""
    database = await Database.open(url, size=1)
    yield Calls(database)
    await database.close()


async def test_no_call_reads_more_than_a_few_rows(database_url: str) -> None:
    async with connected(database_url) as early:
        async with early.database.acquire() as conn:
            for (statement,) in await conn.fetch(NEVER_ANALYZED):
                await conn.execute(statement)
        await early.all("empty")
        async with early.database.acquire() as conn:
            await conn.execute(FILL)
        await early.all("full")
        read = {f"{name}, planned when empty": n for name, n in early.read.items()}
        async with connected(database_url) as late:
            await late.all("late")
            read |= {f"{name}, planned without statistics": n for name, n in late.read.items()}
            async with late.database.acquire() as conn:
                await conn.execute("ANALYZE")
        async with connected(database_url) as known:
            await known.all("known")
            read |= {f"{name}, planned with statistics": n for name, n in known.read.items()}
    assert {name: n for name, n in read.items() if n > FEW} == {}
