"""Members of a project: users and groups, each with one of Harbor's five roles."""

from typing import Annotated, Any

import msgspec

from ...core.access import Action
from ...core.oci.errors import QueryInvalid
from ...core.records import members
from ..endpoint import NoQuery, answer, described
from ..v2.answer import Answer
from .answers import created, done
from .lists import Paged, listed
from .operation import Call, Operation
from .texts import Id, Word

ROLES = {1: "projectAdmin", 2: "developer", 3: "guest", 4: "maintainer", 5: "limitedGuest"}
_PLAIN = ("id", "project_id", "entity_id", "entity_name", "entity_type", "role_id")
Role = Annotated[int, msgspec.Meta(ge=1, le=5)]


class Members(Paged, frozen=True, kw_only=True):
    """Which members."""

    entityname: Annotated[Word, described("Part of the name.")] = ""


class User(msgspec.Struct, frozen=True):
    """By id, or by name."""

    user_id: Id = 0
    username: Word = ""


class Group(msgspec.Struct, frozen=True):
    """By id, or by name. group_type 3: one that an OIDC provider names, made where it is not there."""

    id: Id = 0
    group_name: Word = ""
    group_type: int = 0


class MemberBody(msgspec.Struct, frozen=True):
    """Who is to be a member, and as what."""

    role_id: Role
    member_user: User | None = None
    member_group: Group | None = None


class RoleBody(msgspec.Struct, frozen=True):
    """1 project admin, 2 developer, 3 guest, 4 maintainer, 5 limited guest."""

    role_id: Role


class Member(msgspec.Struct, frozen=True):
    """A member; entity_type u: a user, g: a group."""

    id: int
    project_id: int
    entity_id: int
    entity_name: str
    entity_type: str
    role_id: int
    role_name: str


def _member(row: Any) -> Member:
    return Member(
        **{name: row[name] for name in _PLAIN},
        role_name=ROLES[row["role_id"]],
    )


async def _list(call: Call[Members]) -> Answer:
    async with call.database.acquire() as conn:
        rows, total = await members.page(conn, call.project_id, call.query.entityname, call.query.asked)
    return listed(call, [_member(row) for row in rows], total)


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        return answer(_member(await members.get(conn, call.project_id, call.number("mid"))))


async def _create(call: Call[NoQuery]) -> Answer:
    body: MemberBody = call.body
    user, group = body.member_user or User(), body.member_group or Group()
    async with call.database.transaction() as conn:
        if user.user_id or user.username:
            made = await members.add_user(
                conn, call.principal, call.project_id, user.user_id, user.username, body.role_id, call.audit
            )
        elif group.id or group.group_name:
            named = (group.id, group.group_name, group.group_type)
            made = await members.add_group(conn, call.principal, call.project_id, *named, body.role_id, call.audit)
        else:
            raise QueryInvalid("say who: member_user by user_id or username, or member_group by id or group_name")
    return created(f"/projects/{call.project_id}/members/{made}")


async def _update(call: Call[NoQuery]) -> Answer:
    member, role = call.number("mid"), call.body.role_id
    async with call.database.transaction() as conn:
        await members.change(conn, call.principal, call.project_id, member, role, call.audit)
    return done()


async def _delete(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        await members.remove(conn, call.principal, call.project_id, call.number("mid"), call.audit)
    return done()


_ALL = "/projects/{project_name_or_id}/members"
_ONE = _ALL + "/{mid}"
OPERATIONS = (
    Operation("GET", _ALL, "Members of a project", _list, Members, result=list[Member], needs=Action.MEMBER_LIST),
    Operation(
        "POST",
        _ALL,
        "Make a user or group a member",
        _create,
        body=MemberBody,
        status=201,
        needs=Action.MEMBER_CREATE,
        statuses={409: "It is one."},
    ),
    Operation("GET", _ONE, "A member", _get, result=Member, needs=Action.MEMBER_READ),
    Operation("PUT", _ONE, "Give a member another role", _update, body=RoleBody, needs=Action.MEMBER_UPDATE),
    Operation("DELETE", _ONE, "End a membership", _delete, needs=Action.MEMBER_DELETE),
)
