"""The audit trail as people page through it: newest first, all of it or what some conditions leave.

All of it has millions of rows, so its checkpoints say how many there are and where a page begins: no page reads more
than a checkpoint's rows, however far down it lies. What conditions leave is counted up to MOST, and a page of it is
found by entries of an index alone: rows are read for the page and for nothing before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

import asyncpg

from ..access import Action, Principal, permits
from ..search import parse_query
from . import checkpoints
from .accounts import rights_of
from .database import Connection, Database
from .listing import Asked, Column, Listing

MOST: Final = 1000
PATIENCE: Final = 10.0
_RESOURCE: Final = """CASE WHEN repo_name = '' THEN resource WHEN repo_tag <> '' THEN repo_name || ':' || repo_tag
  ELSE repo_name || '@' || resource END"""
_COLUMNS: Final = f"log_id, username, {_RESOURCE} AS resource, resource_type, operation, result, op_time"
_FIELDS: Final = {
    "id": Column("log_id", "number"),
    "username": Column("username"),
    "resource": Column(f"({_RESOURCE})"),
    "resource_type": Column("resource_type"),
    "operation": Column("operation"),
    "operation_result": Column("result", "flag"),
    "op_time": Column("op_time", "time"),
}
_KEYS: Final = "op_time, log_id"
_ORDER: Final = "op_time DESC"
"""Harbor's order. Every index that conditions use ends with it."""
WHOLE: Final = Listing(_KEYS, "FROM access_log WHERE true", _FIELDS, _ORDER, "log_id DESC", MOST)
OF_PROJECT: Final = replace(WHOLE, source="FROM access_log WHERE project_id = $1")
OF_PROJECTS: Final = replace(WHOLE, source="FROM access_log WHERE project_id = ANY ($1)")
PROJECTS = """SELECT x.*, p.project_id AS home FROM project p CROSS JOIN LATERAL rights($1, $2, $3, p.name) AS x
WHERE NOT p.deleted AND (cardinality(x.roles) > 0 OR cardinality(x.grants) > 0)"""
FRESH = "SELECT count(*) FROM access_log WHERE log_id > $1"
NEWEST = f"SELECT {_COLUMNS} FROM access_log ORDER BY log_id DESC LIMIT $1 OFFSET $2"
BELOW = f"""SELECT {_COLUMNS} FROM access_log WHERE log_id <= $1 ORDER BY log_id DESC LIMIT $2 OFFSET $3"""
KEYED = f"""SELECT {_COLUMNS} FROM unnest($1::timestamptz[], $2::bigint[]) WITH ORDINALITY AS k (op_time, log_id, place)
JOIN access_log USING (op_time, log_id) ORDER BY place"""
POINT = "SELECT last_id, total FROM audit_checkpoint WHERE total >= $1 ORDER BY total LIMIT 1"

HOT = (NEWEST, BELOW, POINT, KEYED)


@dataclass(frozen=True, slots=True)
class Logged:
    """A row. resource: a repository with its tag or digest, or a project, an account, a robot ..."""

    id: int
    username: str
    resource: str
    resource_type: str
    operation: str
    result: bool
    op_time: datetime


async def page(database: Database, asked: Asked, projects: Sequence[int] | None) -> tuple[list[Logged], int]:
    """A page, and how many rows there are: of some projects, or (None) of all and of no project. QueryInvalid;
    Unavailable where there is too much to look through."""
    if projects is None and not asked.q and not asked.sort:
        async with database.acquire() as conn:
            return await _whole(conn, asked)
    ask = partial(database.ask, patience=PATIENCE, behind=True)
    if projects is None:
        keys, total = await _ordered(WHOLE, asked).page_by(ask, asked)
    elif len(projects) == 1:
        keys, total = await _ordered(OF_PROJECT, asked).page_by(ask, asked, projects[0])
    else:
        keys, total = await _ordered(OF_PROJECTS, asked).page_by(ask, asked, projects)
    async with database.acquire() as conn:
        rows = await conn.fetch(KEYED, [key["op_time"] for key in keys], [key["log_id"] for key in keys])
    return [Logged(*row) for row in rows], total


def _ordered(listing: Listing, asked: Asked) -> Listing:
    """By number where numbers are asked for: they have an index of their own."""
    numbers = any(each.field == "id" for each in parse_query(asked.q))
    return replace(listing, order="log_id DESC") if numbers else listing


async def projects_of(database: Database, principal: Principal) -> list[int]:
    """The projects whose rows one may see who does not see all."""
    if principal.ceiling is not None and Action.LOG_LIST not in principal.ceiling:
        return []
    async with database.acquire() as conn:
        rows = await conn.fetch(PROJECTS, principal.kind, principal.id, principal.epoch)
    return [row["home"] for row in rows if permits(rights_of(row), Action.LOG_LIST)]


async def _whole(conn: Connection, asked: Asked) -> tuple[list[Logged], int]:
    tip = await checkpoints.tip(conn)
    purged = checkpoints.base(await checkpoints.last_purge(conn)).total
    fresh = int(await conn.fetchval(FRESH, tip.last_id))
    total, skip = tip.total - purged + fresh, (asked.page - 1) * asked.page_size
    if skip >= total:
        return [], total
    rows: list[asyncpg.Record]
    if skip < fresh:
        rows = await conn.fetch(NEWEST, asked.page_size, skip)
    else:
        place = tip.total - (skip - fresh)
        last_id, upto = await conn.fetchrow(POINT, place) or (0, place)
        rows = await conn.fetch(BELOW, last_id, asked.page_size, upto - place)
    return [Logged(*row) for row in rows], total
