"""The relay: every event becomes work once, in order, whatever transactions are open meanwhile."""

import asyncio
import json
from collections.abc import Iterable, Sequence

import pytest

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.events import RELAY_LOCK, Event
from dataforge_registry.core.work.manifests import BATCH, COPY, copies
from dataforge_registry.core.work.relay import LONGEST, QUIET, Relay, relay
from dataforge_registry.core.work.task import Wanted

INSERT = "INSERT INTO event (kind, artifact_id, payload) VALUES ('seen', $1, '{}')"


def note(events: Sequence[Event]) -> Iterable[Wanted]:
    """One task for all events of a batch."""
    yield Wanted("noted", [{"ids": [event.artifact_id for event in events]}], trigger="event")


async def noted(database: Database) -> list[int]:
    async with database.acquire() as conn:
        rows = await conn.fetch("SELECT payload FROM task WHERE kind = 'noted' ORDER BY id")
    return [number for row in rows for number in json.loads(row["payload"])["ids"]]


@pytest.mark.asyncio
async def test_an_open_transaction_holds_back_what_came_after_it(database: Database) -> None:
    async with database.acquire() as slow:
        early = slow.transaction()
        await early.start()
        await slow.execute(INSERT, 1)
        async with database.acquire() as conn:
            await conn.execute(INSERT, 2)  # committed, but younger than one that is still running
        assert await relay(database, {"seen": note}) == 0
        await early.commit()
    assert await relay(database, {"seen": note}) == 2
    assert await noted(database) == [1, 2]


@pytest.mark.asyncio
async def test_none_is_skipped_or_told_twice_while_writers_and_relays_race(database: Database) -> None:
    async def write(base: int) -> None:
        for number in range(base, base + 20):
            async with database.transaction() as conn:
                await conn.execute(INSERT, number)
                await asyncio.sleep(0.001 * (number % 3))

    async def take(writers: "asyncio.Future[object]") -> None:
        while not writers.done():
            await relay(database, {"seen": note}, 7)
            await asyncio.sleep(0)

    writers = asyncio.gather(*(write(1000 * n) for n in range(4)))
    await asyncio.gather(writers, take(writers), take(writers))
    while await relay(database, {"seen": note}):
        pass
    told = await noted(database)
    assert sorted(told) == sorted(1000 * n + k for n in range(4) for k in range(20))
    for n in range(4):  # a writer's later events never overtake its earlier ones
        mine = [number for number in told if number // 1000 == n]
        assert mine == sorted(mine)


@pytest.mark.asyncio
async def test_events_and_their_jobs_are_one_transaction(database: Database) -> None:
    async with database.acquire() as conn:
        await conn.execute(INSERT, 1)

    def broken(events: Sequence[Event]) -> Iterable[Wanted]:
        yield from note(events)
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        await relay(database, {"seen": broken})
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM event") == 1
        assert await conn.fetchval("SELECT count(*) FROM task") == 0
        assert await conn.fetchval("SELECT count(*) FROM pgqueuer") == 0
    assert await relay(database, {"seen": note}) == 1
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM event") == 0
        job = await conn.fetchrow("SELECT entrypoint, payload, dedupe_key FROM pgqueuer")
        task = await conn.fetchval("SELECT id FROM task")
    assert job is not None
    assert (job["entrypoint"], job["payload"], job["dedupe_key"]) == ("noted", str(task).encode(), f"task:{task}")


@pytest.mark.asyncio
async def test_one_relay_at_a_time(database: Database) -> None:
    async with database.transaction() as other:
        await other.execute("SELECT pg_advisory_xact_lock($1)", RELAY_LOCK)
        async with database.acquire() as conn:
            await conn.execute(INSERT, 1)
        assert await relay(database, {"seen": note}) == 0
    assert await relay(database, {"seen": note}) == 1


@pytest.mark.asyncio
async def test_an_event_nobody_waits_for_goes(database: Database) -> None:
    async with database.acquire() as conn:
        await conn.execute("INSERT INTO event (kind) VALUES ('project.created')")
    assert await relay(database, {"seen": note}) == 1
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM task)") == 0


def test_pushed_artifacts_are_copied_in_batches() -> None:
    def event(artifact: int | None) -> Event:
        return Event(1, "artifact.pushed", 1, 1, artifact, "", {}, None)  # type: ignore[arg-type]

    assert list(copies([event(None)])) == []
    (wanted,) = copies([event(n) for n in (*range(BATCH + 1, 0, -1), 1)])
    assert wanted.kind == COPY
    assert [len(payload["artifacts"]) for payload in wanted.payloads] == [BATCH, 1]
    assert sorted(n for payload in wanted.payloads for n in payload["artifacts"]) == list(range(1, BATCH + 2))


@pytest.mark.asyncio
async def test_events_gather_while_they_come_and_for_no_longer_than_they_may(database: Database) -> None:
    step = Relay(database, {"seen": note}).step

    async def passes(condition: str, seconds: float) -> None:
        async with database.acquire() as conn:
            shift = "UPDATE event SET op_time = op_time - make_interval(secs => $1) WHERE "
            await conn.execute(shift + condition, seconds)

    async def happens(number: int) -> None:
        async with database.acquire() as conn:
            await conn.execute(INSERT, number)
        await passes(f"artifact_id = {number}", -3600)

    assert await step() == 0
    await happens(1)
    await happens(2)
    assert await step() == 0, "more may come"
    await passes("true", 3600 + QUIET.total_seconds())
    assert await step() == 2
    await happens(3)
    await happens(4)
    await passes("artifact_id = 3", 3600 + LONGEST.total_seconds())
    assert await step() == 2, "the first of them has waited long enough"
    assert await noted(database) == [1, 2, 3, 4]
