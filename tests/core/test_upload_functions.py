"""The upload protocol step by step: upload_* of schema.sql, the filesystem driver, the reaper (reliability 3.1).

A writer that is stopped between two steps is one whose next step comes later here: no timing, no threads. Each test is
one interleaving that tests/core/model/upload_protocol.py knows.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from dataforge_registry.core.body import Body, BodyBroken
from dataforge_registry.core.oci.digest import Digest, blob_key
from dataforge_registry.core.oci.errors import (
    DigestInvalid,
    NameUnknown,
    QuotaExceeded,
    UploadRangeInvalid,
    UploadUnknown,
)
from dataforge_registry.core.records import blobs, uploads
from dataforge_registry.core.records.calls import fetchval
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.pulls import PullLog
from dataforge_registry.core.store import Limits, Store
from dataforge_registry.core.uploads import UploadSession
from dataforge_registry.core.work.reaper import Reaper
from dataforge_registry.drivers.base import Staging, StagingLost
from dataforge_registry.drivers.filesystem import FilesystemDriver

FRESH, STALE = timedelta(hours=1), timedelta(0)
EXPIRY = timedelta(days=1)
ME = "account:1"


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def breaking(*parts: bytes) -> AsyncIterator[bytes]:
    """A client that leaves in the middle of its body."""
    for part in parts:
        yield part
    raise BodyBroken


@dataclass(frozen=True)
class Bench:
    """One upload's surroundings: the rows, the files, and a repository."""

    store: Store
    repository: int
    files: Path

    @property
    def database(self) -> Database:
        return self.store.database

    @property
    def driver(self) -> FilesystemDriver:
        assert isinstance(self.store.driver, FilesystemDriver)
        return self.store.driver

    async def start(self) -> UUID:
        upload = uuid4()
        await uploads.start(self.database, [uploads.New(upload, self.repository, ME, "sha256")], EXPIRY)
        return upload

    def session(self, upload: UUID, *, stale: timedelta = FRESH) -> UploadSession:
        """The upload as a server with such an upload.lease sees it."""
        store = Store(self.database, self.driver, replace(self.store.limits, upload_lease=stale), self.store.pulls)
        return UploadSession(store, self.repository, ME, upload)

    async def take(
        self, upload: UUID, offset: int | None = None, stale: timedelta = FRESH
    ) -> tuple[uploads.Upload, UUID]:
        lease = uuid4()
        return await uploads.take(self.database, upload, self.repository, ME, offset, lease, stale), lease

    async def append(self, upload: UUID, data: bytes) -> int:
        return await self.session(upload).append(Body(pieces(data), len(data), None), None)

    async def finish(self, upload: UUID, whole: bytes, rest: bytes = b"") -> None:
        await self.session(upload).finish(Digest.of(whole), Body(pieces(rest), len(rest), None), None)
        await self.store.settle()

    async def bytes_at(self, digest: Digest, generation: int = 0) -> bytes:
        reading = await self.driver.open(blob_key(digest, generation))
        return b"".join([piece async for piece in reading])

    async def one(self, statement: str, *args: Any) -> Any:
        return await fetchval(self.database, statement, *args)

    def staged(self) -> set[str]:
        """The stagings that lie on disk."""
        folder = self.files / "uploads"
        return {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()

    async def reap(self) -> None:
        """Everything the reaper does, at once: expired uploads, given-up stagings, and strays of any age."""
        reaper = Reaper(self.database, self.driver, lease=0, grace=-60)
        await reaper.uploads()
        await reaper.stagings()
        await reaper.strays()


@pytest_asyncio.fixture(loop_scope="session")
async def bench(database: Database, tmp_path: Path) -> AsyncIterator[Bench]:
    repository = await fetchval(database, "SELECT repository_make('p', 'p/r', true, 'me', '', '')")
    driver, pulls = FilesystemDriver(str(tmp_path)), PullLog(database)
    store = Store(database, driver, Limits(inline=0, upload_expiry=EXPIRY), pulls)
    yield Bench(store, repository, tmp_path)
    await store.settle()
    await pulls.close()
    await driver.close()


@pytest.mark.asyncio
async def test_one_writer_at_a_time(bench: Bench) -> None:
    upload = await bench.start()
    first, lease = await bench.take(upload)
    assert first.answer == "taken"
    assert (await bench.take(upload))[0].answer == "busy"
    assert not await uploads.renew(bench.database, upload, uuid4())
    assert await uploads.renew(bench.database, upload, lease)
    await uploads.release(bench.database, upload, lease)
    assert (await bench.take(upload))[0].answer == "taken"  # let go: no fork needed


@pytest.mark.asyncio
async def test_the_lease_is_taken_at_the_offset_only(bench: Bench) -> None:
    upload = await bench.start()
    found, _ = await bench.take(upload, offset=5)
    assert (found.answer, found.offset) == ("offset", 0)
    assert (await bench.take(upload, offset=0))[0].answer == "taken"  # the refusal took nothing


@pytest.mark.asyncio
async def test_an_upload_is_unknown_elsewhere_and_to_others(bench: Bench) -> None:
    upload = await bench.start()
    lease = uuid4()
    stranger = await uploads.take(bench.database, upload, bench.repository, "account:2", None, lease, STALE)
    elsewhere = await uploads.take(bench.database, upload, bench.repository + 1, ME, None, lease, STALE)
    assert stranger.answer == elsewhere.answer == "unknown"
    assert not await uploads.cancel(bench.database, upload, bench.repository, "account:2")
    with pytest.raises(NameUnknown):
        await uploads.start(bench.database, [uploads.New(uuid4(), bench.repository + 1, ME, "sha256")], EXPIRY)


@pytest.mark.asyncio
async def test_a_paused_writer_wakes_in_its_append(bench: Bench) -> None:
    """The writer is stopped between the lease and its bytes; another takes over and goes on; the first wakes up."""
    upload = await bench.start()
    assert await bench.append(upload, b"kept ") == 5
    paused, lease = await bench.take(upload, 5)
    assert paused.staging is not None
    assert await bench.session(upload, stale=STALE).append(Body(pieces(b"ours"), 4, None), 5) == 9
    late = await bench.driver.append(paused.staging, pieces(b"THEIRS, and longer"))
    assert not await uploads.save(bench.database, upload, lease, None, late, EXPIRY)
    await bench.finish(upload, b"kept ours")
    assert await bench.bytes_at(Digest.of(b"kept ours")) == b"kept ours"
    await bench.reap()
    assert bench.staged() == set()


@pytest.mark.asyncio
async def test_a_paused_writer_wakes_after_the_blob_was_acknowledged(bench: Bench) -> None:
    """What it has open is a file that the blob's key has never been linked to."""
    upload = await bench.start()
    await bench.append(upload, b"kept ")
    paused, lease = await bench.take(upload, 5)
    assert paused.staging is not None
    whole = b"kept ours"
    await bench.session(upload, stale=STALE).finish(Digest.of(whole), Body(pieces(b"ours"), 4, None), 5)
    late = await bench.driver.append(paused.staging, pieces(b"THEIRS"))
    assert not await uploads.save(bench.database, upload, lease, None, late, EXPIRY)
    assert await bench.bytes_at(Digest.of(whole)) == whole
    await bench.reap()
    assert bench.staged() == set()


@pytest.mark.asyncio
async def test_a_paused_writer_wakes_after_its_file_was_reaped(bench: Bench) -> None:
    upload = await bench.start()
    await bench.append(upload, b"kept ")
    paused, _ = await bench.take(upload, 5)
    assert paused.staging is not None
    await bench.session(upload, stale=STALE).append(Body(pieces(b"ours"), 4, None), 5)
    await Reaper(bench.database, bench.driver).stagings()
    with pytest.raises(StagingLost):
        await bench.driver.append(paused.staging, pieces(b"THEIRS"))
    with pytest.raises(StagingLost):
        await bench.driver.commit(paused.staging, blob_key(Digest.of(b"kept "), 0))
    await bench.finish(upload, b"kept ours")


@pytest.mark.asyncio
async def test_a_writer_paused_before_t2_finishes_what_it_verified(bench: Bench) -> None:
    """Bytes at the key, upload gone on without it: the late T2 links exactly the bytes that were compared."""
    upload = await bench.start()
    await bench.append(upload, b"kept ")
    paused, _ = await bench.take(upload, 5)
    assert paused.staging is not None
    digest = Digest.of(b"kept ")
    claim = await blobs.claim(bench.database, bench.repository, digest, 5, FRESH)
    await bench.driver.commit(paused.staging, blob_key(digest, claim.generation))
    assert await bench.session(upload, stale=STALE).append(Body(pieces(b"ours"), 4, None), 5) == 9
    await bench.reap()
    assert await blobs.finish(bench.database, bench.repository, claim, digest, 5, FRESH, upload, EXPIRY)
    assert await bench.bytes_at(digest) == b"kept "
    with pytest.raises(UploadUnknown):  # ended by another: the second writer starts anew, it is not told a lie
        await bench.finish(upload, b"kept ours")


@pytest.mark.asyncio
async def test_going_on_after_a_commit_leaves_the_blob_alone(bench: Bench) -> None:
    """A PUT that failed at T2 has linked the staging to a key already; a later PATCH must not grow that object."""
    upload = await bench.start()
    await bench.append(upload, b"kept ")
    held, lease = await bench.take(upload)
    assert held.staging is not None
    digest = Digest.of(b"kept ")
    claim = await blobs.claim(bench.database, bench.repository, digest, 5, FRESH)
    await bench.driver.commit(held.staging, blob_key(digest, claim.generation))
    await uploads.release(bench.database, upload, lease)
    assert await bench.append(upload, b"and more") == 13
    assert await bench.bytes_at(digest) == b"kept "


@pytest.mark.asyncio
async def test_a_fork_is_refused_to_one_who_lost_the_lease(bench: Bench) -> None:
    upload = await bench.start()
    await bench.append(upload, b"kept ")
    slow, slow_lease = await bench.take(upload, stale=STALE)
    assert slow.staging is not None
    copy = await bench.driver.fork(slow.staging)
    second, _ = await bench.take(upload, stale=STALE)
    assert second.answer == "taken over"
    assert not await uploads.fork(bench.database, upload, slow_lease, copy, slow.staging)
    assert await bench.one("SELECT count(*) FROM upload_staging") == 0


@pytest.mark.asyncio
async def test_a_take_over_names_the_old_file_for_the_reaper(bench: Bench) -> None:
    upload = await bench.start()
    await bench.append(upload, b"kept ")
    old = bench.staged()
    await bench.take(upload)
    await bench.session(upload, stale=STALE).append(Body(pieces(b"ours"), 4, None), None)
    assert {await bench.one("SELECT id FROM upload_staging")} == old
    await Reaper(bench.database, bench.driver).stagings()
    assert len(bench.staged()) == 1
    await bench.finish(upload, b"kept ours")


@pytest.mark.asyncio
async def test_a_broken_body_is_kept_by_a_patch_and_counts_for_nothing_in_a_put(bench: Bench) -> None:
    upload = await bench.start()
    with pytest.raises(BodyBroken):
        await bench.session(upload).append(Body(breaking(b"half"), None, None), 0)
    assert await bench.session(upload).offset() == 4
    with pytest.raises(BodyBroken):
        await bench.session(upload).finish(Digest.of(b"half way"), Body(breaking(b" w"), None, None), 4)
    with pytest.raises(DigestInvalid):
        await bench.session(upload).finish(Digest.of(b"half way"), Body(pieces(b" off"), 4, None), 4)
    assert await bench.session(upload).offset() == 4
    await bench.finish(upload, b"half way", b" way")
    assert await bench.bytes_at(Digest.of(b"half way")) == b"half way"


@pytest.mark.asyncio
async def test_what_a_refused_put_wrote_is_dropped_by_the_next_patch(bench: Bench) -> None:
    upload = await bench.start()
    await bench.append(upload, b"ab")
    with pytest.raises(DigestInvalid):
        await bench.session(upload).finish(Digest.of(b"x"), Body(pieces(b"longer than what comes"), 22, None), 2)
    await bench.append(upload, b"cd")
    await bench.finish(upload, b"abcd")
    assert await bench.bytes_at(Digest.of(b"abcd")) == b"abcd"


@pytest.mark.asyncio
async def test_a_repeated_put_is_answered_again_and_another_is_not(bench: Bench) -> None:
    upload = await bench.start()
    await bench.finish(upload, b"abc", b"abc")
    await bench.finish(upload, b"abc", b"abc")
    await bench.finish(upload, b"abc")
    with pytest.raises(UploadUnknown):
        await bench.finish(upload, b"abd", b"abd")
    with pytest.raises(UploadUnknown):
        await bench.append(upload, b"more")
    assert await bench.one("SELECT storage_used FROM project") == 3


@pytest.mark.asyncio
async def test_a_repeated_patch_is_told_where_to_go_on(bench: Bench) -> None:
    upload = await bench.start()
    await bench.session(upload).append(Body(pieces(b"abc"), 3, None), 0)
    with pytest.raises(UploadRangeInvalid) as refused:
        await bench.session(upload).append(Body(pieces(b"abc"), 3, None), 0)
    assert refused.value.detail == {"offset": 3}


@pytest.mark.asyncio
async def test_a_cancel_under_a_writer(bench: Bench) -> None:
    upload = await bench.start()
    await bench.append(upload, b"kept ")
    held, lease = await bench.take(upload, 5)
    assert held.staging is not None
    await bench.session(upload).cancel()
    late = await bench.driver.append(held.staging, pieces(b"late"))
    assert not await uploads.save(bench.database, upload, lease, None, late, EXPIRY)
    with pytest.raises(UploadUnknown):
        await bench.session(upload).cancel()
    await bench.reap()
    assert bench.staged() == set()


@pytest.mark.asyncio
async def test_no_staging_is_left_for_ever(bench: Bench) -> None:
    """Every way to end: finished, cancelled, expired, killed before its first save, killed after its finish."""
    finished, cancelled, expired, killed, unswept = [await bench.start() for _ in range(5)]
    for upload in (finished, cancelled, expired, unswept):
        await bench.append(upload, b"some bytes")
    await bench.take(killed)
    await bench.driver.append(Staging(uuid4().hex), pieces(b"no row knows this"))
    await bench.finish(finished, b"some bytes")
    await bench.session(cancelled).cancel()
    found, _ = await bench.take(unswept)
    assert found.staging is not None
    claim = await blobs.claim(bench.database, bench.repository, Digest.of(b"some bytes"), 10, FRESH)
    assert claim.live
    await uploads.done(bench.database, unswept, Digest.of(b"some bytes"), EXPIRY)
    await bench.one("UPDATE upload SET expires_at = now() RETURNING id")
    await bench.reap()
    assert bench.staged() == set()
    assert await bench.one("SELECT (SELECT count(*) FROM upload) + (SELECT count(*) FROM upload_staging)") == 0
    assert await bench.bytes_at(Digest.of(b"some bytes")) == b"some bytes"


@pytest.mark.asyncio
async def test_the_reaper_leaves_alone_what_is_written_to(bench: Bench) -> None:
    upload = await bench.start()
    await bench.append(upload, b"kept ")
    await bench.take(upload)
    await bench.one("UPDATE upload SET expires_at = now() RETURNING id")
    reaper = Reaper(bench.database, bench.driver, lease=3600, grace=-60)
    assert (await reaper.uploads(), await reaper.stagings(), await reaper.strays()) == (0, 0, 0)
    assert len(bench.staged()) == 1


@pytest.mark.asyncio
async def test_a_small_put_at_once_is_one_transaction(bench: Bench) -> None:
    content = b"small"
    upload = await bench.start()

    async def put(digest: Digest) -> str:
        small = uploads.Small(upload, bench.repository, ME, digest, content)
        (found,) = await uploads.put_inline(bench.database, [small], FRESH, FRESH, EXPIRY)
        return found.answer

    _, lease = await bench.take(upload)
    assert await put(Digest.of(content)) == "busy"
    await uploads.release(bench.database, upload, lease)
    assert await put(Digest.of(content)) == "stored"
    assert await put(Digest.of(content)) == "done"
    assert await bench.one("SELECT content FROM artifact_blob") == content


@pytest.mark.asyncio
async def test_small_puts_that_meet_share_a_transaction_and_keep_their_own_answers(bench: Bench) -> None:
    """Each at its own state, some with the same bytes, in two repositories of one project: charged once a content."""
    other = await bench.one("SELECT repository_make('p', 'p/other', true, 'me', '', '')")
    held, moved, free, twin, double, elsewhere = [await bench.start() for _ in range(6)]
    await bench.one("UPDATE upload SET repository_id = $2 WHERE id = $1 RETURNING id", elsewhere, other)
    await bench.take(held)
    await bench.append(moved, b"begun")

    def small(upload: UUID, content: bytes, repository: int = bench.repository) -> uploads.Small:
        return uploads.Small(upload, repository, ME, Digest.of(content), content)

    smalls = [
        small(held, b"held"),
        small(moved, b"moved"),
        small(free, b"same"),
        small(twin, b"same"),
        small(double, b"first"),
        small(double, b"second"),
        small(elsewhere, b"same", other),
        small(uuid4(), b"never"),
    ]
    found = await uploads.put_inline(bench.database, smalls, FRESH, FRESH, EXPIRY)
    answers = [each.answer for each in found]
    assert answers == ["busy", "offset", "stored", "stored", "stored", "busy", "stored", "unknown"]
    contents = await bench.one("SELECT array_agg(content) FROM artifact_blob")
    assert sorted(contents) == [b"first", b"same"]
    assert await bench.one("SELECT count(*) FROM repository_blob") == 3
    assert await bench.one("SELECT count(*) FROM gc_review WHERE kind = 'link'") == 3
    assert await bench.one("SELECT storage_used FROM project") == len(b"first" + b"same")
    assert await bench.one("SELECT count(*) FROM upload WHERE status = 'done' AND digest IS NOT NULL") == 4
    again = await uploads.put_inline(bench.database, smalls[2:5], FRESH, FRESH, EXPIRY)
    assert [(each.answer, each.digest) for each in again] == [("done", each.digest) for each in smalls[2:5]]


@pytest.mark.asyncio
async def test_a_full_project_refuses_its_own_puts_alone(bench: Bench) -> None:
    """Two projects in one batch: the quota of one is over, the other's blob is stored."""
    other = await bench.one("SELECT repository_make('q', 'q/r', true, 'me', '', '')")
    await bench.one("UPDATE project SET storage_limit = 3 WHERE name = 'p' RETURNING 1")
    refused, stored = [await bench.start() for _ in range(2)]
    await bench.one("UPDATE upload SET repository_id = $2 WHERE id = $1 RETURNING id", stored, other)
    store = Store(bench.database, bench.driver, Limits(), bench.store.pulls)
    sessions = [
        UploadSession(store, repository, ME, upload)
        for repository, upload in ((bench.repository, refused), (other, stored))
    ]

    async def put(session: UploadSession, content: bytes) -> None:
        await session.finish(Digest.of(content), Body(pieces(content), len(content), None), None)

    answers = await asyncio.gather(*map(put, sessions, (b"full", b"room")), return_exceptions=True)
    assert isinstance(answers[0], QuotaExceeded) and answers[1] is None
    assert await bench.one("SELECT convert_from(content, 'UTF8') FROM artifact_blob") == "room"


@pytest.mark.asyncio
async def test_the_saved_hash_goes_on_in_another_process(bench: Bench) -> None:
    parts = [bytes([number]) * (number * 37) for number in range(1, 9)]
    upload = await bench.start()
    for part in parts:
        await bench.append(upload, part)
    whole = b"".join(parts)
    await bench.session(upload).finish(
        Digest(f"sha256:{hashlib.sha256(whole).hexdigest()}"), Body(pieces(), 0, None), None
    )
    assert await bench.bytes_at(Digest.of(whole)) == whole
