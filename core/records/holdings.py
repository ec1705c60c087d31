"""Repositories as the management API shows and changes them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import asyncpg

from ..access import Principal
from ..oci.errors import NotFound
from . import audit
from .artifacts import Actor
from .calls import refusals
from .database import Connection, Database
from .listing import Asked, Column, Listing
from .seen import SEEN_FROM, seen_where

SHOWN = """a.deleted_at IS NULL
  AND NOT EXISTS (SELECT FROM artifact_accessory x WHERE x.artifact_id = a.id AND x.subject_artifact_id IS NOT NULL)
  AND (EXISTS (SELECT FROM tag t WHERE t.artifact_id = a.id) OR NOT EXISTS (
    SELECT FROM artifact_reference f JOIN artifact o ON o.id = f.artifact_id AND o.deleted_at IS NULL
    WHERE f.child_id = a.id))"""
"""Artifacts that a list shows: neither what is attached to another nor the untagged children of an index."""
_COLUMNS = f"""r.repository_id AS id, r.project_id, r.name, r.description, r.pull_count, r.creation_time, r.update_time,
  (SELECT count(*) FROM artifact a WHERE a.repository_id = r.repository_id AND {SHOWN}) AS artifact_count"""
_FIELDS = {
    "repository_id": Column("r.repository_id", "number"),
    "name": Column("r.name"),
    "project_id": Column("r.project_id", "number"),
    "description": Column("r.description"),
    "pull_count": Column("r.pull_count", "number"),
    "creation_time": Column("r.creation_time", "time"),
    "update_time": Column("r.update_time", "time"),
}
_ORDER = ("r.creation_time DESC", "r.repository_id")
OF_PROJECT = Listing(_COLUMNS, "FROM repository r WHERE r.project_id = $1 AND r.deleted_at IS NULL", _FIELDS, *_ORDER)
SEEN = Listing(
    _COLUMNS,
    f"""{SEEN_FROM} JOIN repository r ON r.project_id = p.project_id AND r.deleted_at IS NULL
    WHERE {seen_where("repository:list")}""",
    _FIELDS,
    *_ORDER,
)
FIND = """SELECT repository_id, name FROM repository
WHERE project_id = $1 AND name = ANY ($2::text[]) AND deleted_at IS NULL ORDER BY length(name) DESC LIMIT 1"""
GET = f"SELECT {_COLUMNS} FROM repository r WHERE r.repository_id = $1 AND r.deleted_at IS NULL"
DESCRIBE = """UPDATE repository SET description = $2, update_time = now()
WHERE repository_id = $1 AND deleted_at IS NULL RETURNING name"""
# What an index lists goes after the index, so a repository is deleted from the roots.
DELETE_SOME = """SELECT count(*) FROM (
  SELECT artifact_delete($1, d.digest, $2, $3, $4, $5) FROM (
    SELECT a.digest FROM artifact a WHERE a.repository_id = $1 AND a.deleted_at IS NULL AND NOT EXISTS (
      SELECT FROM artifact_reference f JOIN artifact o ON o.id = f.artifact_id AND o.deleted_at IS NULL
      WHERE f.child_id = a.id) ORDER BY a.digest LIMIT 500 OFFSET 0) AS d OFFSET 0) AS done"""
LOCK = "SELECT name FROM repository WHERE repository_id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE"
END = "UPDATE repository SET deleted_at = clock_timestamp(), description = '' WHERE repository_id = $1"
ENDED = """INSERT INTO event (kind, project_id, repository_id, username, payload)
VALUES ('repository.deleted', $1, $2, $3, jsonb_build_object('name', $4::text))"""


class Place(NamedTuple):
    """A repository that is there."""

    id: int
    name: str


async def of_project(conn: Connection, project_id: int, asked: Asked) -> tuple[list[asyncpg.Record], int]:
    """A page of a project's repositories."""
    return await OF_PROJECT.page(conn, asked, project_id)


async def find(conn: Connection, project_id: int, project: str, name: str) -> Place:
    """The repository of a name below its project; of the project's own name also the one of one segment. NotFound."""
    names = [f"{project}/{name}", *([name] if name == project else [])]
    row = await conn.fetchrow(FIND, project_id, names)
    if row is None:
        raise _gone()
    return Place(*row)


async def get(conn: Connection, repository_id: int) -> asyncpg.Record:
    """One repository as lists show it; NotFound."""
    row = await conn.fetchrow(GET, repository_id)
    if row is None:
        raise _gone()
    return row


async def describe(
    conn: Connection, by: Principal, project_id: int, repository_id: int, text: str, where: Mapping[str, str]
) -> None:
    """Give a repository its description; NotFound."""
    name = await conn.fetchval(DESCRIBE, repository_id, text)
    if name is None:
        raise _gone()
    await audit.record(conn, by, "update", "repository", name, project_id=project_id, **where)


async def end(
    database: Database, by: Principal, project_id: int, repository_id: int, undo: timedelta, actor: Actor
) -> None:
    """Delete all artifacts of a repository, as one by one, and it with them: all or nothing. NotFound, and whatever
    keeps one of the artifacts."""

    async def work(conn: Connection) -> None:
        said: tuple[Any, ...] = (undo, actor.username, actor.address, actor.request_id)
        await _all(conn, repository_id, said)
        name = await conn.fetchval(LOCK, repository_id)  # what was pushed meanwhile is seen once nothing more can be
        if name is None:
            raise _gone()
        await _all(conn, repository_id, said)
        await conn.execute(END, repository_id)
        await conn.execute(ENDED, project_id, repository_id, by.name, name)
        where = {"address": actor.address, "request_id": actor.request_id}
        await audit.record(conn, by, "delete", "repository", name, project_id=project_id, **where)

    with refusals():
        await database.run(work)


async def _all(conn: Connection, repository_id: int, said: tuple[Any, ...]) -> None:
    while await conn.fetchval(DELETE_SOME, repository_id, *said):
        pass


def _gone() -> NotFound:
    return NotFound("the project has no such repository")
