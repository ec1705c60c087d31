"""A schedule and three workers, each a process: it fires once, and who took its work may be killed in the middle."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from dataforge_registry.core.records.database import Database

SILENCE = 1.0
WORKERS = 3


async def first_to_say(workers: list[Process]) -> Process:
    """Whoever took the task."""
    said = {asyncio.create_task(worker.stdout.readline()): worker for worker in workers if worker.stdout}
    done, rest = await asyncio.wait(said, return_when=asyncio.FIRST_COMPLETED)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    assert [task.result() for task in done] == [b"taken\n"]
    return said[done.pop()]


@pytest.mark.asyncio
async def test_a_schedule_fires_once_and_survives_who_took_it(database: Database, database_url: str) -> None:
    program = Path(__file__).with_name("ticking.py")
    workers = [
        await asyncio.create_subprocess_exec(sys.executable, program, database_url, str(SILENCE), stdout=PIPE)
        for _ in range(WORKERS)
    ]
    try:
        async with database.acquire() as conn:
            await conn.execute(
                "INSERT INTO schedule (kind, policy_id, cron, next_run_at, payload)"
                " VALUES ('tick', 7, '0 0 3 1 1 *', now(), $1)",
                json.dumps({"a": 1}),
            )
        victim = await first_to_say(workers)
        victim.kill()
        await victim.wait()
        heir = await first_to_say([worker for worker in workers if worker is not victim])
        assert heir is not victim
        while True:
            async with database.acquire() as conn:
                states = await conn.fetch("SELECT status FROM execution")
                tasks = await conn.fetch("SELECT status, payload FROM task")
                said = await conn.fetch("SELECT line FROM task_log ORDER BY 1")
                ahead = await conn.fetchval("SELECT next_run_at > now() AND last_run_at <= now() FROM schedule")
            if [tuple(row) for row in states] != [("running",)]:
                break
            await asyncio.sleep(0.05)
        assert [tuple(row) for row in states] == [("success",)]
        assert [(row["status"], json.loads(row["payload"])) for row in tasks] == [("success", {"a": 1})]
        assert [row["line"] for row in said] == ["attempt 1", "attempt 2"] and ahead
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
            await worker.communicate()
