"""The whole as one caller may see it: what a word finds, and how much there is. Questions over all projects have
connections of their own (Database.ask): however slow, they hold up no pull."""

from functools import partial
from typing import Any

import asyncpg

from ..access import Principal
from .database import Database
from .holdings import SEEN, SHOWN
from .listing import Asked
from .seen import SEEN_FROM, seen_where, who
from .tenants import PROJECTS

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
    database: Database, principal: Principal, text: str
) -> tuple[list[asyncpg.Record], list[asyncpg.Record]]:
    """Projects and repositories that a principal may see and whose names hold a text, at most MOST_FOUND of each."""
    ask = partial(database.ask, patience=PATIENCE)
    asked = Asked(1, MOST_FOUND, "name")
    projects, _ = await PROJECTS.page_by(ask, asked, *who(principal), text, None, "")
    return projects, await ask(REPOSITORIES, *who(principal), text, MOST_FOUND)


async def repositories(database: Database, principal: Principal, asked: Asked) -> tuple[list[asyncpg.Record], int]:
    """A page of all repositories that a principal may list."""
    return await SEEN.page_by(partial(database.ask, patience=PATIENCE), asked, *who(principal))


async def counts(database: Database, principal: Principal) -> dict[bool, Any]:
    """`projects` and `repositories` that a principal may see, of public ones (True) and of others (False)."""
    return {row["public"]: row for row in await database.ask(COUNTS, *who(principal), patience=PATIENCE)}


async def stored(database: Database) -> int:
    """Bytes of all blobs, each once."""
    ((found,),) = await database.ask(STORED, patience=PATIENCE, behind=True)
    return int(found)
