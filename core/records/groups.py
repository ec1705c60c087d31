"""Groups of users, as members of projects can be: by id and name, in Harbor's three kinds."""

from dataclasses import dataclass

import asyncpg

from ..access import Principal
from ..oci.errors import Conflict, NotFound
from . import audit
from .database import Connection
from .listing import Asked, Column, Listing

_COLUMNS = "group_id, name, group_type"

GET = f"SELECT {_COLUMNS} FROM user_group WHERE group_id = $1"

CREATE = """
INSERT INTO user_group (name, group_type) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING group_id
"""

RENAME = "UPDATE user_group SET name = $2 WHERE group_id = $1"

DELETE = """
WITH member AS (DELETE FROM project_member WHERE entity_type = 'g' AND entity_id = $1)
DELETE FROM user_group WHERE group_id = $1
"""

LISTING = Listing(
    _COLUMNS,
    "FROM user_group WHERE ($1 = '' OR strpos(lower(name), lower($1)) > 0)",
    {"id": Column("group_id", "number"), "group_name": Column("name"), "group_type": Column("group_type", "number")},
    "name",
    "group_id",
)


@dataclass(frozen=True)
class Group:
    """A row of user_group; `kind` 1 LDAP, 2 HTTP, 3 OIDC or local."""

    id: int
    name: str
    kind: int


async def page(conn: Connection, asked: Asked, part: str = "") -> tuple[list[Group], int]:
    """A page of the groups with this in their names, and how many there are."""
    rows, total = await LISTING.page(conn, asked, part)
    return [Group(*row) for row in rows], total


async def get(conn: Connection, group_id: int) -> Group:
    """A group, NotFound where there is none."""
    row = await conn.fetchrow(GET, group_id)
    if row is None:
        raise NotFound("there is no such group")
    return Group(*row)


async def create(conn: Connection, by: Principal, name: str, kind: int, **where: str) -> int:
    """Make a group without members. Conflict where the name is taken."""
    made: int | None = await conn.fetchval(CREATE, name, kind)
    if made is None:
        raise Conflict(f"there is a group {name} already")
    await audit.record(conn, by, "create", "group", name, project_id=None, **where)
    return made


async def rename(conn: Connection, by: Principal, group: Group, name: str, **where: str) -> None:
    """Give a group another name. Conflict where it is taken."""
    try:
        await conn.execute(RENAME, group.id, name)
    except asyncpg.UniqueViolationError:
        raise Conflict(f"there is a group {name} already") from None
    await audit.record(conn, by, "update", "group", f"{group.name} to {name}", project_id=None, **where)


async def delete(conn: Connection, by: Principal, group: Group, **where: str) -> None:
    """End a group and its memberships, from its users' next requests on."""
    await conn.execute(DELETE, group.id)
    await audit.record(conn, by, "delete", "group", group.name, project_id=None, **where)
