"""Addresses of several servers, and finding the primary among real ones."""

import asyncio
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from dataforge_registry.core.oci.errors import Unavailable
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.hosts import each_host

from ..replicas import Node, both, replicated
from .test_database import eventually, one

P = "target_session_attrs=primary"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("postgresql://u:p@h/d?sslmode=require", ["postgresql://u:p@h/d?sslmode=require"]),
        ("postgresql://u:p@a,b:6/d", [f"postgresql://u:p@a/d?{P}", f"postgresql://u:p@b:6/d?{P}"]),
        (
            "postgresql://[::1]:5,[::2]/d?target_session_attrs=any&x=1",
            [
                "postgresql://[::1]:5/d?target_session_attrs=any&x=1",
                "postgresql://[::2]/d?target_session_attrs=any&x=1",
            ],
        ),
        (
            "postgresql://u@/d?host=/a,/b&port=5,6",
            [f"postgresql://u@/d?{P}&host=%2Fa&port=5", f"postgresql://u@/d?{P}&host=%2Fb&port=6"],
        ),
        (
            "postgresql://u@/d?host=a,b&port=5",
            [f"postgresql://u@/d?{P}&host=a&port=5", f"postgresql://u@/d?{P}&host=b&port=5"],
        ),
        ("postgresql://u@/d?host=a,b", [f"postgresql://u@/d?{P}&host=a", f"postgresql://u@/d?{P}&host=b"]),
        ("postgresql://[::1/d", ["postgresql://[::1/d"]),
    ],
)
def test_each_server_has_its_own_address(url: str, found: list[str]) -> None:
    assert each_host(url) == found


@pytest.fixture(scope="module")
def pair(server_directory: Path, postgres_programs: Path | None) -> Iterator[tuple[Node, Node]]:
    folder = Path(tempfile.mkdtemp(dir=server_directory))
    with replicated(folder, postgres_programs, synchronous=False) as nodes:
        yield nodes
    shutil.rmtree(folder)


@pytest_asyncio.fixture(loop_scope="session")
async def database(pair: tuple[Node, Node]) -> AsyncIterator[Database]:
    """Over the standby and the primary, in this order."""
    database = await Database.open(both(*reversed(pair)), size=2, patience=6)
    yield database
    await database.close()


@pytest.mark.asyncio
async def test_a_standby_is_not_taken_for_the_primary(pair: tuple[Node, Node], database: Database) -> None:
    async with database.acquire() as conn:
        assert not await conn.fetchval("SELECT pg_is_in_recovery()")
    async with database.direct() as conn:
        assert not await conn.fetchval("SELECT pg_is_in_recovery()")


@pytest.mark.asyncio
async def test_a_server_that_is_silent_leaves_time_for_the_other(pair: tuple[Node, Node]) -> None:
    with socket.socket() as silent:  # takes connections, as a machine that hangs, and never says a word
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://registry@127.0.0.1:{silent.getsockname()[1]},127.0.0.1:{pair[0].port}/postgres"
        database = await Database.open(url, size=1, patience=2)
        assert await one(database) == 1
        await database.close()


@pytest.mark.asyncio
async def test_a_read_only_primary_answers_reads(pair: tuple[Node, Node], database: Database) -> None:
    admin = await asyncpg.connect(pair[0].url)
    await admin.execute("CREATE TABLE written ()")
    await admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
    try:
        await admin.execute("SELECT pg_reload_conf()")
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        assert await eventually(lambda: one(database)) == 1
        for _ in range(3):
            with pytest.raises(Unavailable):
                await database.run(lambda conn: conn.execute("INSERT INTO written DEFAULT VALUES"))
            assert await one(database) == 1
    finally:
        await admin.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await admin.execute("SELECT pg_reload_conf()")
        await admin.close()

    async def write() -> str:
        return await database.run(lambda conn: conn.execute("INSERT INTO written DEFAULT VALUES"))

    assert await eventually(write) == "INSERT 0 1"


@pytest.mark.asyncio
async def test_whoever_listens_hears_the_new_primary(pair: tuple[Node, Node], database: Database) -> None:
    """Last: the primary does not come back."""
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    task = asyncio.create_task(database.listen("news", heard.put_nowait))
    try:
        assert await heard.get() is None
        await asyncio.to_thread(pair[0].kill)
        with pytest.raises(Unavailable):
            await one(database)
        await asyncio.to_thread(pair[1].promote)
        assert await heard.get() is None
        await eventually(lambda: one(database))
        async with database.acquire() as conn:
            await conn.execute("NOTIFY news, 'one'")
        assert await heard.get() == "one"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
