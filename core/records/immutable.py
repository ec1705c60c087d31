"""Rules that keep tags where they are: rows here, held by the triggers of schema.sql section 7."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import asyncpg

from ..access import Principal
from ..oci.errors import NotFound, QueryInvalid
from . import audit
from .database import Connection
from .listing import Asked, Column, Listing

MOST: Final = 100
"""Rules of a project."""

LIST = Listing(
    select="id, rule, enabled",
    source="FROM immutable_rule WHERE project_id = $1",
    fields={"id": Column("id", "number"), "creation_time": Column("creation_time", "time")},
    order="id",
    tie="id",
)
HOLD = "SELECT 1 FROM project WHERE project_id = $1 FOR NO KEY UPDATE"
SAME = "SELECT id FROM immutable_rule WHERE project_id = $1 AND rule = $2 AND id <> $3"
COUNT = "SELECT count(*) FROM immutable_rule WHERE project_id = $1"
CHECK = "SELECT bool_or('' ~ (s ->> 're')) FROM jsonb_array_elements($1::jsonb) AS s WHERE s ? 're'"
INSERT = """INSERT INTO immutable_rule (project_id, rule, repositories, tags, enabled) VALUES ($1, $2, $3, $4, $5)
RETURNING id"""
UPDATE = """UPDATE immutable_rule SET rule = $3, repositories = $4, tags = $5, enabled = $6
WHERE id = $1 AND project_id = $2 RETURNING id"""
SWITCH = "UPDATE immutable_rule SET enabled = $3 WHERE id = $1 AND project_id = $2 RETURNING id"
DELETE = "DELETE FROM immutable_rule WHERE id = $1 AND project_id = $2 RETURNING id"


class Rule(NamedTuple):
    """A rule as it was sent, and its selectors compiled (core/policies/selectors.py)."""

    rule: Mapping[str, Any]
    repositories: list[dict[str, Any]]
    tags: list[dict[str, Any]]
    enabled: bool


class Found(NamedTuple):
    """A rule that is there."""

    id: int
    rule: dict[str, Any]
    enabled: bool


async def page(conn: Connection, project_id: int, asked: Asked) -> tuple[list[Found], int]:
    """A page of the rules of a project."""
    rows, total = await LIST.page(conn, asked, project_id)
    return [Found(row["id"], json.loads(row["rule"]), row["enabled"]) for row in rows], total


async def create(conn: Connection, by: Principal, project_id: int, rule: Rule, where: dict[str, str]) -> int:
    """A new rule; its id. It holds from the next push on. QueryInvalid where the project has the same, or too many."""
    await _check(conn, project_id, rule, 0)
    if await conn.fetchval(COUNT, project_id) >= MOST:
        raise QueryInvalid(f"a project may have {MOST} immutable rules; widen one of them instead")
    found: int = await conn.fetchval(INSERT, project_id, *_columns(rule))
    await audit.record(conn, by, "create", "immutable rule", str(found), project_id=project_id, **where)
    return found


async def change(conn: Connection, by: Principal, project_id: int, rule_id: int, rule: Rule, where: Any) -> None:
    """Another rule under the same id: NotFound, QueryInvalid."""
    await _check(conn, project_id, rule, rule_id)
    if await conn.fetchval(UPDATE, rule_id, project_id, *_columns(rule)) is None:
        raise _unknown(rule_id)
    await audit.record(conn, by, "update", "immutable rule", str(rule_id), project_id=project_id, **where)


async def switch(conn: Connection, by: Principal, project_id: int, rule_id: int, on: bool, where: Any) -> None:
    """The same rule, in force or not: NotFound."""
    if await conn.fetchval(SWITCH, rule_id, project_id, on) is None:
        raise _unknown(rule_id)
    await audit.record(conn, by, "update", "immutable rule", str(rule_id), project_id=project_id, **where)


async def delete(conn: Connection, by: Principal, project_id: int, rule_id: int, where: dict[str, str]) -> None:
    """A rule no more: NotFound."""
    if await conn.fetchval(DELETE, rule_id, project_id) is None:
        raise _unknown(rule_id)
    await audit.record(conn, by, "delete", "immutable rule", str(rule_id), project_id=project_id, **where)


def _columns(rule: Rule) -> tuple[str, str, str, bool]:
    return json.dumps(rule.rule), json.dumps(rule.repositories), json.dumps(rule.tags), rule.enabled


async def _check(conn: Connection, project_id: int, rule: Rule, rule_id: int) -> None:
    await conn.execute(HOLD, project_id)
    if (same := await conn.fetchval(SAME, project_id, json.dumps(rule.rule), rule_id)) is not None:
        raise QueryInvalid(f"rule {same} of the project says the same already")
    await check(conn, [*rule.repositories, *rule.tags])


async def check(conn: Connection, selectors: list[dict[str, Any]]) -> None:
    """QueryInvalid where PostgreSQL cannot use the expression of a selector."""
    try:
        await conn.fetchval(CHECK, json.dumps(selectors))
    except asyncpg.InvalidRegularExpressionError as error:
        raise QueryInvalid(f"a pattern of the rule cannot be used: {error}") from None


def _unknown(rule_id: int) -> NotFound:
    return NotFound(f"the project has no immutable rule {rule_id}")
