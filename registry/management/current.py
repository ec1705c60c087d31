"""Whoever is asking: who that is and what they may do; and which permissions there are at all."""

from collections.abc import Iterable

import msgspec

from ...core.access import Action, Rights, SystemAction, permits, permits_system
from ...core.oci.errors import Denied, InUse
from ...core.records import accounts, identities, projects, users
from ..endpoint import NoQuery, answer
from ..v2.answer import Answer
from .lists import Paged, listed
from .operation import Anyone, Call, Operation
from .users import Line, UserResp, shown

_PROJECT, _SYSTEM = "/project/", "/system"


class Permission(msgspec.Struct, frozen=True):
    """An action on a resource."""

    resource: str
    action: str


class Permissions(msgspec.Struct, frozen=True):
    """What robots can be granted."""

    project: list[Permission]
    system: list[Permission] = []


class Scope(msgspec.Struct, frozen=True):
    """`/project/1`, or `/system`; `relative`: resources without the scope before them."""

    scope: Line = ""
    relative: bool = False


class UserSearch(Paged, frozen=True):
    """A whole name: parts of names find nobody, so that names cannot be collected."""

    username: Line


class UserFound(msgspec.Struct, frozen=True):
    """A user's id and name."""

    user_id: int
    username: str


async def _current(call: Call[NoQuery]) -> Answer:
    if call.principal.kind != "account":
        raise InUse(f"{call.actor.username} is no user")
    async with call.database.acquire() as conn:
        user = await users.get(conn, call.principal.id)
        return answer(shown(user, await identities.meta(conn, user.id)))


async def _current_permissions(call: Call[Scope]) -> Answer:
    scope = call.query.scope.rstrip("/") or _SYSTEM
    if scope == _SYSTEM:
        words = [each.permission for each in SystemAction if permits_system(call.principal, call.rights, each)]
    else:
        words = list(_permitted(call, await _rights_in(call, scope)))
    return answer([_scoped(word, scope, call.query.relative) for word in words])


async def _rights_in(call: Call[Scope], scope: str) -> Rights:
    """The caller's rights in the project that a scope names by id: none where there is no such project."""
    number = scope.removeprefix(_PROJECT)
    if not scope.startswith(_PROJECT) or not (number.isascii() and number.isdecimal()) or len(number) > 18:
        return Rights(False)
    async with call.database.acquire() as conn:
        name = await projects.name_of(conn, int(number))
        return Rights(False) if name is None else await accounts.rights(conn, call.principal, name)


def _permitted(call: Call[Scope], rights: Rights) -> Iterable[str]:
    ceiling = call.principal.ceiling
    for action in Action:
        if permits(rights, action) and (ceiling is None or action in ceiling):
            yield action.permission


def _scoped(word: str, scope: str, relative: bool) -> Permission:
    """Harbor's way to write it: the project itself is its scope, and `.` relative to it."""
    resource, action = word.split(":")
    if resource == "project" and scope != _SYSTEM:
        return Permission("." if relative else scope, action)
    return Permission(resource if relative else f"{scope}/{resource}", action)


async def _search(call: Call[UserSearch]) -> Answer:
    async with call.database.acquire() as conn:
        found = await users.named(conn, call.query.username)
    everybody = [] if found is None else [UserFound(*found)]
    return listed(call, everybody if call.query.page == 1 else [], len(everybody))


async def _permissions(call: Call[NoQuery]) -> Answer:
    project = _all(Action)
    if call.rights.admin:
        return answer(Permissions(project, _all(SystemAction)))
    async with call.database.acquire() as conn:
        if not await users.administers(conn, call.principal):
            raise Denied("only an administrator of the system or of a project may do this")
    return answer(Permissions(project))


def _all(actions: Iterable[Action | SystemAction]) -> list[Permission]:
    return [Permission(*action.permission.split(":")) for action in actions]


OPERATIONS = (
    Operation(
        "GET",
        "/users/current",
        "Who is asking",
        _current,
        result=UserResp,
        statuses={412: "It is a robot."},
        needs=Anyone.SIGNED_IN,
    ),
    Operation(
        "GET",
        "/users/current/permissions",
        "What whoever is asking may do",
        _current_permissions,
        Scope,
        result=list[Permission],
        needs=Anyone.SIGNED_IN,
    ),
    Operation(
        "GET",
        "/users/search",
        "The user of a name",
        _search,
        UserSearch,
        result=list[UserFound],
        needs=Anyone.SIGNED_IN,
    ),
    Operation("GET", "/permissions", "What can be granted", _permissions, result=Permissions, needs=Anyone.SIGNED_IN),
)
