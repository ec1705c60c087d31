"""Projects as the management API keeps them: lists of those that a caller may see, changes, the end of one."""

import json
from collections.abc import Mapping

import asyncpg

from ..access import Principal
from ..oci.errors import InUse, NotFound
from . import audit
from .database import Connection
from .listing import Asked, Column, Listing
from .seen import SEEN_FROM, seen_where, who

_METADATA = """p.metadata || coalesce((SELECT jsonb_build_object('retention_id', r.id::text)
  FROM retention_policy r WHERE r.project_id = p.project_id), '{}')"""
_REPOSITORIES = "SELECT count(*) FROM repository r WHERE r.project_id = p.project_id AND r.deleted_at IS NULL"
_SHOWN = f"""p.project_id, p.name, p.owner_id, p.owner_name, p.creation_time, p.update_time, p.deleted,
  {_METADATA} AS metadata, ({_REPOSITORIES}) AS repo_count,
  CASE WHEN x.admin THEN ARRAY[1::smallint] ELSE (SELECT y.roles FROM rights($1, $2, $3, p.name) AS y) END AS roles"""

PROJECTS = Listing(
    _SHOWN,
    f"""{SEEN_FROM} WHERE {seen_where("project:read")}
    AND ($4 = '' OR strpos(p.name, lower($4)) > 0) AND ($5::boolean IS NULL OR p.public = $5)
    AND ($6 = '' OR p.owner_name = $6)""",
    {
        "project_id": Column("p.project_id", "number"),
        "name": Column("p.name"),
        "owner_name": Column("p.owner_name"),
        "public": Column("p.public", "flag"),
        "creation_time": Column("p.creation_time", "time"),
        "update_time": Column("p.update_time", "time"),
    },
    "p.creation_time DESC",
    "p.project_id",
)
GET = f"SELECT {_SHOWN} FROM project p CROSS JOIN rights($1, $2, $3, '') AS x WHERE p.project_id = $4 AND NOT p.deleted"
SUMMARY = f"""SELECT ({_REPOSITORIES}) AS repositories, p.storage_limit, p.storage_used,
  p.artifact_limit, p.artifact_count,
  ARRAY(SELECT m.role_id FROM project_member m WHERE m.project_id = p.project_id AND (m.entity_type = 'g'
    OR EXISTS (SELECT FROM account a WHERE a.account_id = m.entity_id AND NOT a.deleted))) AS roles
FROM project p WHERE p.project_id = $1 AND NOT p.deleted"""
METADATA = f"SELECT {_METADATA} FROM project p WHERE p.project_id = $1 AND NOT p.deleted"
CHANGE = """UPDATE project SET metadata = (metadata - $2::text[]) || $3::jsonb, update_time = now()
WHERE project_id = $1 AND NOT deleted RETURNING name"""
LOCK = "SELECT name FROM project WHERE project_id = $1 AND NOT deleted FOR UPDATE"
HOLDING = "SELECT count(*) FROM repository WHERE project_id = $1 AND deleted_at IS NULL"
END = "UPDATE project SET deleted = true, update_time = now() WHERE project_id = $1"
END_ROBOTS = "DELETE FROM robot WHERE project_id = $1"
ENDED = """INSERT INTO event (kind, project_id, username, payload)
VALUES ('project.deleted', $1, $2, jsonb_build_object('name', $3::text))"""


async def page(
    conn: Connection, principal: Principal, asked: Asked, name: str, public: bool | None, owner: str
) -> tuple[list[asyncpg.Record], int]:
    """A page of the projects that a principal may see: part of their name, public or not, whose."""
    return await PROJECTS.page(conn, asked, *who(principal), name, public, owner)


async def get(conn: Connection, principal: Principal, project_id: int) -> asyncpg.Record:
    """One project as `page` shows it; NotFound once deleted."""
    row = await conn.fetchrow(GET, *who(principal), project_id)
    if row is None:
        raise _gone()
    return row


async def summary(conn: Connection, project_id: int) -> asyncpg.Record:
    """repositories, limits and what is used of them, and the role of each member; NotFound."""
    row = await conn.fetchrow(SUMMARY, project_id)
    if row is None:
        raise _gone()
    return row


async def metadata(conn: Connection, project_id: int) -> dict[str, str]:
    """The metadata, with the id of the retention policy where there is one; NotFound."""
    found = await conn.fetchval(METADATA, project_id)
    if found is None:
        raise _gone()
    return dict(json.loads(found))


async def change(
    conn: Connection,
    by: Principal,
    project_id: int,
    new: Mapping[str, str],
    dropped: list[str],
    where: Mapping[str, str],
) -> None:
    """Set some of the metadata, drop some; NotFound."""
    name = await conn.fetchval(CHANGE, project_id, dropped, json.dumps(dict(new)))
    if name is None:
        raise _gone()
    said = [f"{key}={value}" for key, value in new.items()] + [f"-{key}" for key in dropped]
    await audit.record(conn, by, "update", "project", " ".join([name, *said]), project_id=project_id, **where)


async def holding(conn: Connection, project_id: int) -> int:
    """How many repositories keep the project from being deleted."""
    return int(await conn.fetchval(HOLDING, project_id))


async def end(conn: Connection, by: Principal, project_id: int, where: Mapping[str, str]) -> None:
    """Delete a project without repositories, and its robots; its name is free again. NotFound, InUse. The row stays for
    the audit trail and until gc has taken what it is charged for."""
    name = await conn.fetchval(LOCK, project_id)  # a repository that is being made refers to the row, and so waits
    if name is None:
        raise _gone()
    if count := await holding(conn, project_id):
        raise InUse(holds(count))
    await conn.execute(END, project_id)
    await conn.execute(END_ROBOTS, project_id)
    await conn.execute(ENDED, project_id, by.name, name)
    await audit.record(conn, by, "delete", "project", name, project_id=project_id, **where)


def holds(count: int) -> str:
    """Why a project cannot be deleted."""
    return f"the project holds {count} {'repository' if count == 1 else 'repositories'}; delete them first"


def _gone() -> NotFound:
    return NotFound("there is no such project")
