"""Tasks: done at least once whatever dies, and never said to be what they are not."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from dataforge_registry.core.oci.errors import ReadOnly
from dataforge_registry.core.records import work
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work import queue as queues
from dataforge_registry.core.work import task as tasks
from dataforge_registry.core.work.queue import Queue, start
from dataforge_registry.core.work.task import Kind, Task, Wanted
from dataforge_registry.core.work.worker import Worker

SILENCE = 1.0


async def order(database: Database, kind: str, count: int = 1, **payload: object) -> int:
    """A new execution of some tasks of one kind; its id."""
    async with database.transaction() as conn:
        return await start(conn, Wanted(kind, [{"n": n} | payload for n in range(count)]))


async def execution(database: Database, number: int) -> asyncpg.Record:
    async with database.acquire() as conn:
        found = await conn.fetchrow("SELECT * FROM execution WHERE id = $1", number)
    assert found is not None
    return found


async def first_task(database: Database) -> asyncpg.Record:
    async with database.acquire() as conn:
        found = await conn.fetchrow("SELECT * FROM task ORDER BY id LIMIT 1")
    assert found is not None
    return found


async def lines(database: Database) -> list[str]:
    async with database.acquire() as conn:
        return [row["line"] for row in await conn.fetch("SELECT line FROM task_log ORDER BY id")]


async def until(database: Database, statement: str) -> None:
    """Wait for a condition in the database; the test's own time limit is what ends a vain wait."""
    async with database.acquire() as conn:
        while not await conn.fetchval(f"SELECT {statement}"):  # noqa: ASYNC110  the event is in the database
            await asyncio.sleep(0.02)


ENDED = "NOT EXISTS (SELECT 1 FROM execution WHERE status IN ('pending', 'running'))"


@asynccontextmanager
async def working(database: Database, kinds: Mapping[str, Kind], silence: float = SILENCE) -> AsyncIterator[Queue]:
    """A queue at work; at the end it is stopped and must return by itself."""
    queue = Queue(database, kinds, silence=silence)
    running = asyncio.create_task(queue.run())
    try:
        yield queue
    finally:
        queue.stop()
        await running


async def nothing(task: Task) -> None:
    """A handler that is content at once."""


@pytest.mark.asyncio
async def test_tasks_are_done_and_the_execution_ends_with_the_last(database: Database) -> None:
    done: list[int] = []

    async def note(task: Task) -> None:
        done.append(task.payload["n"])
        await task.log(f"did {task.payload['n']}")

    number = await order(database, "note", 12)
    assert (await execution(database, number))["status"] == "pending"
    async with working(database, {"note": Kind(note)}):
        await until(database, ENDED)
    assert sorted(done) == list(range(12))
    ended = await execution(database, number)
    assert ended["status"] == "success"
    assert ended["start_time"] <= ended["end_time"]
    assert sorted(await lines(database)) == sorted(f"did {n}" for n in range(12))


@pytest.mark.asyncio
async def test_failures_are_tried_again_and_then_told(database: Database) -> None:
    async def thrice(task: Task) -> None:
        if task.attempt < 3:
            raise ValueError(f"not\nyet {task.attempt}")

    async def never(task: Task) -> None:
        raise ValueError("not at all")

    good, bad = await order(database, "thrice"), await order(database, "never")
    async with working(database, {"thrice": Kind(thrice, 3, 0.01), "never": Kind(never, 2, 0.01)}):
        await until(database, ENDED)
    assert (await execution(database, good))["status"] == "success"
    assert (await execution(database, bad))["status"] == "error"
    async with database.acquire() as conn:
        rows = await conn.fetch("SELECT attempts, status, status_message FROM task ORDER BY id")
    assert [tuple(row) for row in rows] == [(3, "success", ""), (2, "error", "ValueError: not at all")]


@pytest.mark.asyncio
async def test_one_failed_task_makes_the_execution_fail(database: Database) -> None:
    async def odd(task: Task) -> None:
        if task.payload["n"] == 1:
            raise ValueError("one")

    number = await order(database, "odd", 3)
    async with working(database, {"odd": Kind(odd, attempts=1)}):
        await until(database, ENDED)
    assert (await execution(database, number))["status"] == "error"


@pytest.mark.asyncio
async def test_a_killed_workers_task_is_done_by_another(database: Database, database_url: str) -> None:
    """kill -9: no goodbye. Once its silence is over, the task is taken over, as attempt 2."""
    number = await order(database, "mortal")
    program = Path(__file__).with_name("mortal.py")
    victim = await asyncio.create_subprocess_exec(
        sys.executable, program, database_url, str(SILENCE), stdout=asyncio.subprocess.PIPE
    )
    assert victim.stdout is not None
    try:
        assert await victim.stdout.readline() == b"taken\n"
        assert (await execution(database, number))["status"] == "running"
    finally:
        victim.kill()
        await victim.communicate()

    async def finish(task: Task) -> None:
        await task.log(f"attempt {task.attempt}")

    async with working(database, {"mortal": Kind(finish)}):
        await until(database, ENDED)
    assert (await execution(database, number))["status"] == "success"
    assert await lines(database) == ["attempt 1", "attempt 2"]


@pytest.mark.asyncio
async def test_a_task_whose_job_vanished_is_queued_again(database: Database) -> None:
    number = await order(database, "nothing")
    async with database.acquire() as conn:
        await conn.execute("DELETE FROM pgqueuer")
    async with working(database, {"nothing": Kind(nothing)}) as queue:
        assert await queue.revive() == 0  # it is young: its job may be in a transaction that is still open
        async with database.acquire() as conn:
            await conn.execute("UPDATE task SET update_time = now() - interval '1 minute'")
        assert await queue.revive() == 1
        await until(database, ENDED)
    assert (await execution(database, number))["status"] == "success"


@pytest.mark.asyncio
async def test_a_task_has_one_job_at_most(database: Database) -> None:
    await order(database, "nothing")
    async with database.acquire() as conn:
        await conn.execute("UPDATE task SET update_time = now() - interval '1 minute'")
    assert await Queue(database, {"nothing": Kind(nothing)}).revive() == 0
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM pgqueuer") == 1


@pytest.mark.asyncio
async def test_a_stop_reaches_running_and_waiting_tasks(database: Database) -> None:
    cleaned = asyncio.Event()

    async def long(task: Task) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned.set()

    number = await order(database, "long", 4)
    async with working(database, {"long": Kind(long)}, silence=0.3):
        await until(database, "EXISTS (SELECT 1 FROM task WHERE status = 'running')")
        async with database.transaction() as conn:
            assert await work.stop_execution(conn, number) == 4
        await until(database, ENDED)
    assert cleaned.is_set()
    assert (await execution(database, number))["status"] == "stopped"
    waiting = await order(database, "long")
    async with database.transaction() as conn:
        assert await work.stop_execution(conn, waiting) == 1
        assert await work.stop_execution(conn, waiting) == 0
    assert (await execution(database, waiting))["status"] == "stopped"
    async with working(database, {"long": Kind(long)}):
        await until(database, "NOT EXISTS (SELECT 1 FROM pgqueuer)")  # its job finds nothing to do
    assert (await execution(database, waiting))["status"] == "stopped"


@pytest.mark.asyncio
async def test_a_worker_that_stops_gives_its_tasks_back(database: Database) -> None:
    async def long(task: Task) -> None:
        if task.attempt == 1:
            await asyncio.sleep(3600)

    number = await order(database, "long")
    async with working(database, {"long": Kind(long)}):
        await until(database, "EXISTS (SELECT 1 FROM task WHERE status = 'running')")
    row = await first_task(database)
    assert (row["status"], row["status_message"]) == ("pending", "interrupted: the worker stopped")
    async with working(database, {"long": Kind(long)}):
        await until(database, ENDED)
    assert (await execution(database, number))["status"] == "success"


@pytest.mark.asyncio
async def test_a_sleeper_cannot_speak_for_an_attempt_that_is_over(database: Database) -> None:
    """The attempt is the fence: beat, log, release and finish of an old one change nothing."""
    number = await order(database, "nothing")
    task = (await first_task(database))["id"]
    async with database.transaction() as conn:
        old = await work.claim_task(conn, task, SILENCE)
    assert old is not None
    async with database.transaction() as conn:
        with pytest.raises(work.Busy):
            await work.claim_task(conn, task, SILENCE)
    async with database.transaction() as conn:
        await conn.execute("UPDATE task SET update_time = now() - interval '1 minute'")
        new = await work.claim_task(conn, task, SILENCE)
    assert new is not None
    assert (old.attempt, new.attempt) == (1, 2)
    async with database.transaction() as conn:
        assert await work.beat_task(conn, old) is None
        assert await work.beat_task(conn, new) is False
        assert not await work.release_task(conn, old, "")
        assert not await work.finish_task(conn, old, "error")
        await work.insert_line(conn, old, "info", "from the grave")
    assert (await first_task(database))["status"] == "running"
    async with database.transaction() as conn:
        assert await work.finish_task(conn, new, "success")
        assert not await work.finish_task(conn, new, "error")
        assert await work.claim_task(conn, task, SILENCE) is None
    assert (await execution(database, number))["status"] == "success"
    assert await lines(database) == []


@pytest.mark.asyncio
async def test_a_task_that_kills_its_workers_is_given_up(database: Database) -> None:
    number = await order(database, "nothing")
    async with database.acquire() as conn:
        await conn.execute("UPDATE task SET attempts = 6")
    async with working(database, {"nothing": Kind(nothing, attempts=2)}):
        await until(database, ENDED)
    assert (await execution(database, number))["status"] == "error"
    assert (await first_task(database))["status_message"] == "given up: 6 attempts ended without an answer"


@pytest.mark.asyncio
async def test_logs_are_bounded_in_lines_and_length(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "LINES", 3)

    async def chatty(task: Task) -> None:
        for n in range(6):
            await task.log(f"{n}\0" + "x" * 3000)
        if task.attempt == 1:
            raise ValueError("again")

    await order(database, "chatty")
    async with working(database, {"chatty": Kind(chatty, delay=0.01)}):
        await until(database, ENDED)
    kept = await lines(database)
    assert [line[:2] for line in kept] == ["0␀", "1␀", "2␀", "th"]
    assert max(map(len, kept)) == work.LINE_LENGTH


@pytest.mark.asyncio
async def test_kinds_of_a_newer_release_are_left_to_newer_workers(database: Database) -> None:
    known, unknown = await order(database, "nothing"), await order(database, "future")
    async with working(database, {"nothing": Kind(nothing)}):
        await until(database, "EXISTS (SELECT 1 FROM execution WHERE status = 'success')")
    assert (await execution(database, known))["status"] == "success"
    assert (await execution(database, unknown))["status"] == "pending"
    async with working(database, {"future": Kind(nothing)}):
        await until(database, ENDED)


@pytest.mark.asyncio
async def test_old_executions_of_the_system_are_purged(database: Database) -> None:
    for status, days in (("success", 0), ("success", 2), ("error", 2), ("error", 31), ("success", 2)):
        number = await order(database, "own")
        async with database.acquire() as conn:
            await conn.execute(
                "UPDATE execution SET status = $2, end_time = now() - make_interval(days => $3) WHERE id = $1",
                number,
                status,
                days,
            )
    async with database.acquire() as conn:
        await conn.execute("UPDATE execution SET kind = 'theirs' WHERE id = $1", number)
        await conn.execute("UPDATE pgqueuer_log SET created = now() - interval '2 days'")
        assert await work.purge(conn, ["own"]) == 2
        assert await conn.fetchval("SELECT count(*) FROM execution") == 3
        assert await conn.fetchval("SELECT count(*) FROM task") == 3
        assert await conn.fetchval("SELECT count(*) FROM pgqueuer_log") == 0


def test_pauses_double_up_to_five_minutes() -> None:
    kind = Kind(nothing, delay=1.0)
    assert [kind.pause(n) for n in (1, 2, 3, 50)] == [1.0, 2.0, 4.0, 300.0]


@pytest.mark.asyncio
async def test_a_queue_that_loses_its_connections_comes_back(database: Database, database_url: str) -> None:
    cut = await Database.open(database_url, size=4, application="cut")
    worker = Worker(Queue(cut, {"nothing": Kind(nothing)}, silence=SILENCE), [], pause=0.05)
    running = asyncio.create_task(worker.run())
    for _ in range(3):
        number = await order(database, "nothing")
        await until(database, ENDED)
        assert (await execution(database, number))["status"] == "success"
        async with database.acquire() as conn:
            statement = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'cut'"
            assert await conn.fetchval(statement) > 0
    number = await order(database, "nothing")
    await until(database, ENDED)
    worker.stop()
    await running
    await cut.close()


@pytest.mark.asyncio
async def test_what_the_mode_forbids_waits_and_uses_up_no_attempt(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "WAIT", 0.01)
    seen: list[int] = []

    async def refused(task: Task) -> None:
        seen.append(task.attempt)
        if len(seen) < 5:
            raise ReadOnly("for a while")

    await order(database, "odd")
    async with working(database, {"odd": Kind(refused, attempts=1)}):
        await until(database, ENDED)
    assert seen == [1] * 5
    assert (await first_task(database))["status"] == "success"
