"""The blob protocol of schema.sql section 7 on a real PostgreSQL, with pauses between its steps (reliability 3.2).

Each test is one interleaving that tests/core/model/blob_protocol.py knows: several connections, no timing.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import BlobReferenced, BlobUnknown, ManifestBlobUnknown, QuotaExceeded
from dataforge_registry.core.oci.manifest import Descriptor, Manifest
from dataforge_registry.core.records import artifacts, blobs
from dataforge_registry.core.records.calls import fetchrow, fetchval
from dataforge_registry.core.records.database import Database

LEASE = timedelta(hours=1)
KEEP = timedelta(hours=1)
CONTENT = b"values of a curve"
DIGEST = Digest.of(CONTENT)
SIZE = len(CONTENT)
# What gc does to a row (3.2.4), each one transaction of its own.
SWEEP = """WITH gone AS (UPDATE artifact_blob SET state = 'gone' WHERE digest = $1 RETURNING digest, generation)
INSERT INTO gc_delete (digest, generation) SELECT digest, generation FROM gone"""
UNLINK = """WITH links AS (DELETE FROM repository_blob RETURNING blob_id, project_id),
charges AS (DELETE FROM project_blob RETURNING project_id, size)
UPDATE project p SET storage_used = storage_used - c.size FROM charges c WHERE c.project_id = p.project_id"""


@dataclass(frozen=True)
class Rows:
    """The database, and what tests look at in it. `first` and `second` are repositories of one project."""

    database: Database
    url: str
    project: int
    first: int
    second: int

    async def blob(self) -> tuple[str, int, int]:
        """State, generation, size."""
        row = await fetchrow(
            self.database, "SELECT state, generation, size FROM artifact_blob WHERE digest = $1", DIGEST
        )
        assert row is not None
        return row["state"], row["generation"], row["size"]

    async def links(self) -> int:
        return int(await fetchval(self.database, "SELECT count(*) FROM repository_blob WHERE NOT hidden"))

    async def used(self) -> int:
        return int(
            await fetchval(self.database, "SELECT storage_used FROM project WHERE project_id = $1", self.project)
        )

    async def doomed(self) -> list[int]:
        """Generations whose objects wait for deletion."""
        rows = await fetchval(
            self.database, "SELECT array_agg(generation ORDER BY id) FROM gc_delete WHERE digest = $1", DIGEST
        )
        return list(rows or [])

    async def claim(self, repository: int | None = None) -> blobs.Claim:
        return await blobs.claim(self.database, repository or self.first, DIGEST, SIZE, LEASE)

    async def finish(self, claim: blobs.Claim, repository: int | None = None) -> bool:
        return await blobs.finish(self.database, repository or self.first, claim, DIGEST, SIZE, LEASE, None, KEEP)

    async def inline(self, repository: int | None = None) -> None:
        await blobs.store_inline(self.database, [blobs.Small(repository or self.first, DIGEST, CONTENT)], LEASE)

    async def stored(self) -> blobs.Claim:
        """A large blob, pushed to `first`."""
        claim = await self.claim()
        assert await self.finish(claim)
        return claim

    async def do(self, statement: str, *args: Any) -> None:
        async with self.database.acquire() as conn:
            await conn.execute(statement, *args)

    async def manifest(self, raw: bytes, *, required: bool = True, repository: int | None = None) -> int:
        """Push a manifest that names the blob; its artifact's id."""
        pushed = push(repository or self.first, raw, required)
        await artifacts.put_many(self.database, [pushed], LEASE)
        which = "SELECT id FROM artifact WHERE repository_id = $1 AND digest = $2"
        return int(await fetchval(self.database, which, pushed.repository_id, pushed.manifest.digest))

    async def other(self) -> "asyncpg.Connection[asyncpg.Record]":
        """One more process."""
        return await asyncpg.connect(self.url)


def push(repository: int, raw: bytes, required: bool = True) -> artifacts.Push:
    """Bytes as a manifest that names the blob."""
    layer = Descriptor("l", DIGEST, SIZE, foreign=not required)
    manifest = Manifest(raw, media.OCI_MANIFEST, Digest.of(raw), None, (layer,), (), None, None, {})
    return artifacts.Push(repository, manifest, ["latest"], artifacts.Precondition(), None, artifacts.Actor("me"))


async def waiting(rows: Rows, task: "asyncio.Task[Any]") -> None:
    """Until somebody waits for a lock; the task must be the one, so it may not be done."""
    while not await fetchval(rows.database, "SELECT count(*) FROM pg_locks WHERE NOT granted"):
        assert not task.done(), "it went by without waiting"
        await asyncio.sleep(0.01)


@pytest_asyncio.fixture(loop_scope="session")
async def rows(database: Database, database_url: str) -> AsyncIterator[Rows]:
    first = await fetchval(database, "SELECT repository_make('p', 'p/a', true, 'me', '', '')")
    second = await fetchval(database, "SELECT repository_make('p', 'p/b', true, 'me', '', '')")
    project = await fetchval(database, "SELECT project_id FROM project")
    yield Rows(database, database_url, project, first, second)


@pytest.mark.asyncio
async def test_two_pushers_store_and_pay_once(rows: Rows) -> None:
    one, two = await rows.claim(rows.first), await rows.claim(rows.second)
    assert (one.live, one.generation) == (two.live, two.generation) == (False, 0)
    assert await rows.finish(one, rows.first)
    assert await rows.finish(two, rows.second)
    assert await rows.blob() == ("live", 0, SIZE)
    assert (await rows.links(), await rows.used()) == (2, SIZE)


@pytest.mark.asyncio
async def test_a_claim_alone_links_and_charges_nothing(rows: Rows) -> None:
    await rows.claim()
    assert await rows.blob() == ("pending", 0, SIZE)
    assert (await rows.links(), await rows.used()) == (0, 0)


@pytest.mark.asyncio
async def test_a_claim_of_a_live_blob_is_the_whole_push(rows: Rows) -> None:
    await rows.stored()
    claim = await rows.claim(rows.second)
    assert claim.live
    assert (await rows.links(), await rows.used()) == (2, SIZE)


@pytest.mark.asyncio
async def test_forty_at_once_store_and_pay_once(rows: Rows) -> None:
    async def push(number: int) -> None:
        repository = rows.second if number % 2 else rows.first
        if number % 3:
            claim = await rows.claim(repository)
            assert claim.live or await rows.finish(claim, repository)
        else:
            await rows.inline(repository)

    await asyncio.gather(*(push(number) for number in range(40)))
    assert await rows.blob() == ("live", 0, SIZE)
    assert (await rows.links(), await rows.used()) == (2, SIZE)


@pytest.mark.asyncio
async def test_a_swept_claim_is_handed_back_and_begun_again(rows: Rows) -> None:
    late = await rows.claim()
    await rows.do(SWEEP, DIGEST)  # paused for longer than its lease
    assert not await rows.finish(late)
    assert (await rows.links(), await rows.used()) == (0, 0)
    await blobs.hand_back(rows.database, DIGEST, late.generation)
    assert await rows.doomed() == [0, 0]  # gc's request and ours: each a row of its own
    again = await rows.claim()
    assert (again.live, again.generation) == (False, 1)
    assert await rows.finish(again)
    assert await rows.blob() == ("live", 1, SIZE)


@pytest.mark.asyncio
async def test_a_late_finish_cannot_make_the_next_generation_live(rows: Rows) -> None:
    late = await rows.claim()
    await rows.do(SWEEP, DIGEST)
    new = await rows.claim()
    assert new.generation == 1
    assert not await rows.finish(late)
    assert await rows.blob() == ("pending", 1, SIZE)
    await blobs.hand_back(rows.database, DIGEST, late.generation)
    assert await rows.doomed() == [0, 0]
    assert await rows.finish(new)


@pytest.mark.asyncio
@pytest.mark.parametrize("state", ["pending", "live", "condemned", "missing"])
async def test_a_hand_back_never_dooms_what_a_row_means(rows: Rows, state: str) -> None:
    await rows.stored()
    await rows.do("UPDATE artifact_blob SET state = $1", state)
    await blobs.hand_back(rows.database, DIGEST, 0)
    assert await rows.doomed() == []


@pytest.mark.asyncio
async def test_a_hand_back_remembers_its_generation_where_no_row_did(rows: Rows) -> None:
    late = await rows.claim()
    await rows.do("DELETE FROM artifact_blob")  # swept, and its tombstone's time over
    await blobs.hand_back(rows.database, DIGEST, late.generation)
    assert (await rows.blob())[:2] == ("gone", 0)
    assert await rows.doomed() == [0]
    again = await rows.claim()
    assert again.generation == 1
    assert await rows.finish(again)
    assert await rows.blob() == ("live", 1, SIZE)  # the tombstone knew no size


@pytest.mark.asyncio
async def test_a_late_finish_never_meets_the_row_of_another_life(rows: Rows) -> None:
    """The same digest and generation once more: but the object of the first was deleted, only the row's id tells."""
    late = await rows.claim()
    await rows.do("DELETE FROM artifact_blob")
    new = await rows.claim()
    assert new.generation == late.generation
    assert not await rows.finish(late)
    await blobs.hand_back(rows.database, DIGEST, late.generation)
    assert await rows.doomed() == []
    assert await rows.blob() == ("pending", 0, SIZE)
    assert await rows.finish(new)


@pytest.mark.asyncio
async def test_inline_after_a_tombstone_has_its_size(rows: Rows) -> None:
    await blobs.hand_back(rows.database, DIGEST, 4)
    await rows.inline()
    assert await rows.blob() == ("live", 5, SIZE)


@pytest.mark.asyncio
async def test_hand_backs_at_once_make_one_tombstone(rows: Rows) -> None:
    await asyncio.gather(*(blobs.hand_back(rows.database, DIGEST, 0) for _ in range(8)))
    assert (await rows.blob())[:2] == ("gone", 0)
    assert await rows.doomed() == [0] * 8


@pytest.mark.asyncio
@pytest.mark.parametrize("small", [False, True], ids=["large", "inline"])
async def test_missing_bytes_are_healed_by_a_push_under_a_new_key(rows: Rows, small: bool) -> None:
    claim = await rows.stored()
    assert await blobs.mark_missing(rows.database, claim.blob_id, 0)
    if small:
        await rows.inline(rows.second)
    else:
        heal = await rows.claim(rows.second)
        assert (heal.live, heal.generation) == (False, 1)
        assert await rows.finish(heal, rows.second)
    assert await rows.blob() == ("live", 1, SIZE)
    assert await rows.doomed() == [0]  # the rotten object
    assert (await rows.links(), await rows.used()) == (2, SIZE)


@pytest.mark.asyncio
async def test_bytes_found_lost_are_those_of_one_generation_only(rows: Rows) -> None:
    claim = await rows.stored()
    assert await blobs.mark_missing(rows.database, claim.blob_id, 0)
    await rows.finish(await rows.claim())
    assert not await blobs.mark_missing(rows.database, claim.blob_id, 0)  # a slow reader of the old object
    assert await rows.blob() == ("live", 1, SIZE)


@pytest.mark.asyncio
async def test_an_inline_blob_cannot_be_missing(rows: Rows) -> None:
    await rows.inline()
    blob = await fetchval(rows.database, "SELECT id FROM artifact_blob")
    assert not await blobs.mark_missing(rows.database, blob, 0)


@pytest.mark.asyncio
@pytest.mark.parametrize("small", [False, True], ids=["large", "inline"])
async def test_a_condemned_blob_comes_back_without_its_bytes(rows: Rows, small: bool) -> None:
    await rows.stored()
    await rows.do(UNLINK)
    await rows.do("UPDATE artifact_blob SET state = 'condemned'")
    await (rows.inline() if small else rows.claim())
    assert await rows.blob() == ("live", 0, SIZE)
    assert (await rows.links(), await rows.used(), await rows.doomed()) == (1, SIZE, [])
    # gc must look at it again: nothing else would once the link goes
    assert await fetchval(rows.database, "SELECT count(*) FROM gc_review WHERE kind = 'blob'") == 1
    assert await fetchval(rows.database, "SELECT content IS NULL FROM artifact_blob")


@pytest.mark.asyncio
async def test_a_finish_brings_back_what_was_condemned_meanwhile(rows: Rows) -> None:
    late = await rows.claim()
    await rows.do("UPDATE artifact_blob SET state = 'condemned'")
    assert await rows.finish(late)
    assert await rows.blob() == ("live", 0, SIZE)


@pytest.mark.asyncio
async def test_an_inline_push_overtakes_a_claim(rows: Rows) -> None:
    slow = await rows.claim()
    await rows.inline(rows.second)
    assert await blobs.content(rows.database, slow.blob_id) == CONTENT
    assert await rows.finish(slow)
    assert (await rows.links(), await rows.used()) == (2, SIZE)


@pytest.mark.asyncio
async def test_a_push_waits_for_the_sweep_it_meets(rows: Rows) -> None:
    """gc locks, then decides: a push in between must see what gc did, not what was there before."""
    await rows.stored()
    await rows.do(UNLINK)
    gc = await rows.other()
    try:
        async with gc.transaction():
            await gc.execute("SELECT 1 FROM artifact_blob WHERE digest = $1 FOR UPDATE", DIGEST)
            push = asyncio.create_task(rows.claim())
            await waiting(rows, push)
            await gc.execute(SWEEP, DIGEST)
        claim = await push
    finally:
        await gc.close()
    assert (claim.live, claim.generation) == (False, 1)
    assert await rows.links() == 0


@pytest.mark.asyncio
async def test_a_sweep_sees_the_link_of_the_push_it_waited_for(rows: Rows) -> None:
    await rows.stored()
    await rows.do(UNLINK)
    pusher, gc = await rows.other(), await rows.other()
    try:
        async with gc.transaction():
            async with pusher.transaction():
                await pusher.execute("SELECT blob_claim($1, $2, $3, $4)", rows.first, DIGEST, SIZE, LEASE)
                locked = asyncio.create_task(gc.execute("SELECT 1 FROM artifact_blob FOR UPDATE"))
                await waiting(rows, locked)
            await locked
            assert await gc.fetchval("SELECT count(*) FROM repository_blob") == 1  # so it lets the blob be
    finally:
        await pusher.close()
        await gc.close()


@pytest.mark.asyncio
async def test_a_charge_waits_for_gc_giving_it_back(rows: Rows) -> None:
    """DO NOTHING would not wait, and leave a link without a charge (3.2.7)."""
    await rows.stored()
    gc = await rows.other()
    try:
        async with gc.transaction():
            await gc.execute("DELETE FROM repository_blob")
            await gc.execute("SELECT 1 FROM project_blob FOR UPDATE")
            push = asyncio.create_task(rows.claim(rows.second))
            await waiting(rows, push)
            await gc.execute("DELETE FROM project_blob")
            await gc.execute("UPDATE project SET storage_used = storage_used - $1", SIZE)
        assert (await push).live
    finally:
        await gc.close()
    assert await fetchval(rows.database, "SELECT count(*) FROM project_blob") == 1
    assert (await rows.links(), await rows.used()) == (1, SIZE)


@pytest.mark.asyncio
async def test_a_quota_refused_at_the_end_leaves_no_link(rows: Rows) -> None:
    claim = await rows.claim()
    await rows.do("UPDATE project SET storage_limit = $1", SIZE - 1)
    with pytest.raises(QuotaExceeded):
        await rows.finish(claim)
    assert await rows.blob() == ("pending", 0, SIZE)
    assert (await rows.links(), await rows.used()) == (0, 0)
    with pytest.raises(QuotaExceeded):
        await rows.inline()
    assert (await rows.links(), await rows.used()) == (0, 0)


@pytest.mark.asyncio
async def test_pushes_at_once_never_pass_the_quota(rows: Rows) -> None:
    await rows.do("UPDATE project SET storage_limit = 1000")

    async def push(number: int) -> bool:
        content = number.to_bytes(100, "big")
        try:
            await blobs.store_inline(rows.database, [blobs.Small(rows.first, Digest.of(content), content)], LEASE)
        except QuotaExceeded:
            return False
        return True

    accepted = await asyncio.gather(*(push(number) for number in range(30)))
    assert sum(accepted) == 10
    assert await rows.used() == 1000
    assert await rows.links() == 10


@pytest.mark.asyncio
async def test_a_reference_that_waits_is_bound_when_its_blob_comes(rows: Rows) -> None:
    artifact = await rows.manifest(b"{1}", required=False)
    bound = "SELECT link_id FROM artifact_blob_ref WHERE artifact_id = $1"
    assert await fetchval(rows.database, bound, artifact) is None
    await rows.stored()
    link = await fetchval(rows.database, "SELECT id FROM repository_blob WHERE repository_id = $1", rows.first)
    assert await fetchval(rows.database, bound, artifact) == link
    with pytest.raises(BlobReferenced):
        await blobs.hide(rows.database, rows.first, DIGEST, "me", "", "")


@pytest.mark.asyncio
async def test_a_reference_waits_for_its_own_repository(rows: Rows) -> None:
    artifact = await rows.manifest(b"{1}", required=False, repository=rows.second)
    await rows.stored()  # in first
    assert await fetchval(
        rows.database, "SELECT link_id IS NULL FROM artifact_blob_ref WHERE artifact_id = $1", artifact
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("state", ["pending", "condemned", "gone", "missing"])
async def test_a_manifest_wants_its_blobs_live(rows: Rows, state: str) -> None:
    await rows.stored()
    await rows.do("UPDATE artifact_blob SET state = $1", state)
    with pytest.raises(ManifestBlobUnknown):
        await rows.manifest(b"{1}")
    assert await fetchval(rows.database, "SELECT count(*) FROM artifact") == 0


@pytest.mark.asyncio
async def test_a_delete_sees_the_manifest_it_waited_for(rows: Rows) -> None:
    await rows.stored()
    pusher = await rows.other()
    raw = b"{1}"
    try:
        async with pusher.transaction():
            await pusher.fetch(artifacts.SELECT_PUT, *artifacts.arguments([push(rows.first, raw)]), LEASE)
            hide = asyncio.create_task(blobs.hide(rows.database, rows.first, DIGEST, "me", "", ""))
            await waiting(rows, hide)
        with pytest.raises(BlobReferenced):
            await hide
    finally:
        await pusher.close()


@pytest.mark.asyncio
async def test_a_manifest_sees_the_delete_it_waited_for(rows: Rows) -> None:
    await rows.stored()
    deleter = await rows.other()
    try:
        async with deleter.transaction():
            await deleter.execute("SELECT blob_hide($1, $2, 'me', '', '')", rows.first, DIGEST)
            push = asyncio.create_task(rows.manifest(b"{1}"))
            await waiting(rows, push)
        with pytest.raises(ManifestBlobUnknown):
            await push
    finally:
        await deleter.close()


@pytest.mark.asyncio
async def test_a_hidden_blob_is_absent_until_it_is_pushed_again(rows: Rows) -> None:
    await rows.stored()
    await blobs.hide(rows.database, rows.first, DIGEST, "me", "", "")
    with pytest.raises(BlobUnknown):
        await blobs.hide(rows.database, rows.first, DIGEST, "me", "", "")
    with pytest.raises(ManifestBlobUnknown):
        await rows.manifest(b"{1}")
    assert (await rows.claim()).live
    assert (await rows.links(), await rows.used()) == (1, SIZE)
    await rows.manifest(b"{1}")
