"""Executions, their tasks and the schedules that start them. These rows are the truth; the queue only delivers.

A task's `attempts` is also its fence: whoever claimed attempt N may beat, log and finish attempt N alone, so a worker
that slept through its time cannot overwrite what another has done since. Locks: execution, then task.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from .database import Connection

End = Literal["success", "error", "stopped"]

LINE_LENGTH: Final = 2000
"""Characters kept of one line of a task's log, and of its status message."""

VANISHED_BATCH: Final = 1000

INSERT_EXECUTION = """
INSERT INTO execution (kind, policy_id, trigger, username) VALUES ($1, $2, $3, $4) RETURNING id
"""
INSERT_TASKS = """
INSERT INTO task (execution_id, kind, payload)
SELECT $1, $2, p.payload FROM unnest($3::jsonb[]) WITH ORDINALITY AS p (payload, place) ORDER BY p.place RETURNING id
"""
LOCK_EXECUTION = """
SELECT e.id FROM execution e WHERE e.id = (SELECT execution_id FROM task WHERE id = $1) FOR NO KEY UPDATE
"""
HOLD_EXECUTION = "SELECT id FROM execution WHERE id = $1 FOR NO KEY UPDATE"
READ_TASK = """
SELECT status, stop_requested, update_time < clock_timestamp() - $2::interval AS silent FROM task WHERE id = $1
"""
CLAIM_TASK = """
UPDATE task SET status = 'running', attempts = attempts + 1, start_time = coalesce(start_time, clock_timestamp()),
  update_time = clock_timestamp(), status_message = ''
WHERE id = $1
RETURNING kind, payload, attempts, waits, (SELECT count(*) FROM task_log WHERE task_id = $1) AS lines
"""
START_EXECUTION = """
UPDATE execution SET status = 'running', start_time = clock_timestamp() WHERE id = $1 AND status = 'pending'
"""
BEAT_TASK = """
UPDATE task SET update_time = clock_timestamp() WHERE id = $1 AND attempts = $2 AND status = 'running'
RETURNING stop_requested
"""
RELEASE_TASK = """
UPDATE task SET status = 'pending', update_time = clock_timestamp(), status_message = $3,
  waits = waits + CASE WHEN $4 THEN 1 ELSE 0 END
WHERE id = $1 AND attempts = $2 AND status = 'running' RETURNING id
"""
FINISH_TASK = """
UPDATE task SET status = $3, status_message = $4, update_time = clock_timestamp(), end_time = clock_timestamp()
WHERE id = $1 AND attempts = $2 AND status = 'running' RETURNING id
"""
STOP_SILENT_TASK = """
UPDATE task SET status = 'stopped', update_time = clock_timestamp(), end_time = clock_timestamp() WHERE id = $1
"""
STOP_TASKS = """
UPDATE task SET stop_requested = true,
  update_time = CASE status WHEN 'pending' THEN clock_timestamp() ELSE update_time END,
  end_time = CASE status WHEN 'pending' THEN clock_timestamp() END,
  status = CASE status WHEN 'pending' THEN 'stopped' ELSE status END
WHERE execution_id = $1 AND status IN ('pending', 'running') RETURNING id
"""
SETTLE_EXECUTION = """
UPDATE execution e SET end_time = clock_timestamp(), start_time = coalesce(e.start_time, clock_timestamp()),
  status = CASE WHEN t.failed THEN 'error' WHEN t.stopped THEN 'stopped' ELSE 'success' END
FROM (SELECT bool_or(status = 'error') AS failed, bool_or(status = 'stopped') AS stopped,
             bool_or(status IN ('pending', 'running')) AS unfinished FROM task WHERE execution_id = $1) t
WHERE e.id = $1 AND NOT t.unfinished
"""
INSERT_LINE = """
INSERT INTO task_log (task_id, level, line)
SELECT id, $3, $4 FROM task WHERE id = $1 AND attempts = $2 AND status = 'running'
"""
VANISHED_TASKS = """
SELECT t.id, t.kind FROM task t
WHERE t.status IN ('pending', 'running') AND t.update_time < (SELECT clock_timestamp()) - $1::interval
  AND NOT EXISTS (SELECT 1 FROM pgqueuer q WHERE q.dedupe_key = 'task:' || t.id AND q.status IN ('queued', 'picked'))
ORDER BY t.update_time LIMIT $2
"""
INSERT_SCHEDULE = """
INSERT INTO schedule (kind, cron, next_run_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (kind, policy_id) DO NOTHING
"""
DUE_SCHEDULES = """
SELECT id, kind, policy_id, cron, payload, clock_timestamp() AS now FROM schedule
WHERE enabled AND next_run_at <= (SELECT clock_timestamp()) ORDER BY next_run_at LIMIT $1 FOR UPDATE SKIP LOCKED
"""
ADVANCE_SCHEDULE = "UPDATE schedule SET last_run_at = $2, next_run_at = $3 WHERE id = $1"
DISABLE_SCHEDULE = "UPDATE schedule SET enabled = false WHERE id = $1"
PURGE_EXECUTIONS = """
DELETE FROM execution WHERE id IN (
  SELECT id FROM execution WHERE policy_id IS NULL AND kind = ANY($1::text[])
    AND end_time < now() - CASE status WHEN 'success' THEN interval '1 day' ELSE interval '30 days' END
  LIMIT 5000)
"""
PURGE_DELIVERIES = "DELETE FROM pgqueuer_log WHERE created < now() - interval '1 day'"
PURGE_STATISTICS = "DELETE FROM pgqueuer_statistics WHERE created < now() - interval '30 days'"

HOT: Final = (VANISHED_TASKS, BEAT_TASK, RELEASE_TASK, FINISH_TASK, SETTLE_EXECUTION, INSERT_LINE, DUE_SCHEDULES)


@dataclass(frozen=True, slots=True)
class Claim:
    """An attempt at a task. `lines` is how many its log holds already."""

    task_id: int
    kind: str
    payload: dict[str, Any]
    attempt: int
    lines: int
    waits: int = 0

    @property
    def tries(self) -> int:
        """Attempts that count, this one included."""
        return self.attempt - self.waits


@dataclass(frozen=True, slots=True)
class Due:
    """A schedule whose time has come; `now` is the database's clock."""

    id: int
    kind: str
    policy_id: int | None
    cron: str
    payload: dict[str, Any]
    now: datetime


class Busy(Exception):
    """Another worker has the task and gave a sign of life lately."""


async def insert_execution(
    conn: Connection,
    kind: str,
    payloads: Sequence[Mapping[str, Any]],
    *,
    policy_id: int | None = None,
    trigger: str = "manual",
    username: str = "",
) -> tuple[int, list[int]]:
    """A new execution with a pending task for each payload: (execution id, task ids in the order of the payloads)."""
    execution = await conn.fetchval(INSERT_EXECUTION, kind, policy_id, trigger, username)
    rows = await conn.fetch(INSERT_TASKS, execution, kind, [json.dumps(payload) for payload in payloads])
    return execution, [row["id"] for row in rows]


async def claim_task(conn: Connection, task_id: int, silence: float) -> Claim | None:
    """Take a task that is pending, or running without a sign of life for `silence` seconds.

    None: nothing to do (finished, stopped, gone). Busy: another has it.
    """
    execution = await conn.fetchval(LOCK_EXECUTION, task_id)
    task = await conn.fetchrow(READ_TASK, task_id, timedelta(seconds=silence))
    if task is None or task["status"] not in ("pending", "running"):
        return None
    if task["status"] == "running" and not task["silent"]:
        raise Busy
    if task["stop_requested"]:
        await conn.execute(STOP_SILENT_TASK, task_id)
        await conn.execute(SETTLE_EXECUTION, execution)
        return None
    row = await conn.fetchrow(CLAIM_TASK, task_id)
    await conn.execute(START_EXECUTION, execution)
    assert row is not None  # its execution is locked: nobody removes the task
    return Claim(task_id, row["kind"], json.loads(row["payload"]), row["attempts"], row["lines"], row["waits"])


async def beat_task(conn: Connection, claim: Claim) -> bool | None:
    """A sign of life. Answers whether a stop is asked for; None: the attempt is no longer this caller's."""
    answer: bool | None = await conn.fetchval(BEAT_TASK, claim.task_id, claim.attempt)
    return answer


async def release_task(conn: Connection, claim: Claim, message: str, waits: bool = False) -> bool:
    """Back to pending, to be tried again; one that `waits` for the mode was none that counts. False: the
    attempt is no longer this caller's."""
    said = message[:LINE_LENGTH]
    return await conn.fetchval(RELEASE_TASK, claim.task_id, claim.attempt, said, waits) is not None


async def finish_task(conn: Connection, claim: Claim, status: End, message: str = "") -> bool:
    """The end of a task, and of its execution where it was the last. False: the attempt is no longer this caller's."""
    execution = await conn.fetchval(LOCK_EXECUTION, claim.task_id)
    if await conn.fetchval(FINISH_TASK, claim.task_id, claim.attempt, status, message[:LINE_LENGTH]) is None:
        return False
    await conn.execute(SETTLE_EXECUTION, execution)
    return True


async def stop_execution(conn: Connection, execution_id: int) -> int:
    """Ask for the end of an execution: pending tasks are stopped now, running ones at their next sign of life.

    Returns how many tasks it concerns."""
    await conn.execute(HOLD_EXECUTION, execution_id)
    stopped = await conn.fetch(STOP_TASKS, execution_id)
    await conn.execute(SETTLE_EXECUTION, execution_id)
    return len(stopped)


async def insert_line(conn: Connection, claim: Claim, level: str, line: str) -> None:
    """One line of a task's log, cut at LINE_LENGTH characters; PostgreSQL takes no NUL, so it is shown as a sign."""
    await conn.execute(INSERT_LINE, claim.task_id, claim.attempt, level, line.replace("\0", "␀")[:LINE_LENGTH])


async def vanished_tasks(conn: Connection, silence: float) -> list[tuple[str, int]]:
    """(kind, id) of unfinished tasks that no job stands for any more."""
    return [
        (row["kind"], row["id"]) for row in await conn.fetch(VANISHED_TASKS, timedelta(seconds=silence), VANISHED_BATCH)
    ]


async def insert_schedule(conn: Connection, kind: str, cron: str) -> None:
    """A schedule of the system itself, due at once; one that is there already stays as it is."""
    await conn.execute(INSERT_SCHEDULE, kind, cron)


async def due_schedules(conn: Connection, limit: int) -> list[Due]:
    """Lock the schedules whose time has come; those that another worker has in hand are passed over."""
    rows = await conn.fetch(DUE_SCHEDULES, limit)
    return [
        Due(row["id"], row["kind"], row["policy_id"], row["cron"], json.loads(row["payload"]), row["now"])
        for row in rows
    ]


async def advance_schedule(conn: Connection, due: Due, next_run_at: datetime) -> None:
    """Fired: the next time."""
    await conn.execute(ADVANCE_SCHEDULE, due.id, due.now, next_run_at)


async def disable_schedule(conn: Connection, due: Due) -> None:
    """Its cron has no next time."""
    await conn.execute(DISABLE_SCHEDULE, due.id)


async def purge(conn: Connection, kinds: Sequence[str]) -> int:
    """Remove old executions of the given kinds (a day after success, 30 after anything else) and the queue's own logs.

    Returns the number of executions removed."""
    await conn.execute(PURGE_DELIVERIES)
    await conn.execute(PURGE_STATISTICS)
    return int((await conn.execute(PURGE_EXECUTIONS, list(kinds))).rpartition(" ")[2])
