"""Executions and schedules as an administrator sees them: lists, one of them, its log, when the next one is due."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from .database import Connection
from .listing import Asked, Column, Listing

COLUMNS: Final = "id, kind, trigger, status, status_message, username, extra_attrs, creation_time, start_time, end_time"
EXECUTIONS: Final = Listing(
    COLUMNS,
    "FROM execution WHERE kind = $1 AND policy_id IS NOT DISTINCT FROM $2",
    {
        "id": Column("id", "number"),
        "status": Column("status"),
        "trigger": Column("trigger"),
        "creation_time": Column("creation_time", "time"),
        "start_time": Column("start_time", "time"),
        "end_time": Column("end_time", "time"),
    },
    "id DESC",
    "id DESC",
)
READ_EXECUTION = f"SELECT {COLUMNS} FROM execution WHERE kind = $1 AND id = $2"
READ_LINES = """
SELECT l.op_time, l.level, l.line FROM task t JOIN task_log l ON l.task_id = t.id
WHERE t.execution_id = $1 ORDER BY t.id, l.id LIMIT $2
"""
READ_ATTRIBUTES = "SELECT extra_attrs FROM execution WHERE id = (SELECT execution_id FROM task WHERE id = $1)"
WRITE_ATTRIBUTES = """
UPDATE execution SET extra_attrs = extra_attrs || $3
WHERE id = (SELECT execution_id FROM task WHERE id = $1 AND attempts = $2 AND status = 'running') RETURNING id
"""
READ_SCHEDULE = """
SELECT id, cron, enabled, next_run_at, last_run_at, payload FROM schedule
WHERE kind = $1 AND policy_id IS NOT DISTINCT FROM $2
"""
PUT_SCHEDULE = """
INSERT INTO schedule (kind, policy_id, cron, payload, next_run_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (kind, policy_id) DO UPDATE
SET cron = excluded.cron, payload = excluded.payload, next_run_at = excluded.next_run_at, enabled = true
"""
DROP_SCHEDULE = "DELETE FROM schedule WHERE kind = $1 AND policy_id IS NOT DISTINCT FROM $2 RETURNING id"

MOST_LINES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Execution:
    """One run of something. attributes: what its kind writes there, of gc see core/work/gc_run.py."""

    id: int
    kind: str
    trigger: str
    status: str
    status_message: str
    username: str
    attributes: dict[str, Any]
    creation_time: datetime
    start_time: datetime | None
    end_time: datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log."""

    op_time: datetime
    level: str
    line: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """What runs by the clock: six-field cron in UTC, and what it is run with."""

    id: int
    cron: str
    enabled: bool
    next_run_at: datetime
    last_run_at: datetime | None
    payload: dict[str, Any]


async def executions(
    conn: Connection, kind: str, asked: Asked, policy_id: int | None = None
) -> tuple[list[Execution], int]:
    """A page of the executions of a kind (of one policy), newest first, and how many there are. QueryInvalid."""
    rows, total = await EXECUTIONS.page(conn, asked, kind, policy_id)
    return [_execution(row) for row in rows], total


async def execution(conn: Connection, kind: str, execution_id: int) -> Execution | None:
    """One of them."""
    row = await conn.fetchrow(READ_EXECUTION, kind, execution_id)
    return None if row is None else _execution(row)


async def lines(conn: Connection, execution_id: int, most: int = MOST_LINES) -> list[Line]:
    """The log of an execution, its tasks one after another."""
    return [Line(*row) for row in await conn.fetch(READ_LINES, execution_id, most)]


async def attributes(conn: Connection, task_id: int) -> dict[str, Any]:
    """What the execution of a task says of itself."""
    found: dict[str, Any] = json.loads(await conn.fetchval(READ_ATTRIBUTES, task_id) or "{}")
    return found


async def set_attributes(conn: Connection, task_id: int, attempt: int, changes: Mapping[str, Any]) -> bool:
    """Change some of it. False: the attempt is no longer this caller's."""
    return await conn.fetchval(WRITE_ATTRIBUTES, task_id, attempt, json.dumps(changes)) is not None


async def schedule(conn: Connection, kind: str, policy_id: int | None = None) -> Schedule | None:
    """When a kind runs; None: never by itself."""
    row = await conn.fetchrow(READ_SCHEDULE, kind, policy_id)
    if row is None:
        return None
    return Schedule(
        row["id"], row["cron"], row["enabled"], row["next_run_at"], row["last_run_at"], json.loads(row["payload"])
    )


async def put_schedule(
    conn: Connection, kind: str, cron: str, payload: Mapping[str, Any], next_run_at: datetime, policy_id: int | None
) -> None:
    """The one schedule of a kind (of one policy); `core.work.schedule.put` knows the next time."""
    await conn.execute(PUT_SCHEDULE, kind, policy_id, cron, json.dumps(payload), next_run_at)


async def drop_schedule(conn: Connection, kind: str, policy_id: int | None = None) -> bool:
    """It runs by itself no more. False: it did not."""
    return await conn.fetchval(DROP_SCHEDULE, kind, policy_id) is not None


def _execution(row: asyncpg.Record) -> Execution:
    return Execution(*(json.loads(value) if name == "extra_attrs" else value for name, value in row.items()))
