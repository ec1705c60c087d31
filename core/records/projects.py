"""Projects, their members, and the groups that can be members."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..access import PROJECT_ADMIN, Principal
from ..oci.errors import NameInvalid
from ..oci.names import check_repository
from . import audit
from .accounts import AccountError
from .database import Connection

CREATE = """
INSERT INTO project (name, owner_id, owner_name, metadata, storage_limit)
VALUES ($1, $2, $3, $4::jsonb, $5)
ON CONFLICT (name) WHERE NOT deleted DO NOTHING RETURNING project_id
"""

CREATED = """
INSERT INTO event (kind, project_id, username, payload)
VALUES ('project.created', $1, $2, jsonb_build_object('name', $3::text))
"""

FIND = "SELECT project_id, name, public, sparse, owner_name FROM project WHERE name = $1 AND NOT deleted"

NAME = "SELECT name FROM project WHERE project_id = $1 AND NOT deleted"

LIST = "SELECT project_id, name, public, sparse, owner_name FROM project WHERE NOT deleted ORDER BY name"

FIND_USER = "SELECT account_id FROM account WHERE lower(username) = lower($1) AND NOT deleted"

FIND_GROUP = "SELECT group_id FROM user_group WHERE name = $1"

SET_MEMBER = """
INSERT INTO project_member (project_id, entity_type, entity_id, role_id) VALUES ($1, $2, $3, $4)
ON CONFLICT (project_id, entity_type, entity_id) DO UPDATE SET role_id = excluded.role_id
"""

LIST_MEMBERS = """
SELECT CASE m.entity_type WHEN 'u' THEN 'user' ELSE 'group' END, coalesce(a.username, g.name), m.role_id
FROM project_member m LEFT JOIN account a ON m.entity_type = 'u' AND a.account_id = m.entity_id AND NOT a.deleted
LEFT JOIN user_group g ON m.entity_type = 'g' AND g.group_id = m.entity_id
WHERE m.project_id = $1 AND coalesce(a.username, g.name) IS NOT NULL ORDER BY 1 DESC, 2
"""

DROP_MEMBER = """
DELETE FROM project_member WHERE project_id = $1 AND entity_type = $2 AND entity_id = $3 RETURNING id
"""

MAKE_GROUP = "INSERT INTO user_group (name) VALUES ($1) ON CONFLICT (name) DO NOTHING RETURNING group_id"

JOIN_GROUP = "INSERT INTO user_group_member (group_id, account_id) VALUES ($1, $2) ON CONFLICT DO NOTHING"

LIST_GROUPS = """
SELECT g.name, array_agg(a.username ORDER BY a.username) FILTER (WHERE a.username IS NOT NULL)
FROM user_group g LEFT JOIN user_group_member m USING (group_id)
LEFT JOIN account a ON a.account_id = m.account_id AND NOT a.deleted GROUP BY g.name ORDER BY g.name
"""

LEAVE_GROUP = "DELETE FROM user_group_member WHERE group_id = $1 AND account_id = $2 RETURNING group_id"

Member = Literal["user", "group"]
_ENTITY: Mapping[Member, bytes] = {"user": b"u", "group": b"g"}


class ProjectError(Exception):
    """A project, group or membership that exists or does not; the message says which."""


@dataclass(frozen=True, slots=True)
class Project:
    """A row of project: its id, name, whether everybody may pull, whether manifests may name absent blobs."""

    id: int
    name: str
    public: bool
    sparse: bool
    owner: str


async def create(
    conn: Connection,
    by: Principal,
    name: str,
    *,
    owner: str | None = None,
    public: bool = False,
    sparse: bool = False,
    metadata: Mapping[str, str] | None = None,
    storage_limit: int = -1,
    where: Mapping[str, str] | None = None,
) -> int:
    """Make a project, its owner (a user; else whoever asks) its administrator. `storage_limit` in bytes, -1 unlimited;
    `where`: see audit.record.

    ProjectError where the name is taken, NameInvalid where it cannot be, AccountError where there is no such owner.
    """
    if "/" in check_repository(name):
        raise NameInvalid("a project is the first segment of a repository's name: it has no /")
    owner_id = await _user(conn, owner) if owner else by.id if by.kind == "account" else None
    flags = {flag: "true" for flag, on in (("public", public), ("sparse", sparse)) if on}
    kept = json.dumps({**flags, **(metadata or {})})
    project_id: int | None = await conn.fetchval(CREATE, name, owner_id, owner or by.name, kept, storage_limit)
    if project_id is None:
        raise ProjectError(f"there is a project {name} already")
    if owner_id is not None:
        await conn.execute(SET_MEMBER, project_id, _ENTITY["user"], owner_id, PROJECT_ADMIN)
    await conn.execute(CREATED, project_id, by.name, name)
    await audit.record(conn, by, "create", "project", name, project_id=project_id, **(where or {}))
    return project_id


async def find(conn: Connection, name: str) -> Project:
    """The living project of a name, or ProjectError."""
    row = await conn.fetchrow(FIND, name)
    if row is None:
        raise ProjectError(f"there is no project {name}")
    return Project(*row)


async def name_of(conn: Connection, project_id: int) -> str | None:
    """The name of a living project, or None."""
    found: str | None = await conn.fetchval(NAME, project_id)
    return found


async def list_projects(conn: Connection) -> list[Project]:
    """All living projects, by name."""
    return [Project(*row) for row in await conn.fetch(LIST)]


async def set_member(conn: Connection, by: Principal, project: str, kind: Member, name: str, role: int) -> None:
    """Give a user or group a role (1-5) in a project; a member it already is gets the new role.

    ProjectError or AccountError where the project, group or user is not there.
    """
    project_id = (await find(conn, project)).id
    await conn.execute(SET_MEMBER, project_id, _ENTITY[kind], await _entity(conn, kind, name), role)
    await audit.record(conn, by, "create", "member", f"{kind} {name} role {role}", project_id=project_id)


async def list_members(conn: Connection, project: str) -> list[tuple[Member, str, int]]:
    """Users, then groups, by name: kind, name and role (1-5). ProjectError."""
    return [tuple(row) for row in await conn.fetch(LIST_MEMBERS, (await find(conn, project)).id)]


async def list_groups(conn: Connection) -> list[tuple[str, list[str]]]:
    """All groups by name, with the names of the users in them."""
    return [(name, users or []) for name, users in await conn.fetch(LIST_GROUPS)]


async def remove_member(conn: Connection, by: Principal, project: str, kind: Member, name: str) -> None:
    """End a membership, from the member's next request on. ProjectError or AccountError where there is none."""
    project_id = (await find(conn, project)).id
    if await conn.fetchval(DROP_MEMBER, project_id, _ENTITY[kind], await _entity(conn, kind, name)) is None:
        raise ProjectError(f"{kind} {name} is no member of {project}")
    await audit.record(conn, by, "delete", "member", f"{kind} {name}", project_id=project_id)


async def join_group(conn: Connection, by: Principal, group: str, username: str) -> None:
    """Put a user into a group, made if it is not there. AccountError where there is no such user."""
    account_id = await _user(conn, username)
    if await conn.fetchval(MAKE_GROUP, group) is not None:
        await audit.record(conn, by, "create", "group", group)
    await conn.execute(JOIN_GROUP, await _entity(conn, "group", group), account_id)
    await audit.record(conn, by, "join", "group", f"{group} user {username}")


async def leave_group(conn: Connection, by: Principal, group: str, username: str) -> None:
    """Take a user out of a group. ProjectError or AccountError where one is not there."""
    account_id = await _user(conn, username)
    if await conn.fetchval(LEAVE_GROUP, await _entity(conn, "group", group), account_id) is None:
        raise ProjectError(f"{username} is not in group {group}")
    await audit.record(conn, by, "leave", "group", f"{group} user {username}")


async def _user(conn: Connection, username: str) -> int:
    account_id: int | None = await conn.fetchval(FIND_USER, username)
    if account_id is None:
        raise AccountError(f"there is no user {username}")
    return account_id


async def _entity(conn: Connection, kind: Member, name: str) -> int:
    if kind == "user":
        return await _user(conn, name)
    group_id: int | None = await conn.fetchval(FIND_GROUP, name)
    if group_id is None:
        raise ProjectError(f"there is no group {name}; make it with dfr group add {name} USER")
    return group_id
