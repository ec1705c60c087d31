"""Labels: words to put on artifacts, of the whole registry or of one project."""

from collections.abc import Mapping
from typing import NamedTuple

import asyncpg

from ..access import Principal
from ..oci.errors import Conflict, NotFound
from . import audit
from .database import Connection
from .listing import Asked, Column, Listing

_COLUMNS = "l.id, l.project_id, l.name, l.description, l.color, l.creation_time, l.update_time"
LABELS = Listing(
    _COLUMNS,
    "FROM label l WHERE l.project_id IS NOT DISTINCT FROM $1::bigint AND ($2 = '' OR strpos(l.name, $2) > 0)",
    {
        "id": Column("l.id", "number"),
        "name": Column("l.name"),
        "description": Column("l.description"),
        "color": Column("l.color"),
        "creation_time": Column("l.creation_time", "time"),
        "update_time": Column("l.update_time", "time"),
    },
    "l.name",
    "l.id",
)
GET = f"SELECT {_COLUMNS} FROM label l WHERE l.id = $1"
CREATE = """INSERT INTO label (project_id, name, description, color) VALUES ($1, $2, $3, $4)
ON CONFLICT (project_id, name) DO NOTHING RETURNING id"""
UPDATE = """UPDATE label SET name = $2, description = $3, color = $4, update_time = now() WHERE id = $1 AND NOT EXISTS (
  SELECT FROM label o WHERE o.id <> $1 AND o.name = $2 AND o.project_id IS NOT DISTINCT FROM label.project_id)
RETURNING id"""
DELETE = "DELETE FROM label WHERE id = $1"
PUT_ON = """INSERT INTO artifact_label (artifact_id, label_id)
SELECT a.id, l.id FROM artifact a, label l
WHERE a.id = $1 AND a.deleted_at IS NULL AND l.id = $2 AND (l.project_id IS NULL OR l.project_id = a.project_id)
ON CONFLICT DO NOTHING RETURNING label_id"""
FITS = "SELECT 1 FROM label WHERE id = $1 AND (project_id IS NULL OR project_id = $2)"
TAKE_OFF = "DELETE FROM artifact_label WHERE artifact_id = $1 AND label_id = $2 RETURNING label_id"


class Words(NamedTuple):
    """What a label says."""

    name: str
    description: str
    color: str


async def page(conn: Connection, project_id: int | None, name: str, asked: Asked) -> tuple[list[asyncpg.Record], int]:
    """A page of the labels of a project, or (None) of the registry, by name."""
    return await LABELS.page(conn, asked, project_id, name)


async def get(conn: Connection, label_id: int) -> asyncpg.Record:
    """A label; NotFound."""
    row = await conn.fetchrow(GET, label_id)
    if row is None:
        raise gone()
    return row


async def create(
    conn: Connection, by: Principal, project_id: int | None, words: Words, where: Mapping[str, str]
) -> int:
    """Make a label; Conflict where there is one of that name."""
    made: int | None = await conn.fetchval(CREATE, project_id, *words)
    if made is None:
        raise _taken(words)
    await audit.record(conn, by, "create", "label", words.name, project_id=project_id, **where)
    return made


async def update(
    conn: Connection, by: Principal, label: asyncpg.Record, words: Words, where: Mapping[str, str]
) -> None:
    """Change what a label says; Conflict where there is one of that name."""
    try:
        changed = await conn.fetchval(UPDATE, label["id"], *words)
    except asyncpg.UniqueViolationError:  # one made at the same moment
        changed = None
    if changed is None:
        raise _taken(words)
    await audit.record(conn, by, "update", "label", words.name, project_id=label["project_id"], **where)


async def delete(conn: Connection, by: Principal, label: asyncpg.Record, where: Mapping[str, str]) -> None:
    """Delete a label, from all artifacts too."""
    await conn.execute(DELETE, label["id"])
    await audit.record(conn, by, "delete", "label", label["name"], project_id=label["project_id"], **where)


async def put_on(
    conn: Connection, by: Principal, project_id: int, artifact: tuple[int, str], label_id: int, where: Mapping[str, str]
) -> None:
    """Put a label of the project or the registry on an artifact (id, digest). NotFound, Conflict where it is on it."""
    if await conn.fetchval(PUT_ON, artifact[0], label_id) is None:
        if await conn.fetchval(FITS, label_id, project_id) is None:
            raise gone()
        raise Conflict("the artifact has this label already")
    said = f"{artifact[1]} label {label_id}"
    await audit.record(conn, by, "create", "artifact-label", said, project_id=project_id, **where)


async def take_off(
    conn: Connection, by: Principal, project_id: int, artifact: tuple[int, str], label_id: int, where: Mapping[str, str]
) -> None:
    """Take a label from an artifact; NotFound where it is not on it."""
    if await conn.fetchval(TAKE_OFF, artifact[0], label_id) is None:
        raise NotFound("the artifact has no such label")
    said = f"{artifact[1]} label {label_id}"
    await audit.record(conn, by, "delete", "artifact-label", said, project_id=project_id, **where)


def gone() -> NotFound:
    """There is no such label, or none that the caller may know of."""
    return NotFound("there is no such label")


def _taken(words: Words) -> Conflict:
    return Conflict(f"there is a label {words.name!r} already")
