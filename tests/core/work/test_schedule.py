"""Schedules: six fields, fired once whatever the number of workers, missed times collapsed into one."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.schedule import BadCron, Clock, fire, next_time

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "then"),
    [
        ("0 0 3 * * *", "2026-03-02T03:00:00+00:00"),
        ("30 * * * * *", "2026-03-01T12:00:30+00:00"),
        ("*/15 * * * * *", "2026-03-01T12:00:15+00:00"),
        ("0 0 0 29 2 *", "2028-02-29T00:00:00+00:00"),
        ("0 30 8 * * MON", "2026-03-02T08:30:00+00:00"),
    ],
)
def test_the_next_time_is_after_now_and_in_utc(cron: str, then: str) -> None:
    assert next_time(cron, NOON).isoformat() == then
    assert next_time(cron, NOON.astimezone()).isoformat() == then


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("* * * * *", "six fields"),
        ("@daily", "six fields"),
        ("0 0 3 * * * 2030", "six fields"),
        ("61 * * * * *", "61"),
        ("0 0 0 31 2 *", "no such day"),
        ("a b c d e f", "cron 'a b c d e f'"),
    ],
)
def test_a_bad_expression_says_what_is_wrong(cron: str, says: str) -> None:
    with pytest.raises(BadCron, match=says) as caught:
        next_time(cron, NOON)
    assert "\n" not in str(caught.value)


@given(st.text(alphabet="0123456789*/-,?LW#ab \0é", max_size=30))
def test_any_text_is_a_time_or_a_refusal(text: str) -> None:
    try:
        found = next_time(text, NOON)
    except BadCron:
        return
    assert found > NOON


async def add(database: Database, kind: str, cron: str, late: timedelta) -> None:
    async with database.acquire() as conn:
        await conn.execute(
            "INSERT INTO schedule (kind, policy_id, cron, next_run_at, payload)"
            " VALUES ($1, 7, $2, now() - $3::interval, $4)",
            kind,
            cron,
            late,
            json.dumps({"a": 1}),
        )


@pytest.mark.asyncio
async def test_many_workers_fire_a_schedule_once(database: Database) -> None:
    for n in range(5):
        await add(database, f"kind{n}", "0 0 3 * * *", timedelta(days=3))  # three missed times are one
    clocks = [Clock(database, {}) for _ in range(6)]
    fired = await asyncio.gather(*(clock.step() for clock in clocks))
    assert sum(fired) == 5
    assert [await clock.step() for clock in clocks] == [0] * 6
    async with database.acquire() as conn:
        executions = await conn.fetch("SELECT kind, policy_id, trigger FROM execution ORDER BY kind")
        rows = await conn.fetch("SELECT last_run_at <= now() AS ran, next_run_at > now() AS ahead FROM schedule")
        payloads = await conn.fetch("SELECT payload FROM task")
        jobs = await conn.fetchval("SELECT count(*) FROM pgqueuer")
    assert [tuple(row) for row in executions] == [(f"kind{n}", 7, "schedule") for n in range(5)]
    assert all(row["ran"] and row["ahead"] for row in rows)
    assert [json.loads(row["payload"]) for row in payloads] == [{"a": 1}] * 5
    assert jobs == 5


@pytest.mark.asyncio
async def test_a_schedule_in_another_workers_hands_is_passed_over(database: Database) -> None:
    await add(database, "kind", "0 0 3 * * *", timedelta(seconds=1))
    async with database.transaction() as one:
        assert await fire(one) == 1
        async with database.transaction() as other:
            assert await fire(other) == 0
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM execution") == 1


@pytest.mark.asyncio
async def test_a_crash_while_firing_fires_again(database: Database) -> None:
    await add(database, "kind", "0 0 3 * * *", timedelta(seconds=1))
    with pytest.raises(RuntimeError):
        async with database.transaction() as conn:
            await fire(conn)
            raise RuntimeError("killed before the commit")
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM execution") == 0
    assert await Clock(database, {}).step() == 1


@pytest.mark.asyncio
async def test_a_schedule_that_cannot_be_read_is_switched_off(database: Database) -> None:
    await add(database, "bad", "0 0 0 31 2 *", timedelta(seconds=1))
    await add(database, "good", "0 0 3 * * *", timedelta(seconds=1))
    await Clock(database, {}).step()
    async with database.acquire() as conn:
        rows = await conn.fetch("SELECT kind, enabled FROM schedule ORDER BY kind")
        kinds = await conn.fetch("SELECT kind FROM execution")
    assert [tuple(row) for row in rows] == [("bad", False), ("good", True)]
    assert [row["kind"] for row in kinds] == ["good"]


@pytest.mark.asyncio
async def test_own_schedules_are_made_once_and_may_be_changed(database: Database) -> None:
    assert await Clock(database, {"own": "0 0 3 * * *"}).step() == 1  # due at once
    async with database.acquire() as conn:
        await conn.execute("UPDATE schedule SET cron = '0 0 4 * * *'")
    assert await Clock(database, {"own": "0 0 3 * * *"}).step() == 0
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT string_agg(cron, ',') FROM schedule") == "0 0 4 * * *"
    with pytest.raises(BadCron):
        Clock(database, {"own": "daily"})
