"""Members of projects, as the management API keeps them: users and groups with one role each."""

from collections.abc import Mapping
from typing import Any

import asyncpg

from ..access import Principal
from ..oci.errors import Conflict, NotFound, QueryInvalid
from . import audit
from .database import Connection
from .listing import Asked, Listing

_SHOWN = "m.id, m.project_id, m.entity_id, m.entity_type::text AS entity_type, m.role_id, e.name AS entity_name"
_FROM = """FROM project_member m CROSS JOIN LATERAL (
  SELECT username AS name FROM account
    WHERE m.entity_type = 'u' AND account_id = m.entity_id AND NOT deleted
  UNION ALL SELECT name FROM user_group WHERE m.entity_type = 'g' AND group_id = m.entity_id) AS e
WHERE m.project_id = $1"""
MEMBERS = Listing(_SHOWN, f"{_FROM} AND ($2 = '' OR strpos(lower(e.name), lower($2)) > 0)", {}, "lower(e.name)", "m.id")
GET = f"SELECT {_SHOWN} {_FROM} AND m.id = $2"
USER = """SELECT account_id, username FROM account
WHERE NOT deleted AND (account_id = $1 OR $1 = 0 AND lower(username) = lower($2))"""
GROUP = "SELECT group_id, name FROM user_group WHERE group_id = $1 OR $1 = 0 AND name = $2"
MAKE_GROUP = """INSERT INTO user_group (name, group_type) VALUES ($1, $2)
ON CONFLICT (name) DO NOTHING RETURNING group_id, name"""
ADD = """INSERT INTO project_member (project_id, entity_type, entity_id, role_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (project_id, entity_type, entity_id) DO NOTHING RETURNING id"""
CHANGE = "UPDATE project_member SET role_id = $3 WHERE project_id = $1 AND id = $2"
REMOVE = "DELETE FROM project_member WHERE project_id = $1 AND id = $2"
OIDC = 3


async def page(conn: Connection, project_id: int, entity_name: str, asked: Asked) -> tuple[list[asyncpg.Record], int]:
    """A page of a project's members, by name."""
    return await MEMBERS.page(conn, asked, project_id, entity_name)


async def get(conn: Connection, project_id: int, member_id: int) -> asyncpg.Record:
    """A member of this project; NotFound."""
    row = await conn.fetchrow(GET, project_id, member_id)
    if row is None:
        raise NotFound("the project has no such member")
    return row


async def add_user(
    conn: Connection, by: Principal, project_id: int, user_id: int, username: str, role: int, where: Mapping[str, str]
) -> int:
    """Make a user (by id, or by name where the id is 0) a member; its id as one. QueryInvalid where there is no such
    user, Conflict for a member."""
    row = await conn.fetchrow(USER, user_id, username)
    if row is None:
        raise QueryInvalid("there is no such user")
    return await _add(conn, by, project_id, b"u", row, role, where)


async def add_group(
    conn: Connection,
    by: Principal,
    project_id: int,
    group_id: int,
    name: str,
    kind: int,
    role: int,
    where: Mapping[str, str],
) -> int:
    """As add_user. A group that an OIDC provider names need not be known yet: it is made, and empty until one of it
    signs in."""
    row = await conn.fetchrow(GROUP, group_id, name)
    if row is None and not group_id and kind == OIDC:
        row = await conn.fetchrow(MAKE_GROUP, name, kind)
        if row is not None:
            await audit.record(conn, by, "create", "group", name, project_id=project_id, **where)
    if row is None:
        raise QueryInvalid("there is no such group")
    return await _add(conn, by, project_id, b"g", row, role, where)


async def _add(
    conn: Connection, by: Principal, project_id: int, kind: bytes, entity: Any, role: int, where: Mapping[str, str]
) -> int:
    made: int | None = await conn.fetchval(ADD, project_id, kind, entity[0], role)
    if made is None:
        raise Conflict(f"{entity[1]} is a member of the project already")
    said = f"{'user' if kind == b'u' else 'group'} {entity[1]} role {role}"
    await audit.record(conn, by, "create", "member", said, project_id=project_id, **where)
    return made


async def change(
    conn: Connection, by: Principal, project_id: int, member_id: int, role: int, where: Mapping[str, str]
) -> None:
    """Give a member another role; NotFound."""
    row = await get(conn, project_id, member_id)
    await conn.execute(CHANGE, project_id, member_id, role)
    await audit.record(conn, by, "update", "member", f"{_said(row)} role {role}", project_id=project_id, **where)


async def remove(conn: Connection, by: Principal, project_id: int, member_id: int, where: Mapping[str, str]) -> None:
    """End a membership, from the member's next request on; NotFound."""
    row = await get(conn, project_id, member_id)
    await conn.execute(REMOVE, project_id, member_id)
    await audit.record(conn, by, "delete", "member", _said(row), project_id=project_id, **where)


def _said(row: Any) -> str:
    return f"{'user' if row['entity_type'] == 'u' else 'group'} {row['entity_name']}"
