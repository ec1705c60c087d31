"""Small blobs on their way to the store, and objects on their way out: the protocol's interleavings, step by step."""

import asyncio
import logging
from typing import Any

import pytest

from dataforge_registry.core.oci.digest import Digest, blob_key
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.deletions import Deletions
from dataforge_registry.core.work.mover import BATCH, Mover
from dataforge_registry.drivers.base import Driver, NoSpace, NotFound
from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.drivers.wrap import Faulty

CONTENT = b"a small blob"
DIGEST = Digest.of(CONTENT)
both_stores = pytest.mark.parametrize("driver", ["memory", "filesystem"], indirect=True)


async def content_of(driver: Driver, key: str) -> bytes:
    return b"".join([piece async for piece in await driver.open(key)])


async def row(database: Database, blob: int) -> tuple[str, int, bytes | None]:
    async with database.acquire() as conn:
        found = await conn.fetchrow("SELECT state, generation, content FROM artifact_blob WHERE id = $1", blob)
    assert found is not None
    return found["state"], found["generation"], found["content"]


async def alter(database: Database, statement: str, *args: object) -> None:
    async with database.acquire() as conn:
        await conn.execute(statement, *args)


async def queued(database: Database) -> list[int]:
    """Generations of DIGEST that are to be deleted."""
    async with database.acquire() as conn:
        return [each["generation"] for each in await conn.fetch("SELECT generation FROM gc_delete ORDER BY id")]


@pytest.mark.asyncio
@both_stores
@pytest.mark.parametrize("state", ["live", "condemned"])
async def test_bytes_reach_their_key_and_leave_the_row(
    home: Any, driver: Driver, database: Database, state: str
) -> None:
    blob = await home.blob(CONTENT)
    await alter(database, "UPDATE artifact_blob SET state = $1", state)
    assert await Mover(database, driver).step() == 1
    assert await content_of(driver, blob_key(DIGEST)) == CONTENT
    assert await row(database, blob) == (state, 0, None)
    assert await Mover(database, driver).step() == 0
    assert await queued(database) == []


@pytest.mark.asyncio
async def test_many_blobs_and_several_movers(home: Any, driver: Driver, database: Database) -> None:
    contents = [b"blob %d" % n for n in range(BATCH + 20)]
    for content in contents:
        await home.blob(content)
    movers = [Mover(database, driver) for _ in range(3)]
    for _ in range(3):
        await asyncio.gather(*(mover.step() for mover in movers))
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM artifact_blob WHERE content IS NOT NULL") == 0
    for content in contents:
        assert await content_of(driver, blob_key(Digest.of(content))) == content
    assert await queued(database) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("state", ["pending", "missing", "gone"])
async def test_other_states_are_left_alone(home: Any, driver: Driver, database: Database, state: str) -> None:
    await home.blob(CONTENT)
    await alter(database, "UPDATE artifact_blob SET state = $1", state)
    assert await Mover(database, driver).step() == 0
    with pytest.raises(NotFound):
        await driver.stat(blob_key(DIGEST))


@pytest.mark.asyncio
async def test_swept_between_put_and_clear(home: Any, driver: Driver, database: Database) -> None:
    """gc took the blob away while the mover slept: its object is handed back, and the delete worker removes it."""
    blob = await home.blob(CONTENT)
    mover = Mover(database, driver)
    stored = await mover.put(await mover.read())
    await alter(database, "UPDATE artifact_blob SET state = 'gone', content = NULL")
    assert await mover.clear(stored) == 0
    assert await queued(database) == [0]
    assert await Deletions(database, driver).step() == 1
    assert await queued(database) == []
    with pytest.raises(NotFound):
        await driver.stat(blob_key(DIGEST))
    assert (await row(database, blob))[:2] == ("gone", 0)


@pytest.mark.asyncio
@both_stores
async def test_swept_and_pushed_again_between_put_and_clear(home: Any, driver: Driver, database: Database) -> None:
    """The row is of the next generation: the new bytes stay in it, the old object goes, the new one comes."""
    blob = await home.blob(CONTENT)
    slow = Mover(database, driver)
    stored = await slow.put(await slow.read())
    await alter(database, "UPDATE artifact_blob SET state = 'gone', content = NULL")
    await home.blob(CONTENT)
    assert await row(database, blob) == ("live", 1, CONTENT)
    assert await slow.clear(stored) == 0
    assert await row(database, blob) == ("live", 1, CONTENT)
    assert await queued(database) == [0]
    assert await Mover(database, driver).step() == 1
    await Deletions(database, driver).step()
    assert await content_of(driver, blob_key(DIGEST, 1)) == CONTENT
    with pytest.raises(NotFound):
        await driver.stat(blob_key(DIGEST))


@pytest.mark.asyncio
async def test_row_and_tombstone_gone_between_put_and_clear(home: Any, driver: Driver, database: Database) -> None:
    """Nothing remembers the generation: a tombstone is made, so that the next push takes another key."""
    await home.blob(CONTENT)
    mover = Mover(database, driver)
    stored = await mover.put(await mover.read())
    await alter(database, "DELETE FROM repository_blob")
    await alter(database, "DELETE FROM project_blob")
    await alter(database, "DELETE FROM artifact_blob")
    assert await mover.clear(stored) == 0
    assert await queued(database) == [0]
    assert await row(database, await home.blob(CONTENT)) == ("live", 1, CONTENT)


@pytest.mark.asyncio
@pytest.mark.parametrize("state", ["pending", "missing"])
async def test_a_row_of_the_same_generation_still_means_the_key(
    home: Any, driver: Driver, database: Database, state: str
) -> None:
    blob = await home.blob(CONTENT)
    mover = Mover(database, driver)
    stored = await mover.put(await mover.read())
    await alter(database, "UPDATE artifact_blob SET state = $1", state)
    assert await mover.clear(stored) == 0
    assert await queued(database) == []
    assert await row(database, blob) == (state, 0, CONTENT)


@pytest.mark.asyncio
async def test_a_mover_waits_for_who_holds_the_row(home: Any, driver: Driver, database: Database) -> None:
    """What the other transaction does decides, not what was true when the mover asked."""
    await home.blob(CONTENT)
    mover = Mover(database, driver)
    stored = await mover.put(await mover.read())
    async with database.transaction() as gc:
        await gc.execute("UPDATE artifact_blob SET state = 'gone', content = NULL")
        clearing = asyncio.create_task(mover.clear(stored))
        async with database.acquire() as conn:
            while not await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert await clearing == 0
    assert await queued(database) == [0]


@pytest.mark.asyncio
async def test_bytes_that_are_not_the_digests_are_never_stored(
    home: Any, driver: Driver, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    blob = await home.blob(CONTENT)
    await alter(database, "UPDATE artifact_blob SET content = 'rot'::bytea")
    mover = Mover(database, driver)
    with caplog.at_level(logging.ERROR):
        assert await mover.step() == 0
        assert await mover.step() == 0
    assert len(caplog.records) == 1  # once, not each half second
    assert await row(database, blob) == ("live", 0, b"rot")
    with pytest.raises(NotFound):
        await driver.stat(blob_key(DIGEST))


@pytest.mark.asyncio
async def test_a_store_that_refuses_keeps_the_bytes_in_the_row(home: Any, database: Database) -> None:
    await home.blob(CONTENT)
    await home.blob(b"another")
    driver = Faulty(MemoryDriver())
    mover = Mover(database, driver)
    driver.fail("put_many", NoSpace("full"))
    driver.fail("put", NoSpace("full"))
    assert await mover.step() == 1  # the other one got through
    driver.fail("put_many", NoSpace("full"))
    driver.fail("put", NoSpace("full"))
    with pytest.raises(NoSpace):
        await mover.step()
    assert await mover.step() == 1
    assert await mover.step() == 0


@pytest.mark.asyncio
async def test_deletions_are_requests_of_their_own(driver: Driver, database: Database) -> None:
    """Two requests for one key: each is done and removed by whoever took it, and taken by nobody else meanwhile."""
    async with database.acquire() as conn:
        await conn.execute("INSERT INTO gc_delete (digest, generation) VALUES ($1, 3), ($1, 3)", DIGEST)
    first, second = Deletions(database, driver), Deletions(database, driver)
    taken = await first.take()
    assert [deletion.key for deletion in taken] == [blob_key(DIGEST, 3)] * 2
    assert await second.step() == 0
    await first.remove(taken[:1])
    assert await queued(database) == [3]
    await alter(database, "UPDATE gc_delete SET next_try = now()")  # the first worker died
    assert await second.step() == 1
    assert await queued(database) == []


@pytest.mark.asyncio
async def test_an_object_that_cannot_be_deleted_does_not_keep_the_others(database: Database) -> None:
    store = MemoryDriver()
    driver = Faulty(store)
    async with database.acquire() as conn:
        await conn.execute("INSERT INTO setting (name, value) VALUES ('adopted_trees', '\"ours\"')")
        await conn.execute("INSERT INTO gc_delete (digest, generation, key) VALUES ($1, 0, 'adopted/one')", DIGEST)
        await conn.execute("INSERT INTO gc_delete (digest, generation) VALUES ($1, 1)", DIGEST)
    driver.fail("delete_many", NoSpace("odd"))
    driver.fail("delete", NoSpace("odd"))
    assert await Deletions(database, driver).step() == 1
    async with database.acquire() as conn:
        (left,) = await conn.fetch("SELECT attempts, next_try > now() + interval '50 s' AS later FROM gc_delete")
    assert (left["attempts"], left["later"]) == (1, True)
