"""Promise P30: rights are live. Whatever ends a right ends it with the next request, by a password that was remembered
and by a token given out before, on every API. That a project is made again: tests/registry/v2/test_hostile.py; that the
database is down: tests/faults/test_postgres.py; links: tests/registry/curves/test_links.py."""

import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ..access.conftest import PASSWORD, SERVICE, basic_header
from .conftest import World
from .words import Who

NUMBERS = itertools.count()
GROUP = 3
pytestmark = pytest.mark.asyncio
PUSH, READ, LIST = (
    ("POST", "/v2/{}/img/blobs/uploads/"),
    ("GET", "/api/v1/projects/{}/mnemonics"),
    ("GET", "/api/v2.0/projects/{}/repositories"),
)
FINE = {PUSH: 202, READ: 200, LIST: 200}


class Case:
    """A project of one test's own, and somebody with rights there who has signed in both ways."""

    def __init__(self, world: World) -> None:
        self.world, self.project = world, f"live{next(NUMBERS)}"
        self.secret, self.user, self.path = PASSWORD, f"{self.project}-user", f"/api/v2.0/projects/{self.project}"
        self.id = self.member = self.token = ""

    async def admin(self, method: str, path: str, body: Any = "") -> Any:
        answer = await self.world.made(method, path, body)
        return json.loads(answer.body) if answer.body else answer.headers.get("location", "").rpartition("/")[2]

    async def made(self, public: bool = False) -> None:
        await self.admin("POST", "/api/v2.0/projects", {"project_name": self.project, "public": public})

    async def person(self, role: int | None, public: bool = False) -> None:
        """A user with a role, or without one."""
        await self.made(public)
        self.id = await self.admin("POST", "/api/v2.0/users", {"username": self.user, "password": PASSWORD})
        if role is not None:
            body = {"role_id": role, "member_user": {"username": self.user}}
            self.member = await self.admin("POST", f"{self.path}/members", body)
        await self.signed_in()

    async def robot(self) -> None:
        """A robot of the project that pulls, pushes and lists."""
        await self.made()
        body = {"name": "ci", "level": "project", "permissions": [self.grants("pull", "push", "list")]}
        found = await self.admin("POST", "/api/v2.0/robots", body)
        self.id, self.user, self.secret = str(found["id"]), found["name"], found["secret"]
        await self.signed_in()

    def grants(self, *actions: str) -> dict[str, Any]:
        access = [{"resource": "repository", "action": action} for action in actions]
        return {"kind": "project", "namespace": self.project, "access": access}

    def basic(self) -> str:
        return basic_header(f"{self.user}:{self.secret}".encode())

    async def signed_in(self) -> None:
        scope = f"repository:{self.project}/img:pull,push"
        path = f"{self.world.registry.url}/service/token?service={SERVICE}&scope={scope}"
        async with self.world.registry.client.get(path, headers={"Authorization": self.basic()}) as answer:
            assert answer.status == 200
            self.token = (await answer.json())["token"]

    async def told(self) -> dict[tuple[str, str], set[int]]:
        """What each request is answered, with the password and with the token."""
        found: dict[tuple[str, str], set[int]] = {}
        for request in FINE:
            method, path = request
            for given in (self.basic(), f"Bearer {self.token}"):
                if request == LIST and given != self.basic() and self.user.startswith("robot$"):
                    continue  # a robot's token is for /v2
                url = self.world.registry.url + path.format(self.project)
                async with self.world.registry.client.request(method, url, headers={"Authorization": given}) as answer:
                    found.setdefault(request, set()).add(answer.status)
        return found


Ends = Callable[[Case], Awaitable[Any]]


async def sql(case: Case, statement: str, *arguments: Any) -> None:
    async with case.world.registry.database.transaction() as conn:
        await conn.execute(statement, *arguments)


PEOPLE: dict[str, tuple[Ends, int]] = {
    "removed": (lambda case: case.admin("DELETE", f"{case.path}/members/{case.member}"), 403),
    "disabled": (lambda case: sql(case, "UPDATE account SET disabled = true WHERE username = $1", case.user), 401),
    "deleted": (lambda case: case.admin("DELETE", f"/api/v2.0/users/{case.id}"), 401),
    "another password": (
        lambda case: case.admin("PUT", f"/api/v2.0/users/{case.id}/password", {"new_password": PASSWORD + " new"}),
        401,
    ),
    "project deleted": (lambda case: sql(case, "UPDATE project SET deleted = true WHERE name = $1", case.project), 403),
}
ROBOTS: dict[str, tuple[Ends, int]] = {
    "disabled": (lambda case: case.admin("PUT", f"/api/v2.0/robots/{case.id}", {"disable": True}), 401),
    "expired": (lambda case: sql(case, "UPDATE robot SET expires_at = now() WHERE robot_id = $1", int(case.id)), 401),
    "another secret": (lambda case: case.admin("PATCH", f"/api/v2.0/robots/{case.id}", {}), 401),
    "deleted": (lambda case: case.admin("DELETE", f"/api/v2.0/robots/{case.id}"), 401),
    "project deleted": (lambda case: sql(case, "UPDATE project SET deleted = true WHERE name = $1", case.project), 401),
}


async def check(case: Case, ends: Ends, *statuses: int) -> None:
    assert await case.told() == {request: {fine} for request, fine in FINE.items()}
    await ends(case)
    assert await case.told() == {request: set(statuses) for request in FINE}


@pytest.mark.parametrize("how", PEOPLE)
async def test_a_person(world: World, how: str) -> None:
    case = Case(world)
    await case.person(2)
    await check(case, *PEOPLE[how])


@pytest.mark.parametrize("how", ROBOTS)
async def test_a_robot(world: World, how: str) -> None:
    case = Case(world)
    await case.robot()
    await check(case, *ROBOTS[how])


async def test_a_lesser_role_and_a_lesser_grant(world: World) -> None:
    person, robot = Case(world), Case(world)
    await person.person(2)
    await robot.robot()
    assert (await person.told())[PUSH] == (await robot.told())[PUSH] == {202}
    await person.admin("PUT", f"{person.path}/members/{person.member}", {"role_id": 3})
    await robot.admin("PUT", f"/api/v2.0/robots/{robot.id}", {"permissions": [robot.grants("pull", "list")]})
    for case in (person, robot):
        assert await case.told() == {PUSH: {403}, READ: {200}, LIST: {200}}


async def test_a_group_that_was_left(world: World) -> None:
    case = Case(world)
    await case.person(None)
    group = {"role_id": 2, "member_group": {"group_name": case.user, "group_type": GROUP}}
    await case.admin("POST", f"{case.path}/members", group)
    await sql(
        case,
        "INSERT INTO user_group_member SELECT g.group_id, a.account_id FROM user_group g, account a"
        " WHERE g.name = $1 AND a.username = $1",
        case.user,
    )
    left = "DELETE FROM user_group_member WHERE account_id = (SELECT account_id FROM account WHERE username = $1)"
    await check(case, lambda case: sql(case, left, case.user), 403)


async def test_a_project_that_is_public_no_more(world: World) -> None:
    case = Case(world)
    await case.person(None, public=True)
    assert await case.told() == {PUSH: {403}, READ: {200}, LIST: {200}}
    assert (await world.send(Who(""), *_of(LIST, case))).status == 200
    await case.admin("PUT", f"{case.path}/metadatas/public", {"public": "false"})
    assert await case.told() == {PUSH: {403}, READ: {403}, LIST: {403}}
    assert (await world.send(Who(""), *_of(LIST, case))).status == 401


async def test_an_administrator_no_more(world: World) -> None:
    case = Case(world)
    await case.person(None)
    await case.admin("PUT", f"/api/v2.0/users/{case.id}/sysadmin", {"sysadmin_flag": True})
    await case.signed_in()
    ends = {"sysadmin_flag": False}
    # the token ends too: it was an administrator's
    await check(case, lambda case: case.admin("PUT", f"/api/v2.0/users/{case.id}/sysadmin", ends), 401, 403)


def _of(request: tuple[str, str], case: Case) -> tuple[str, str]:
    method, path = request
    return method, path.format(case.project)
