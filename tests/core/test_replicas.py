"""Questions answered by a real standby that follows by streaming: how old an answer may be, and whose rights hold."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from dataforge_registry.core.access import ANONYMOUS
from dataforge_registry.core.records import catalog
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.replicas import REPLAYED, WRITTEN
from dataforge_registry.core.records.schema import migrate

from ..replicas import ROLE, Node, replicated

pytestmark = pytest.mark.asyncio
BOUND = 0.6


@pytest.fixture(scope="module")
def pair(server_directory: Path, postgres_programs: Path | None) -> Iterator[tuple[Node, Node]]:
    folder = Path(tempfile.mkdtemp(dir=server_directory))
    with replicated(folder, postgres_programs, synchronous=False) as nodes:
        yield nodes
    shutil.rmtree(folder)


@pytest_asyncio.fixture(loop_scope="session")
async def database(pair: tuple[Node, Node]) -> AsyncIterator[Database]:
    primary, standby = pair
    database = await Database.open(primary.url, size=4, replicas=[standby.url], staleness=BOUND)
    yield database
    await database.close()


async def by_replica(database: Database, behind: bool = True) -> bool:
    """Whether a question is answered by the standby now."""
    ((answered,),) = await database.ask("SELECT pg_is_in_recovery()", patience=10, behind=behind)
    return bool(answered)


async def until(asked: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 60
    while not await asked():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_replicas_of_one_host_are_told_apart_by_their_ports(pair: tuple[Node, Node]) -> None:
    primary, standby = pair
    alive, dead = (f"postgresql://{ROLE}@/postgres?host=127.0.0.1&port={port}" for port in (standby.port, 1))
    both = await Database.open(primary.url, size=4, replicas=[alive, dead], staleness=BOUND)
    await until(lambda: by_replica(both))
    await both.close()


async def paused(standby: Node, now: bool) -> None:
    conn = await asyncpg.connect(standby.url)
    await conn.execute("SELECT pg_wal_replay_pause()" if now else "SELECT pg_wal_replay_resume()")
    await conn.close()


async def test_only_what_may_be_behind_is_asked_of_a_replica(database: Database) -> None:
    await until(lambda: by_replica(database))
    assert not await by_replica(database, behind=False)
    async with database.acquire() as conn:
        assert not await conn.fetchval("SELECT pg_is_in_recovery()")


async def test_no_answer_is_older_than_the_bound(database: Database, pair: tuple[Node, Node]) -> None:
    """Numbers are written all the while, and replaying is held up and let go: an answer knows every number that was
    written longer ago than the bound, whoever gives it."""
    async with database.acquire() as conn:
        await conn.execute("CREATE TABLE written (n int)")
    await until(lambda: by_replica(database))
    written: list[float] = []
    done = asyncio.Event()
    answered = {True: 0, False: 0}

    async def write() -> None:
        while not done.is_set():
            async with database.acquire() as conn:
                await conn.execute("INSERT INTO written VALUES ($1)", len(written))
            written.append(time.monotonic())

    async def read() -> None:
        while not done.is_set():
            known = sum(at < time.monotonic() - BOUND for at in written)
            try:
                ((n, replica),) = await database.ask(
                    "SELECT count(*), pg_is_in_recovery() FROM written", patience=10, behind=True
                )
            except asyncpg.UndefinedTableError:  # the table itself is not there yet
                assert not known
                continue
            answered[replica] += 1
            assert n >= known
            await asyncio.sleep(0.005)

    async def answers(replica: bool) -> None:
        before = answered[replica]

        async def enough() -> bool:
            return answered[replica] > before + 5

        await until(enough)

    async with asyncio.TaskGroup() as group:
        group.create_task(write())
        group.create_task(read())
        for _ in range(2):
            await answers(True)
            await paused(pair[1], True)
            await answers(False)
            await paused(pair[1], False)
        done.set()
    async with database.acquire() as conn:
        await conn.execute("DROP TABLE written")


async def test_an_idle_primary_has_young_replicas(database: Database, pair: tuple[Node, Node]) -> None:
    """Where its log has just begun a file, of which a replica gets nothing until there is a record."""
    replica = await asyncpg.connect(pair[1].url)

    async def reached() -> bool:
        async with database.acquire() as conn:
            written, replayed = await conn.fetchrow(WRITTEN), await replica.fetchrow(REPLAYED)
        return bool(written and replayed and written["place"] <= replayed["place"])

    async with database.acquire() as conn:
        for _ in range(5):
            await conn.execute("SELECT pg_switch_wal()")
            before = await conn.fetchval("SELECT pg_current_wal_insert_lsn()")
            await until(reached)
            if before == await conn.fetchval("SELECT pg_current_wal_insert_lsn()"):
                break
        else:
            pytest.fail("only a further record, of the background writer's, made it look caught up")
    await replica.close()


async def test_rights_are_those_of_now(pair: tuple[Node, Node]) -> None:
    """A replica that stands still answers a question for a minute more; the right to ask it ends at once."""
    primary, standby = pair
    database = await Database.open(primary.url, size=2, replicas=[standby.url], staleness=60)
    await migrate(database)
    async with database.acquire() as conn:
        project = await conn.fetchval("INSERT INTO project (name) VALUES ('p') RETURNING project_id")
        await conn.execute('UPDATE project SET metadata = \'{"public": "true"}\'')
    question = "SELECT pg_is_in_recovery() AS replica WHERE $1::bigint[] IS NOT NULL"
    asker = catalog.Asker(ANONYMOUS, "p")

    async def ask() -> list[bool]:
        return [row["replica"] for row in await catalog.ask(database, asker, question, [], behind=True)]

    async def answered() -> bool:
        return await ask() == [True]

    try:
        await until(answered)
        await paused(standby, True)
        async with database.acquire() as conn:
            await conn.execute("UPDATE project SET metadata = '{}' WHERE project_id = $1", project)
        assert await ask() == []
        assert await by_replica(database)
    finally:
        await paused(standby, False)
        await database.close()


async def test_a_replica_that_dies_costs_no_answer(database: Database, pair: tuple[Node, Node]) -> None:
    await until(lambda: by_replica(database))
    done = asyncio.Event()

    async def keep_asking() -> None:
        while not done.is_set():
            await by_replica(database)

    async def primary_only() -> bool:
        return not await by_replica(database)

    asking = [asyncio.create_task(keep_asking()) for _ in range(3)]
    await asyncio.to_thread(pair[1].kill)
    await until(primary_only)
    await asyncio.to_thread(pair[1].start)
    await until(lambda: by_replica(database))
    done.set()
    await asyncio.gather(*asking)
