"""Groups of users. Who is in one says `dfr group`, or whoever signs them in."""

from typing import Annotated

import msgspec

from ...core.access import SystemAction
from ...core.oci.errors import QueryInvalid
from ...core.records import groups
from ...core.records.groups import Group
from ..endpoint import NoQuery, answer
from ..v2.answer import Answer
from .answers import created, done
from .lists import Paged, listed
from .operation import Anyone, Call, Operation
from .users import Line

HTTP, LOCAL = 2, 3
Name = Annotated[Line, msgspec.Meta(min_length=1)]


class UserGroup(msgspec.Struct, frozen=True):
    """A group; `group_type` 2 HTTP, 3 OIDC or local."""

    id: int
    group_name: str
    group_type: int


class GroupBody(msgspec.Struct, frozen=True):
    """A group's name and type."""

    group_name: Name
    group_type: int | None = None


class GroupsAsked(Paged, frozen=True):
    """A part of the name."""

    group_name: Line = ""


class GroupSearch(Paged, frozen=True):
    """A part of the name."""

    groupname: Name


def _shown(group: Group) -> UserGroup:
    return UserGroup(group.id, group.name, group.kind)


async def _list(call: Call[GroupsAsked]) -> Answer:
    async with call.database.acquire() as conn:
        found, total = await groups.page(conn, call.query.asked, call.query.group_name)
    return listed(call, [_shown(group) for group in found], total)


async def _search(call: Call[GroupSearch]) -> Answer:
    async with call.database.acquire() as conn:
        found, total = await groups.page(conn, call.query.asked, call.query.groupname)
    return listed(call, [_shown(group) for group in found], total)


async def _create(call: Call[NoQuery]) -> Answer:
    asked: GroupBody = call.body
    kind = LOCAL if asked.group_type is None else asked.group_type
    if kind not in (HTTP, LOCAL):
        raise QueryInvalid("group_type is 2 (HTTP) or 3 (OIDC, or local); LDAP is not served")
    async with call.database.transaction() as conn:
        made = await groups.create(conn, call.principal, asked.group_name, kind, **call.audit)
    return created(f"/usergroups/{made}")


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        return answer(_shown(await groups.get(conn, call.number("group_id"))))


async def _put(call: Call[NoQuery]) -> Answer:
    asked: GroupBody = call.body
    async with call.database.transaction() as conn:
        group = await groups.get(conn, call.number("group_id"))
        await groups.rename(conn, call.principal, group, asked.group_name, **call.audit)
    return done()


async def _delete(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        group = await groups.get(conn, call.number("group_id"))
        await groups.delete(conn, call.principal, group, **call.audit)
    return done()


_GROUP = "/usergroups/{group_id}"
_TAKEN = {409: "There is a group of that name."}
OPERATIONS = (
    Operation(
        "GET", "/usergroups", "All groups", _list, GroupsAsked, result=list[UserGroup], needs=SystemAction.GROUP_LIST
    ),
    Operation(
        "POST",
        "/usergroups",
        "Make a group",
        _create,
        body=GroupBody,
        status=201,
        statuses=_TAKEN,
        needs=SystemAction.GROUP_CREATE,
    ),
    Operation(
        "GET",
        "/usergroups/search",
        "Groups by a part of the name",
        _search,
        GroupSearch,
        result=list[UserGroup],
        needs=Anyone.SIGNED_IN,
    ),
    Operation("GET", _GROUP, "A group", _get, result=UserGroup, needs=SystemAction.GROUP_READ),
    Operation("PUT", _GROUP, "Rename a group", _put, body=GroupBody, statuses=_TAKEN, needs=SystemAction.GROUP_UPDATE),
    Operation("DELETE", _GROUP, "End a group", _delete, needs=SystemAction.GROUP_DELETE),
)
