"""Robots of projects and of the system. Nobody grants one what he may not do, nor takes hold of one that may more."""

from ...core import issued
from ...core.access import Action, SystemAction, hidden, permits_system, require, require_system
from ...core.grants import ALL, MOST, Grant, check_words, covers
from ...core.oci.errors import Denied, NotFound, QueryInvalid
from ...core.records import accounts, projects, robots
from ...core.records.database import Connection
from ...core.records.robots import Robot
from ...core.search import parse_query
from ..endpoint import NoQuery, answer
from ..v2.answer import Answer
from .answers import created, done
from .lists import Listed, listed
from .operation import Anyone, Call, Operation
from .robot_types import (
    DURATION,
    RobotCreate,
    RobotCreated,
    RobotPermission,
    RobotSecret,
    RobotShown,
    RobotUpdate,
    expires_at,
    shown,
)
from .users import signing_in


async def _list(call: Call[Listed]) -> Answer:
    """Of a project with `q=Level=project,ProjectID=1`, else of the system."""
    asked = {each.field.lower().replace("_", ""): each.texts() for each in parse_query(call.query.conditions)}
    async with call.database.acquire() as conn:
        project_id = None
        if asked.get("level") == ["project"]:
            number = "".join(asked.get("projectid", []))
            if not (number.isascii() and number.isdecimal()) or len(number) > 18:
                raise QueryInvalid("robots of a project: q=Level=project,ProjectID=1")
            name = await projects.name_of(conn, int(number))
            rights = await accounts.rights(conn, call.principal, name or "/")
            require(call.principal, rights, Action.ROBOT_LIST)
            project_id = rights.project_id
        else:
            require_system(call.principal, call.rights, SystemAction.ROBOT_LIST)
        found, total = await robots.page(conn, call.query.asked, project_id)
    return listed(call, [shown(robot) for robot in found], total)


async def _create(call: Call[NoQuery]) -> Answer:
    asked: RobotCreate = call.body
    secret, kept = await _secret(call, asked.secret or "")
    async with call.database.transaction() as conn:
        project, project_id = None, None
        if asked.level == "project":
            if [(each.kind, each.namespace == ALL) for each in asked.permissions] != [("project", False)]:
                raise QueryInvalid("a project's robot has one permission: of kind project, its namespace the project")
            project = asked.permissions[0].namespace
            rights = await accounts.rights(conn, call.principal, project)
            require(call.principal, rights, Action.ROBOT_CREATE)
            project_id = rights.project_id
        else:
            require_system(call.principal, call.rights, SystemAction.ROBOT_CREATE)
        made = await robots.create(
            conn,
            call.principal,
            asked.name,
            kept,
            await _granted(conn, call, asked.permissions),
            project_id=project_id,
            project=project,
            description=asked.description or "",
            duration=DURATION if asked.duration is None else asked.duration,
            disabled=bool(asked.disable),
            **call.audit,
        )
    found = RobotCreated(made.id, made.full_name, secret, made.creation_time, expires_at(made))
    return created(f"/robots/{made.id}", found)


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        return answer(shown(await readable(conn, call, Action.ROBOT_READ, SystemAction.ROBOT_READ)))


async def _put(call: Call[NoQuery]) -> Answer:
    asked: RobotUpdate = call.body
    async with call.database.transaction() as conn:
        robot = await held(conn, call)
        level = "system" if robot.project is None else "project"
        if asked.name not in (None, "", robot.name, robot.full_name) or asked.level not in (None, "", level):
            raise QueryInvalid("a robot's name and level cannot be changed")
        grants = robot.grants
        if asked.permissions is not None:
            if robot.project and [(each.kind, each.namespace) for each in asked.permissions] != [
                ("project", robot.project)
            ]:
                raise QueryInvalid("a project's robot has one permission: of kind project, its namespace the project")
            grants = await _granted(conn, call, asked.permissions)
        await robots.update(
            conn,
            call.principal,
            robot,
            description=asked.description or "",
            grants=grants,
            duration=robot.duration if asked.duration is None else asked.duration,
            disabled=bool(asked.disable),
            **call.audit,
        )
    return done()


async def _patch(call: Call[NoQuery]) -> Answer:
    chosen: str = call.body.secret or ""
    secret, kept = await _secret(call, chosen)
    async with call.database.transaction() as conn:
        await robots.set_secret(conn, call.principal, await held(conn, call), kept, **call.audit)
    return answer(RobotSecret("" if chosen else secret), headers={"cache-control": "no-store"})


async def _delete(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        robot = await readable(conn, call, Action.ROBOT_DELETE, SystemAction.ROBOT_DELETE)
        await robots.delete(conn, call.principal, robot, **call.audit)
    return done()


async def _secret(call: Call[NoQuery], chosen: str) -> tuple[str, str]:
    """The secret, made here or chosen, and what is kept of it. A chosen one may be guessed: it costs as a password."""
    secret = chosen or issued.issue()
    if issued.is_issued(secret):
        return secret, issued.kept(secret)
    return secret, await signing_in(call.services.sign_in).hash(secret)


async def readable(conn: Connection, call: Call[NoQuery], action: Action, of_system: SystemAction) -> Robot:
    """The path's robot, for one who may do this; there is none for one who may not even read it."""
    robot = await robots.get(conn, call.number("robot_id"))
    if robot.project is None:
        if not any(permits_system(call.principal, call.rights, each) for each in (of_system, SystemAction.ROBOT_READ)):
            raise NotFound("there is no such robot")
        require_system(call.principal, call.rights, of_system)
    else:
        rights = await accounts.rights(conn, call.principal, robot.project)
        if call.principal.ceiling is not None or hidden(rights, action, Action.ROBOT_READ):
            raise NotFound("there is no such robot")
        require(call.principal, rights, action)
    return robot


async def held(conn: Connection, call: Call[NoQuery]) -> Robot:
    """The path's robot, for one who may change it and whatever it may do."""
    robot = await readable(conn, call, Action.ROBOT_UPDATE, SystemAction.ROBOT_UPDATE)
    for grant in robot.grants:
        await _check_covered(conn, call, grant)
    return robot


async def _granted(conn: Connection, call: Call[NoQuery], permissions: list[RobotPermission]) -> tuple[Grant, ...]:
    if not permissions or sum(len(each.access) for each in permissions) > MOST:
        raise QueryInvalid(f"a robot has 1 to {MOST} permissions")
    grants = []
    for each in permissions:
        words = check_words(each.kind, [f"{access.resource}:{access.action}" for access in each.access])
        grant = Grant(each.kind, "/" if each.kind == "system" else each.namespace, words)
        grants.append(await _check_covered(conn, call, grant))
    return tuple(grants)


async def _check_covered(conn: Connection, call: Call[NoQuery], grant: Grant) -> Grant:
    """The grant bound to its project. Denied where the caller may not do all of it himself."""
    rights = await accounts.rights(conn, call.principal, "" if grant.kind == "system" else grant.namespace)
    if not covers(call.principal, rights, grant):
        raise Denied("a robot cannot be granted, or taken over with, what you may not do yourself")
    named = grant.kind == "project" and grant.namespace != ALL
    if named and rights.project_id is None:
        raise NotFound(f"there is no project {grant.namespace}")
    return Grant(grant.kind, grant.namespace, grant.access, rights.project_id if named else None)


_ROBOT, _SIGNED = "/robots/{robot_id}", Anyone.SIGNED_IN
_TAKEN = {409: "There is a robot of that name."}
OPERATIONS = (
    Operation(
        "GET",
        "/robots",
        "Robots of the system, or with q=Level=project,ProjectID=1 of a project",
        _list,
        Listed,
        result=list[RobotShown],
        needs=_SIGNED,
    ),
    Operation(
        "POST",
        "/robots",
        "Make a robot",
        _create,
        body=RobotCreate,
        result=RobotCreated,
        status=201,
        statuses=_TAKEN,
        needs=_SIGNED,
    ),
    Operation("GET", _ROBOT, "A robot", _get, result=RobotShown, needs=_SIGNED),
    Operation("PUT", _ROBOT, "Change a robot", _put, body=RobotUpdate, needs=_SIGNED),
    Operation("PATCH", _ROBOT, "Replace a robot's secret", _patch, body=RobotSecret, result=RobotSecret, needs=_SIGNED),
    Operation("DELETE", _ROBOT, "End a robot", _delete, needs=_SIGNED),
)
