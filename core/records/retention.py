"""Retention policies and what their runs came to. `retention_choice` picks; `retention_remove` (schema.sql) removes."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from ..access import Principal
from ..oci.errors import NotFound, QueryInvalid
from . import audit
from .calls import fetchrow
from .database import Connection, Database
from .listing import Asked, Column, Listing

KIND: Final = "retention"
"""Of executions, tasks and schedules."""

SELECT_POLICY = "SELECT id, project_id, rules, trigger, enabled FROM retention_policy WHERE id = $1"
SELECT_PROJECT = """SELECT p.project_id FROM retention_policy r JOIN project p USING (project_id)
WHERE r.id = $1 AND NOT p.deleted"""
INSERT = """INSERT INTO retention_policy (project_id, rules, trigger, enabled) VALUES ($1, $2, $3, $4)
ON CONFLICT (project_id) DO NOTHING RETURNING id"""
UPDATE = """UPDATE retention_policy SET rules = $2, trigger = $3, enabled = $4, update_time = now()
WHERE id = $1 AND project_id = $5 RETURNING id"""
DELETE = "DELETE FROM retention_policy WHERE id = $1 RETURNING project_id"
STOP_ALL = "SELECT id FROM execution WHERE kind = 'retention' AND policy_id = $1 AND status IN ('pending', 'running')"
SET_DRY = "UPDATE execution SET extra_attrs = jsonb_build_object('dry_run', $2::boolean) WHERE id = $1"
EXECUTION_OF = "SELECT execution_id FROM task WHERE id = $1"
CHOSEN = "SELECT EXISTS (SELECT FROM retention_task WHERE execution_id = $1)"
REMOVE = "SELECT taken, removed FROM retention_remove($1, $2, $3, $4, $5, $6)"
SELECT_PUSHED = """SELECT r.id, r.project_id FROM retention_policy r
WHERE r.project_id = ANY ($1::bigint[]) AND r.enabled AND r.trigger ->> 'kind' = 'Event'
  AND NOT EXISTS (SELECT FROM execution e WHERE e.kind = 'retention' AND e.policy_id = r.id AND e.status = 'pending')"""
SELECT_TASK = """SELECT t.id, t.repository, t.total, t.retained, t.computed_at, e.status, e.extra_attrs, e.end_time
FROM retention_task t JOIN execution e ON e.id = t.execution_id
WHERE t.id = $1 AND t.execution_id = $2 AND e.policy_id = $3 AND e.kind = 'retention'"""
SELECT_PICKS = """SELECT digest, tags, pushed, pulled, state FROM retention_pick WHERE task_id = $1
ORDER BY artifact_id DESC LIMIT $2"""
IS_OF = "SELECT EXISTS (SELECT FROM execution WHERE id = $1 AND policy_id = $2 AND kind = 'retention')"
COUNT_STATES = "SELECT state, count(*) FROM retention_pick WHERE execution_id = $1 GROUP BY state"

TASKS: Final = Listing(
    """t.id, t.execution_id, t.repository, e.status, t.computed_at, e.end_time, t.total,
  t.retained + (SELECT count(*) FROM retention_pick p WHERE p.task_id = t.id AND p.state = 'kept') AS retained""",
    """FROM retention_task t JOIN execution e ON e.id = t.execution_id
WHERE t.execution_id = $1 AND e.policy_id = $2 AND e.kind = 'retention'""",
    {"repository": Column("t.repository")},
    "t.id",
    "t.id",
)
MOST_LINES: Final = 10_000

HOT: Final = (SELECT_POLICY, CHOSEN, SELECT_PUSHED)


class Found(NamedTuple):
    """A policy that is there."""

    id: int
    project_id: int
    rules: list[dict[str, Any]]
    trigger: dict[str, Any]
    enabled: bool


class Result(NamedTuple):
    """What a run made of a repository: how many artifacts it has, and how many of them stay."""

    id: int
    execution_id: int
    repository: str
    status: str
    start_time: datetime
    end_time: datetime | None
    total: int
    retained: int


class Pick(NamedTuple):
    """An artifact that goes. state: picked, removed, or kept after all."""

    digest: str
    tags: list[str]
    pushed: datetime
    pulled: datetime | None
    state: str


async def project_of(conn: Connection, policy_id: int) -> int | None:
    """The project of a policy; None where there is none."""
    found: int | None = await conn.fetchval(SELECT_PROJECT, policy_id)
    return found


async def find(conn: Connection, policy_id: int) -> Found:
    """A policy; NotFound."""
    row = await conn.fetchrow(SELECT_POLICY, policy_id)
    if row is None:
        raise NotFound(f"there is no retention policy {policy_id}")
    return Found(row["id"], row["project_id"], json.loads(row["rules"]), json.loads(row["trigger"]), row["enabled"])


async def create(
    conn: Connection,
    by: Principal,
    project_id: int,
    rules: list[Any],
    trigger: Mapping[str, Any],
    enabled: bool,
    where: dict[str, str],
) -> int:
    """The policy of a project; its id. QueryInvalid where the project has one."""
    found: int | None = await conn.fetchval(INSERT, project_id, json.dumps(rules), json.dumps(trigger), enabled)
    if found is None:
        raise QueryInvalid(f"project {project_id} has a retention policy already: its metadata.retention_id names it")
    await audit.record(conn, by, "create", "retention policy", str(found), project_id=project_id, **where)
    return found


async def change(
    conn: Connection,
    by: Principal,
    policy: Found,
    rules: list[Any],
    trigger: Mapping[str, Any],
    enabled: bool,
    where: dict[str, str],
) -> None:
    """Other rules for the same project."""
    await conn.fetchval(UPDATE, policy.id, json.dumps(rules), json.dumps(trigger), enabled, policy.project_id)
    await audit.record(conn, by, "update", "retention policy", str(policy.id), project_id=policy.project_id, **where)


async def delete(conn: Connection, by: Principal, policy_id: int, where: dict[str, str]) -> list[int]:
    """No policy any more; the executions that are to be stopped."""
    project_id = await conn.fetchval(DELETE, policy_id)
    await audit.record(conn, by, "delete", "retention policy", str(policy_id), project_id=project_id, **where)
    return [row["id"] for row in await conn.fetch(STOP_ALL, policy_id)]


async def execution_of(conn: Connection, task_id: int) -> int:
    """The execution that a task is of."""
    return int(await conn.fetchval(EXECUTION_OF, task_id))


async def chosen(conn: Connection, execution_id: int) -> bool:
    """Whether an execution has picked already: the one before stopped on its way."""
    return bool(await conn.fetchval(CHOSEN, execution_id))


async def remove(
    database: Database, execution_id: int, late: bool, limit: int, pulls: bool, undo: timedelta, username: str
) -> tuple[int, int]:
    """A batch of what is picked: how many were looked at, and how many went."""
    row = await fetchrow(database, REMOVE, execution_id, late, limit, pulls, undo, username)
    assert row is not None
    return row["taken"], row["removed"]


async def by_events(conn: Connection, projects: list[int]) -> list[tuple[int, int]]:
    """(policy, project) of those that a push into one of the projects runs, and that do not wait to run anyway."""
    return [(row["id"], row["project_id"]) for row in await conn.fetch(SELECT_PUSHED, projects)]


async def results(conn: Connection, policy_id: int, execution_id: int, asked: Asked) -> tuple[list[Result], int]:
    """A page of what an execution came to, repository by repository."""
    rows, total = await TASKS.page(conn, asked, execution_id, policy_id)
    return [Result(*row) for row in rows], total


async def is_of(conn: Connection, policy_id: int, execution_id: int) -> bool:
    """Whether an execution is one of the policy."""
    return bool(await conn.fetchval(IS_OF, execution_id, policy_id))


async def picks(conn: Connection, policy_id: int, execution_id: int, task_id: int) -> tuple[Any, list[Pick]]:
    """A repository's result (a row with id, repository, total, retained, status, extra_attrs) and what goes of it, as
    far as MOST_LINES. NotFound."""
    row = await conn.fetchrow(SELECT_TASK, task_id, execution_id, policy_id)
    if row is None:
        raise NotFound(f"the execution has no task {task_id}")
    return row, [Pick(*each) for each in await conn.fetch(SELECT_PICKS, task_id, MOST_LINES)]


async def states(conn: Connection, execution_id: int) -> dict[str, int]:
    """How many artifacts of an execution were picked, removed, kept after all."""
    return {row["state"]: row["count"] for row in await conn.fetch(COUNT_STATES, execution_id)}
