"""Rot is found, never served, and healed by the next push; what is only away is not rot."""

import asyncio
import os
import random
import time
from pathlib import Path

import pytest

from dataforge_registry.core.oci.digest import Digest, blob_key
from dataforge_registry.core.oci.errors import BlobUnknown
from dataforge_registry.core.work import schedule
from dataforge_registry.core.work.queue import Queue
from dataforge_registry.core.work.scrub import HOUR, MARGIN, SCRUB, Scrub, ScrubSlice
from dataforge_registry.core.work.task import Kind
from dataforge_registry.drivers.base import Unavailable
from dataforge_registry.drivers.wrap import Faulty

from .conftest import LARGE, Yard

pytestmark = pytest.mark.asyncio
FLIPS = int(os.environ.get("FLIPS", "60"))


async def verdicts(yard: Yard, rate: float | None = None) -> dict[str, str]:
    scrub = Scrub(yard.database, yard.driver, rate)
    return {blob.digest: blob.verdict async for blob in scrub.run(0, await scrub.last())}


async def test_every_flipped_bit_is_found(yard: Yard, tmp_path: Path) -> None:
    contents = [os.urandom(random.choice([10, 300, 9000])) for _ in range(FLIPS)]
    digests = [Digest.of(content) for content in contents]
    for content in contents:
        await yard.blob(content)
    await yard.collect()  # also the small ones are in the store
    assert set((await verdicts(yard)).values()) == {"good"}
    flipped = random.sample(range(FLIPS), FLIPS // 2)
    for number in flipped:
        path = tmp_path / "store" / blob_key(digests[number])
        rot = bytearray(path.read_bytes())
        rot[random.randrange(len(rot))] ^= 1 << random.randrange(8)
        path.write_bytes(rot)
    found = await verdicts(yard)
    assert {digest for digest, verdict in found.items() if verdict == "rotten"} == {digests[n] for n in flipped}
    assert set(await verdicts(yard)) == {digests[n] for n in range(FLIPS)} - {digests[n] for n in flipped}
    with pytest.raises(BlobUnknown):
        await yard.repository().stat_blob(digests[flipped[0]])
    await yard.blob(contents[flipped[0]])
    await yard.collect()
    assert await yard.state(digests[flipped[0]]) == ("live", 1)
    assert blob_key(digests[flipped[0]]) not in await yard.objects()
    assert (await verdicts(yard))[digests[flipped[0]]] == "good"


async def test_a_lost_object_and_rot_in_a_row(yard: Yard, tmp_path: Path) -> None:
    lost, rotten = (await yard.blob(os.urandom(LARGE)))["digest"], (await yard.blob(b"small"))["digest"]
    (tmp_path / "store" / blob_key(lost)).unlink()
    await yard.do("UPDATE artifact_blob SET content = 'smell' WHERE content IS NOT NULL")
    assert await verdicts(yard) == {lost: "lost", rotten: "rotten"}
    assert await yard.state(rotten) == ("missing", 0)
    await yard.blob(b"small")
    assert await yard.all("SELECT content FROM artifact_blob WHERE digest = $1", rotten) == [b"small"]


async def test_a_store_that_is_away_is_no_rot(yard: Yard) -> None:
    digest = (await yard.blob(os.urandom(LARGE)))["digest"]
    yard.driver = faulty = Faulty(yard.driver)
    faulty.fail("open", Unavailable("not now"))
    assert await verdicts(yard) == {digest: "unreadable"}
    assert await yard.state(digest) == ("live", 0)


async def test_a_fault_on_the_way_is_no_rot(yard: Yard, tmp_path: Path) -> None:
    """The second reading decides."""
    content = os.urandom(LARGE)
    digest = (await yard.blob(content))["digest"]
    path = tmp_path / "store" / blob_key(digest)
    path.write_bytes(content[::-1])

    class Passing(Scrub):
        async def _is(self, *args: object) -> bool:
            path.write_bytes(content)
            return await super()._is(*args)  # type: ignore[arg-type]

    assert [blob.verdict async for blob in Passing(yard.database, yard.driver).run(0, 9)] == ["good"]
    assert await yard.state(digest) == ("live", 0)


async def test_the_rate_is_not_exceeded(yard: Yard) -> None:
    for _ in range(5):
        await yard.blob(os.urandom(LARGE))
    began = time.monotonic()
    await verdicts(yard, rate=LARGE * 10)
    assert time.monotonic() - began >= 0.5  # never less, however fast the machine


async def test_a_round_of_the_schedule_reads_every_blob(yard: Yard, tmp_path: Path) -> None:
    digests = [(await yard.blob(b"%d" % number * 9000))["digest"] for number in range(25)]
    (tmp_path / "store" / blob_key(digests[-1])).write_bytes(b"rot")
    async with yard.database.transaction() as conn:
        await schedule.put(conn, SCRUB, "0 0 3 * * *", {})
    slices = 4
    run = ScrubSlice(yard.database, Scrub(yard.database, yard.driver), slices * HOUR / MARGIN)
    queue = Queue(yard.database, {SCRUB: Kind(run)})
    working = asyncio.create_task(queue.run())
    places = []
    for _ in range(slices):
        async with yard.database.transaction() as conn:
            await conn.execute("UPDATE schedule SET next_run_at = now()")
            assert await schedule.fire(conn) == 1
        while await yard.all("SELECT 1 FROM execution WHERE end_time IS NULL"):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        places += await yard.all("SELECT (payload ->> 'after')::int FROM schedule")
    queue.stop()
    await working
    assert places == [7, 14, 21, 0]
    assert await yard.state(digests[-1]) == ("missing", 0)
    lines = await yard.all("SELECT line FROM task_log WHERE level = 'error'")
    assert [line.split(": ")[1] for line in lines] == ["rotten"]
