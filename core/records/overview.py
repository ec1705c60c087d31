"""The whole as one caller may see it: what a word finds, and how much there is."""

from typing import Any

import asyncpg

from ..access import Principal
from .database import Connection, Database
from .holdings import SHOWN
from .listing import Asked
from .seen import SEEN_FROM, seen_where, who
from .tenants import page

MOST_FOUND = 100
"""Projects, and repositories, in one answer of a search."""
REPOSITORIES = f"""SELECT r.name AS repository_name, p.project_id, p.name AS project_name, p.public AS project_public,
  r.pull_count, (SELECT count(*) FROM artifact a WHERE a.repository_id = r.repository_id AND {SHOWN}) AS artifact_count
{SEEN_FROM} JOIN repository r ON r.project_id = p.project_id AND r.deleted_at IS NULL
WHERE {seen_where("repository:list")} AND ($4 = '' OR strpos(r.name, lower($4)) > 0) ORDER BY r.name LIMIT $5"""
COUNTS = f"""SELECT p.public, count(*) AS projects, coalesce(sum(n.repositories), 0)::bigint AS repositories
{SEEN_FROM} CROSS JOIN LATERAL (
  SELECT count(*) AS repositories FROM repository r WHERE r.project_id = p.project_id AND r.deleted_at IS NULL) AS n
WHERE {seen_where("project:read")} GROUP BY p.public"""
STORED = "SELECT coalesce(sum(size), 0)::bigint FROM artifact_blob WHERE state IN ('live', 'condemned')"
PATIENCE = 20.0


async def search(
    conn: Connection, principal: Principal, text: str
) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
    """Projects and repositories that a principal may see and whose names hold a text, at most MOST_FOUND of each."""
    projects, _ = await page(conn, principal, Asked(1, MOST_FOUND, "name"), text, None, "")
    return projects, await conn.fetch(REPOSITORIES, *who(principal), text, MOST_FOUND)


async def counts(conn: Connection, principal: Principal) -> dict[bool, Any]:
    """`projects` and `repositories` that a principal may see, of public ones (True) and of others (False)."""
    return {row["public"]: row for row in await conn.fetch(COUNTS, *who(principal))}


async def stored(database: Database) -> int:
    """Bytes of all blobs, each once."""
    ((found,),) = await database.ask(STORED, patience=PATIENCE)
    return int(found)
