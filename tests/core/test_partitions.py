"""The months of access_log: made ahead, and filled from DEFAULT without losing a row."""

import asyncio
from datetime import UTC, datetime

import pytest

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.partitions import AHEAD, ensure_partitions

PLACES = "SELECT tableoid::regclass::text AS place, op_time, username FROM access_log ORDER BY op_time, log_id"


async def write(database: Database, when: str, username: str = "me") -> None:
    async with database.acquire() as conn:
        moment = datetime.fromisoformat(when)
        await conn.execute(
            "INSERT INTO access_log (username, operation, op_time) VALUES ($1, 'pull', $2)", username, moment
        )


@pytest.mark.asyncio
async def test_this_month_and_the_next_are_ready(database: Database) -> None:
    made = await ensure_partitions(database)
    assert len(made) == 1 + AHEAD
    assert made[0] == f"access_log_{datetime.now(UTC):%Y_%m}"
    assert await ensure_partitions(database) == []
    async with database.acquire() as conn:
        await conn.execute("INSERT INTO access_log (username, operation) VALUES ('me', 'pull')")
        (row,) = await conn.fetch(PLACES)
    assert row["place"] == made[0]


@pytest.mark.asyncio
async def test_rows_of_default_move_to_their_month(database: Database) -> None:
    times = ["2024-11-30T23:59:59.999999+00:00", "2024-12-01T00:00:00+00:00", "2024-12-31T23:30:00-05:00"]
    for number, when in enumerate(times):
        await write(database, when, f"u{number}")
    async with database.acquire() as conn:
        before = [row["username"] for row in await conn.fetch(PLACES)]
    made = await ensure_partitions(database)
    assert made[:3] == ["access_log_2024_11", "access_log_2024_12", "access_log_2025_01"]
    async with database.acquire() as conn:
        rows = await conn.fetch(PLACES)
        ids = await conn.fetchval("SELECT count(DISTINCT log_id) FROM access_log")
    assert [row["username"] for row in rows] == before
    assert [row["place"] for row in rows] == made[:3]
    assert ids == 3
    await write(database, "2024-12-15T00:00:00+00:00", "later")  # log_id goes on, in the partition too
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(DISTINCT log_id) FROM access_log") == 4
        assert await conn.fetchval("SELECT count(*) FROM access_log_default") == 0


@pytest.mark.asyncio
async def test_several_workers_and_writers_at_once(database: Database) -> None:
    async def writer(n: int) -> None:
        for k in range(20):
            await write(database, datetime.now(UTC).isoformat(), f"{n}.{k}")

    # A writer refused because its partition came while it waited would be a failed push.
    await write(database, datetime.now(UTC).isoformat(), "first")
    results = await asyncio.gather(*(ensure_partitions(database) for _ in range(3)), *(writer(n) for n in range(3)))
    made = [name for result in results[:3] for name in result or []]
    assert len(made) == len(set(made)) == 1 + AHEAD
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM access_log") == 61
        assert await conn.fetchval("SELECT count(*) FROM access_log_default") == 0


@pytest.mark.asyncio
async def test_a_long_writer_puts_it_off(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataforge_registry.core.records.partitions.PATIENCE", "50ms")
    async with database.transaction() as conn:
        await conn.execute("INSERT INTO access_log (username, operation) VALUES ('me', 'pull')")
        assert await ensure_partitions(database) == []
    assert len(await ensure_partitions(database)) == 1 + AHEAD


@pytest.mark.asyncio
async def test_a_month_read_by_time_reads_one_partition(database: Database) -> None:
    await write(database, "2024-12-15T00:00:00+00:00")
    await ensure_partitions(database)
    async with database.acquire() as conn:
        plan = await conn.fetch(
            "EXPLAIN SELECT * FROM access_log WHERE op_time >= '2024-12-01Z' AND op_time < '2025-01-01Z'"
        )
        text = "\n".join(row[0] for row in plan)
        count = "SELECT count(*) FROM pg_indexes WHERE tablename = $1"
        indexes = [await conn.fetchval(count, name) for name in ("access_log_2024_12", "access_log_default")]
    assert "access_log_2024_12" in text
    assert "access_log_default" not in text
    assert indexes[0] == indexes[1] > 3
