"""The pool: what a caller sees while PostgreSQL is gone, and that nothing of ours must restart when it is back."""

import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import asyncpg
import pytest
import pytest_asyncio

from dataforge_registry.core.oci.errors import Unavailable
from dataforge_registry.core.records.database import Connection, Database
from dataforge_registry.core.records.embedded import PrivatePostgres

T = TypeVar("T")


@pytest.fixture(scope="module")
def own_server(server_directory: Path, postgres_programs: Path | None) -> Iterator[PrivatePostgres]:
    """A server these tests may kill."""
    directory = Path(tempfile.mkdtemp(dir=server_directory))
    if os.geteuid() == 0:
        os.chown(directory, 65534, 65534)
    settings = {"shared_buffers": "16MB", "max_connections": "20"}
    with PrivatePostgres.start(directory, settings=settings, programs=postgres_programs) as server:
        yield server
    shutil.rmtree(directory)


@pytest_asyncio.fixture(loop_scope="session")
async def on_own_server(own_server: PrivatePostgres) -> AsyncIterator[Database]:
    database = await eventually(lambda: Database.open(own_server.dsn, size=4))
    yield database
    await database.close()


async def eventually(ask: Callable[[], Awaitable[T]]) -> T:
    """What `ask` answers once it is not Unavailable; after a minute its error."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return await ask()
        except Unavailable as error:
            assert error.headers == {"Retry-After": "5"}
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(0.05)


async def one(database: Database) -> object:
    async with database.acquire() as conn:
        return await conn.fetchval("SELECT 1")


@pytest.mark.asyncio
async def test_a_transaction_commits_or_leaves_nothing(database: Database) -> None:
    async with database.transaction() as conn:
        await conn.execute("CREATE TABLE t (n int)")
        assert await conn.fetchval("SELECT current_setting('transaction_isolation')") == "read committed"
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as conn:
            await conn.execute("INSERT INTO t VALUES (1)")
            raise ZeroDivisionError
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM t") == 0


@pytest.mark.asyncio
async def test_read_committed_whatever_the_server_says(database: Database, database_url: str) -> None:
    async with database.acquire() as conn:
        name = await conn.fetchval("SELECT current_database()")
        await conn.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    second = await Database.open(database_url, size=1)
    async with second.transaction() as conn:
        assert await conn.fetchval("SELECT current_setting('transaction_isolation')") == "read committed"
    await second.close()


@pytest.mark.asyncio
async def test_our_own_mistakes_keep_their_names(database: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        async with database.acquire() as conn:
            await conn.fetch("SELECT * FROM no_such_table")
    with pytest.raises(asyncpg.UniqueViolationError):
        async with database.transaction() as conn:
            await conn.execute("CREATE TABLE t (n int UNIQUE); INSERT INTO t VALUES (1), (1)")
    assert await one(database) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("pooler", [False, True])
async def test_limits_hold_in_a_transaction(database_url: str, pooler: bool) -> None:
    database = await Database.open(
        database_url, size=1, pooler=pooler, statement_timeout=0.2, idle_in_transaction=0.3, application="x"
    )
    async with database.transaction() as conn:
        assert await conn.fetchval("SELECT current_setting('idle_in_transaction_session_timeout')") == "300ms"
        assert await conn.fetchval("SELECT current_setting('application_name')") == "x"
    with pytest.raises(Unavailable):
        async with database.transaction() as conn:
            await conn.execute("SELECT pg_sleep(30)")
    with pytest.raises(Unavailable):
        async with database.transaction() as conn:
            await asyncio.sleep(1)
            await conn.execute("SELECT 1")
    assert await one(database) == 1
    await database.close()


@pytest.mark.asyncio
async def test_waiting_for_a_connection_ends(database_url: str) -> None:
    database = await Database.open(database_url, size=1, patience=0.2)
    async with database.acquire():
        with pytest.raises(Unavailable):
            await one(database)
    assert await one(database) == 1
    await database.close()


@pytest.mark.asyncio
async def test_a_deadlock_is_run_again_and_both_succeed(database: Database) -> None:
    async with database.acquire() as conn:
        await conn.execute("CREATE TABLE t (id int, n int); INSERT INTO t VALUES (1, 0), (2, 0)")
    both_hold_one = asyncio.Barrier(2)
    attempts = 0

    def crossed(first: int, second: int) -> Callable[[Connection], Awaitable[None]]:
        waited = False

        async def work(conn: Connection) -> None:
            nonlocal attempts, waited
            attempts += 1
            await conn.execute("UPDATE t SET n = n + 1 WHERE id = $1", first)
            if not waited:
                waited = True
                await both_hold_one.wait()
            await conn.execute("UPDATE t SET n = n + 1 WHERE id = $1", second)

        return work

    await asyncio.gather(database.run(crossed(1, 2)), database.run(crossed(2, 1)))
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT array_agg(n) FROM t") == [2, 2]
    assert attempts == 3


@pytest.mark.asyncio
async def test_running_again_has_an_end(database: Database) -> None:
    attempts = 0

    async def work(conn: Connection) -> None:
        nonlocal attempts
        attempts += 1
        await conn.execute("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    with pytest.raises(Unavailable):
        await database.run(work)
    assert attempts == 4


@pytest.mark.asyncio
async def test_a_plan_made_stale_by_a_migration_is_run_again(database: Database) -> None:
    async with database.acquire() as conn:
        await conn.execute("CREATE TABLE t AS SELECT 1 AS n")

    async def work(conn: Connection) -> object:
        return dict((await conn.fetch("SELECT * FROM t"))[0])

    assert await database.run(work) == {"n": 1}
    async with database.direct() as conn:
        await conn.execute("ALTER TABLE t ALTER n TYPE text")
    assert await database.run(work) == {"n": "1"}


@pytest.mark.asyncio
async def test_postgres_killed_is_unavailable_then_heals(own_server: PrivatePostgres, on_own_server: Database) -> None:
    """Four callers keep asking while the server is killed twice: each sees answers or Unavailable, nothing else."""
    answers = 0
    refused, done = asyncio.Event(), asyncio.Event()

    async def keep_asking() -> None:
        nonlocal answers
        while not done.is_set():
            try:
                async with on_own_server.transaction() as conn:
                    await conn.fetchval("SELECT pg_sleep(0.005)")
                answers += 1
            except Unavailable as error:
                assert error.headers == {"Retry-After": "5"}
                refused.set()
                await asyncio.sleep(0.01)

    callers = [asyncio.create_task(keep_asking()) for _ in range(4)]
    for _ in range(2):
        await eventually(lambda: one(on_own_server))
        refused.clear()
        assert own_server.pid is not None
        os.kill(own_server.pid, signal.SIGKILL)
        await refused.wait()
    assert await eventually(lambda: one(on_own_server)) == 1
    done.set()
    await asyncio.gather(*callers)
    assert answers


@pytest.mark.asyncio
async def test_a_backend_killed_in_a_transaction_is_unavailable(
    own_server: PrivatePostgres, on_own_server: Database
) -> None:
    with pytest.raises(Unavailable):
        async with on_own_server.transaction() as conn:
            os.kill(await conn.fetchval("SELECT pg_backend_pid()"), signal.SIGTERM)
            await conn.execute("SELECT pg_sleep(30)")
    assert await eventually(lambda: one(on_own_server)) == 1


@pytest.mark.asyncio
async def test_a_pool_leaves_a_server_that_is_read_only(own_server: PrivatePostgres) -> None:
    """As after a failover: sessions are stuck with the old standby until they are replaced."""
    admin = await asyncpg.connect(own_server.dsn)
    await admin.execute("CREATE TABLE written ()")
    await admin.execute("ALTER ROLE registry SET default_transaction_read_only = on")
    database = await Database.open(own_server.dsn, size=1)
    await admin.execute("ALTER ROLE registry RESET default_transaction_read_only")
    await admin.close()
    assert await one(database) == 1
    with pytest.raises(Unavailable):
        await database.run(lambda conn: conn.execute("INSERT INTO written DEFAULT VALUES"))
    await database.run(lambda conn: conn.execute("INSERT INTO written DEFAULT VALUES"))
    await database.close()


@pytest.mark.asyncio
async def test_too_many_connections_is_unavailable(own_server: PrivatePostgres, on_own_server: Database) -> None:
    taken = []
    try:
        with pytest.raises(asyncpg.TooManyConnectionsError):
            while True:
                taken.append(await asyncpg.connect(own_server.dsn))
        with pytest.raises(Unavailable, match="too many"):
            await Database.open(own_server.dsn)
    finally:
        for conn in taken:
            await conn.close()
    assert await eventually(lambda: one(on_own_server)) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://me:geheim@127.0.0.1:1/x", "127.0.0.1:1/x"),
        ("postgresql://me:geheim@/x?host=/no/such/folder&password=geheim", "/no/such/folder"),
        ("postgresql://me:geheim@/x?host=127.0.0.1&port=1", "127.0.0.1:1/x"),
        ("mysql://me:geheim@127.0.0.1/x", "invalid DSN"),
    ],
)
async def test_a_server_that_is_not_there_is_one_line_without_password(url: str, reason: str) -> None:
    with pytest.raises(Unavailable, match=f"cannot use PostgreSQL at .*{reason}") as raised:
        await Database.open(url, patience=5)
    assert "geheim" not in raised.value.message and "\n" not in raised.value.message


@pytest.mark.asyncio
async def test_a_listener_hears_and_survives_a_lost_connection(database: Database) -> None:
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    task = asyncio.create_task(database.listen("news", heard.put_nowait, ping=0.1))
    try:
        assert await heard.get() is None
        async with database.acquire() as conn:
            await conn.execute("NOTIFY news, 'one'")
            assert await heard.get() == "one"
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert await heard.get() is None
            await conn.execute("NOTIFY news, 'two'")
            assert await heard.get() == "two"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
