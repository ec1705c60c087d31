"""Robots on real rows: signing in, what they may do, and how soon it ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from dataforge_registry.core import issued
from dataforge_registry.core.access import SYSTEM, Action, Principal, permits
from dataforge_registry.core.grants import Grant
from dataforge_registry.core.oci.errors import Conflict, QueryInvalid, TooManyRequests, Unauthorized
from dataforge_registry.core.passwords import Passwords
from dataforge_registry.core.records import accounts, projects, robots
from dataforge_registry.core.records.brakes import PAIR
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.robots import Robot
from dataforge_registry.core.secrets import Vault
from dataforge_registry.core.signin import SignIn

pytestmark = pytest.mark.asyncio
HOME = "192.0.2.1"
SECRET = issued.issue()
PULL = ("repository:pull",)


@pytest_asyncio.fixture(loop_scope="session")
async def sign_in(database: Database) -> AsyncIterator[SignIn]:
    passwords = Passwords()
    yield SignIn(database, passwords, Vault("a master secret of more than 32 characters"))
    passwords.close()


async def made(database: Database, name: str, stored: str = "", **options: Any) -> Robot:
    """A robot that may pull, with SECRET; project: the name of one that is there."""
    async with database.transaction() as conn:
        project = options.pop("project", None)
        project_id = (await projects.find(conn, project)).id if project else None
        access = options.pop("access", PULL)
        grants = options.pop("grants", None) or (Grant("project", project or "*", access, project_id),)
        stored = stored or issued.kept(SECRET)
        return await robots.create(
            conn, SYSTEM, name, stored, grants, project_id=project_id, project=project, **options
        )


async def project(database: Database, name: str = "wells") -> int:
    async with database.transaction() as conn:
        return await projects.create(conn, SYSTEM, name)


async def rights(database: Database, who: Principal, name: str = "wells") -> Any:
    async with database.acquire() as conn:
        return await accounts.rights(conn, who, name)


async def refused(sign_in: SignIn, name: str, secret: str = SECRET) -> str:
    with pytest.raises(Unauthorized) as refusal:
        await sign_in.password(name, secret, HOME)
    return f"{type(refusal.value)} {refusal.value.message} {refusal.value.headers}"


async def test_a_robot_signs_in_by_its_full_name_and_acts_in_its_project(sign_in: SignIn, database: Database) -> None:
    await project(database)
    await project(database, "other")
    ours = await made(database, "ci", project="wells", access=("repository:pull", "repository:push"))
    everywhere = await made(
        database, "ci", grants=(Grant("project", "*", PULL), Grant("system", "/", ("catalog:read",)))
    )
    assert (ours.full_name, everywhere.full_name) == ("robot$wells+ci", "robot$ci")
    who = await sign_in.password("robot$wells+ci", SECRET, HOME)
    assert (who.kind, who.id, who.name) == ("robot", ours.id, "robot$wells+ci")
    allowed = await rights(database, who)
    assert permits(allowed, Action.PUSH) and permits(allowed, Action.PULL)
    assert not permits(allowed, Action.DELETE) and not permits(allowed, Action.PROJECT_READ)
    assert (await rights(database, who, "other")).grants == ()
    system = await sign_in.password("robot$ci", SECRET, HOME)
    assert [(await rights(database, system, name)).grants for name in ("wells", "other", "")] == [
        PULL,
        PULL,
        ("catalog:read",),
    ]


async def test_every_failure_of_a_robot_reads_the_same(sign_in: SignIn, database: Database) -> None:
    await project(database)
    await made(database, "ci", project="wells")
    await made(database, "off", disabled=True)
    old = await made(database, "old", duration=1)
    async with database.transaction() as conn:
        await conn.execute("UPDATE robot SET expires_at = now() WHERE robot_id = $1", old.id)
        await accounts.create(conn, SYSTEM, "ann", None)
    told = [
        await refused(sign_in, "robot$wells+ci", issued.issue()),
        await refused(sign_in, "robot$wells+ci", "a password, and not its secret"),
        await refused(sign_in, "wells+ci"),
        await refused(sign_in, "robot$ci"),
        await refused(sign_in, "robot$absent+ci"),
        await refused(sign_in, "robot$off"),
        await refused(sign_in, "robot$old"),
        await refused(sign_in, "robot$"),
        await refused(sign_in, "robot$+"),
        await refused(sign_in, "ann"),
        await refused(sign_in, "nobody"),
    ]
    assert len(set(told)) == 1


async def test_a_robot_of_a_deleted_project_is_none_of_the_next(sign_in: SignIn, database: Database) -> None:
    first = await project(database)
    await made(database, "ci", project="wells")
    bound = await made(database, "fleet", grants=(Grant("project", "wells", PULL, first),))
    who = await sign_in.password("robot$wells+ci", SECRET, HOME)
    assert (await rights(database, Principal("robot", bound.id))).grants == PULL
    async with database.transaction() as conn:
        await conn.execute("UPDATE project SET deleted = true WHERE project_id = $1", first)
    await refused(sign_in, "robot$wells+ci")
    await project(database)
    await refused(sign_in, "robot$wells+ci")
    assert not (await rights(database, who)).valid
    assert (await rights(database, Principal("robot", bound.id))).grants == ()
    await made(database, "ci", project="wells")
    assert (await sign_in.password("robot$wells+ci", SECRET, HOME)).id != who.id


async def test_a_changed_secret_a_disabled_and_a_deleted_robot_stop_at_once(
    sign_in: SignIn, database: Database
) -> None:
    await project(database)
    robot = await made(database, "ci")
    first = await sign_in.password("robot$ci", SECRET, HOME)
    another = issued.issue()
    async with database.transaction() as conn:
        await robots.set_secret(conn, SYSTEM, robot, issued.kept(another))
    await refused(sign_in, "robot$ci")
    assert not (await rights(database, first)).valid
    second = await sign_in.password("robot$ci", another, HOME)
    async with database.transaction() as conn:
        await robots.update(
            conn, SYSTEM, robot, description="", grants=robot.grants, duration=robot.duration, disabled=True
        )
    await refused(sign_in, "robot$ci", another)
    assert not (await rights(database, second)).valid
    async with database.transaction() as conn:
        await robots.delete(conn, SYSTEM, robot)
    await refused(sign_in, "robot$ci", another)


async def test_a_chosen_secret_is_kept_like_a_password_and_not_remembered_beyond_it(
    sign_in: SignIn, database: Database
) -> None:
    chosen = "Chosen by somebody 1"
    passwords = Passwords()
    robot = await made(database, "ci", await passwords.hash(chosen))
    passwords.close()
    assert (await sign_in.password("robot$ci", chosen, HOME)).id == robot.id
    assert (await sign_in.password("robot$ci", chosen, HOME)).id == robot.id
    await refused(sign_in, "robot$ci", issued.issue())
    async with database.transaction() as conn:
        await robots.set_secret(conn, SYSTEM, robot, issued.kept(SECRET))
    await refused(sign_in, "robot$ci", chosen)
    assert (await sign_in.password("robot$ci", SECRET, HOME)).id == robot.id


async def test_who_guesses_at_a_robot_waits_and_the_robot_does_not(sign_in: SignIn, database: Database) -> None:
    robot = await made(database, "ci")
    for _ in range(PAIR.free):
        await refused(sign_in, "robot$ci", issued.issue())
    with pytest.raises(TooManyRequests):
        await sign_in.password("robot$ci", issued.issue(), HOME)
    assert (await sign_in.password("robot$ci", SECRET, HOME)).id == robot.id


async def test_the_last_use_is_noted_once_a_minute(sign_in: SignIn, database: Database) -> None:
    robot = await made(database, "ci")

    async def last_used() -> Any:
        async with database.acquire() as conn:
            return (await robots.get(conn, robot.id)).last_used

    assert await last_used() is None
    await asyncio.gather(*(sign_in.password("robot$ci", SECRET, HOME) for _ in range(5)))
    first = await last_used()
    assert first is not None
    await sign_in.password("robot$ci", SECRET, HOME)
    assert await last_used() == first
    async with database.transaction() as conn:
        await conn.execute("UPDATE robot SET last_used = now() - interval '2 minutes'")
    await sign_in.password("robot$ci", SECRET, HOME)
    assert await last_used() > first


@pytest.mark.parametrize("name", ["", "A", "a+b", "a$b", "-a", "a--b", "a" * 256, "a\n"])
async def test_a_name_that_no_robot_can_have(database: Database, name: str) -> None:
    with pytest.raises(QueryInvalid):
        await made(database, name)


async def test_a_name_is_taken_once_in_each_project_and_in_the_system(database: Database) -> None:
    await project(database)
    await made(database, "ci")
    await made(database, "ci", project="wells")
    for owner in (None, "wells"):
        with pytest.raises(Conflict):
            await made(database, "ci", project=owner)


async def test_a_duration_counts_from_the_creation_and_ends_when_it_is_lifted(database: Database) -> None:
    robot = await made(database, "ci", duration=2)

    async def changed(duration: int) -> Robot:
        async with database.transaction() as conn:
            await robots.update(
                conn, SYSTEM, robot, description="d", grants=robot.grants, duration=duration, disabled=False
            )
            return await robots.get(conn, robot.id)

    assert robot.expires_at is not None and (robot.expires_at - robot.creation_time).days == 2
    assert (await changed(-1)).expires_at is None
    longer = (await changed(30)).expires_at
    assert longer is not None and (longer - robot.creation_time).days == 30
    for never in (0, -2, 36_501):
        with pytest.raises(QueryInvalid):
            await changed(never)
