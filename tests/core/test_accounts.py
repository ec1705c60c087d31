"""Accounts, projects and members on real rows: rights follow every change at once, every change is written down."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from dataforge_registry.core.access import ANONYMOUS, DEVELOPER, GUEST, PROJECT_ADMIN, SYSTEM, Principal, Rights
from dataforge_registry.core.first_start import ensure_admin
from dataforge_registry.core.oci.errors import NameInvalid
from dataforge_registry.core.passwords import Passwords, WeakPassword
from dataforge_registry.core.records import accounts, projects
from dataforge_registry.core.records.accounts import AccountError
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.projects import ProjectError

pytestmark = pytest.mark.asyncio


async def account(database: Database, name: str, *, admin: bool = False) -> Principal:
    async with database.transaction() as conn:
        await accounts.create(conn, SYSTEM, name, None, admin=admin)
        found = await accounts.find(conn, name)
    assert found is not None
    return found.principal


async def rights(database: Database, who: Principal, project: str = "wells") -> Rights:
    async with database.acquire() as conn:
        return await accounts.rights(conn, who, project)


async def audit(database: Database) -> list[tuple[str, str, str, str]]:
    async with database.acquire() as conn:
        rows = await conn.fetch("SELECT username, operation, resource_type, resource FROM access_log ORDER BY log_id")
    return [tuple(row) for row in rows]


async def test_rights_of_a_member_a_groups_member_an_administrator_and_a_stranger(database: Database) -> None:
    ann, bob, eve = [await account(database, name) for name in ("ann", "bob", "eve")]
    root = await account(database, "root", admin=True)
    async with database.transaction() as conn:
        project_id = await projects.create(conn, SYSTEM, "wells", sparse=True)
        await projects.join_group(conn, SYSTEM, "geology", "bob")
        await projects.set_member(conn, SYSTEM, "wells", "user", "ann", DEVELOPER)
        await projects.set_member(conn, SYSTEM, "wells", "user", "bob", GUEST)
        await projects.set_member(conn, SYSTEM, "wells", "group", "geology", PROJECT_ADMIN)
    assert await rights(database, ann) == Rights(True, False, project_id, False, True, (DEVELOPER,))
    assert sorted((await rights(database, bob)).roles) == [PROJECT_ADMIN, GUEST]
    assert await rights(database, eve) == Rights(True, False, project_id, False, True)
    assert await rights(database, root) == Rights(True, True, project_id, False, True)
    assert await rights(database, SYSTEM) == Rights(True, True, project_id, False, True)
    assert await rights(database, ANONYMOUS) == Rights(True, False, project_id, False, True)
    assert await rights(database, ann, "other") == Rights(True)


async def test_a_number_is_not_taken_for_another_kind_of_principal(database: Database) -> None:
    ann = await account(database, "ann")
    async with database.transaction() as conn:
        await projects.create(conn, SYSTEM, "wells")
        await conn.execute("INSERT INTO user_group (name) VALUES ('a group with the id of ann')")
        await projects.set_member(conn, SYSTEM, "wells", "group", "a group with the id of ann", PROJECT_ADMIN)
    assert (await rights(database, ann)).roles == ()
    assert not (await rights(database, Principal("robot", ann.id))).valid


async def test_a_robot_goes_with_its_project_and_one_of_the_system_stays(database: Database) -> None:
    async with database.transaction() as conn:
        project_id = await projects.create(conn, SYSTEM, "wells")
        robots = [
            await conn.fetchval(
                "INSERT INTO robot (project_id, name, secret) VALUES ($1, $2, '') RETURNING robot_id", owner, name
            )
            for owner, name in ((project_id, "robot$wells+ci"), (None, "robot$ci"))
        ]
    theirs, systems = (Principal("robot", number) for number in robots)
    assert (await rights(database, theirs)).valid and (await rights(database, systems)).valid
    async with database.transaction() as conn:
        await conn.execute("UPDATE project SET deleted = true WHERE project_id = $1", project_id)
        await projects.create(conn, SYSTEM, "wells")
    assert not (await rights(database, theirs)).valid
    assert (await rights(database, systems)).valid


async def test_a_member_who_is_removed_has_no_role_at_the_next_question(database: Database) -> None:
    ann = await account(database, "ann")
    async with database.transaction() as conn:
        await projects.create(conn, SYSTEM, "wells", owner="ann")
        await projects.join_group(conn, SYSTEM, "geology", "ann")
        await projects.set_member(conn, SYSTEM, "wells", "group", "geology", GUEST)
    assert sorted((await rights(database, ann)).roles) == [PROJECT_ADMIN, GUEST]
    async with database.transaction() as conn:
        await projects.remove_member(conn, SYSTEM, "wells", "user", "ann")
    assert (await rights(database, ann)).roles == (GUEST,)
    async with database.transaction() as conn:
        await projects.leave_group(conn, SYSTEM, "geology", "ann")
    assert (await rights(database, ann)).roles == ()


async def test_a_disabled_account_and_a_changed_password_end_what_was_given_out(database: Database) -> None:
    ann = await account(database, "ann")
    async with database.transaction() as conn:
        await accounts.disable(conn, SYSTEM, "ANN")
    assert not (await rights(database, ann)).valid
    async with database.transaction() as conn:
        await accounts.disable(conn, SYSTEM, "ann", disabled=False)
        again = await accounts.find(conn, "ann")
    assert again is not None
    assert not (await rights(database, ann)).valid
    assert (await rights(database, again.principal)).valid
    async with database.transaction() as conn:
        await accounts.change_password(conn, SYSTEM, "ann", "hash")
    assert not (await rights(database, again.principal)).valid


async def test_a_project_made_again_under_its_name_knows_nobody(database: Database) -> None:
    ann = await account(database, "ann")
    async with database.transaction() as conn:
        first = await projects.create(conn, SYSTEM, "wells", owner="ann", public=True)
        await conn.execute("UPDATE project SET deleted = true WHERE project_id = $1", first)
    assert await rights(database, ann) == Rights(True)
    async with database.transaction() as conn:
        second = await projects.create(conn, SYSTEM, "wells")
    assert await rights(database, ann) == Rights(True, False, second)


async def test_every_change_is_written_down_with_who_did_it(database: Database) -> None:
    root = await account(database, "root", admin=True)
    async with database.transaction() as conn:
        await accounts.create(conn, root, "ann", None)
        await projects.create(conn, root, "wells")
        await projects.set_member(conn, root, "wells", "user", "ann", GUEST)
        await projects.remove_member(conn, root, "wells", "user", "ann")
        await projects.join_group(conn, root, "geology", "ann")
        await projects.leave_group(conn, root, "geology", "ann")
        await accounts.change_password(conn, root, "ann", "secret hash")
        await accounts.disable(conn, root, "ann")
        await accounts.disable(conn, root, "ann", disabled=False)
    assert await audit(database) == [
        ("system", "create", "account", "root"),
        ("root", "create", "account", "ann"),
        ("root", "create", "project", "wells"),
        ("root", "create", "member", "user ann role 3"),
        ("root", "delete", "member", "user ann"),
        ("root", "create", "group", "geology"),
        ("root", "join", "group", "geology user ann"),
        ("root", "leave", "group", "geology user ann"),
        ("root", "password", "account", "ann"),
        ("root", "disable", "account", "ann"),
        ("root", "enable", "account", "ann"),
    ]
    async with database.acquire() as conn:
        made = await conn.fetchrow("SELECT kind, username, payload->>'name' FROM event")
    assert made is not None
    assert tuple(made) == ("project.created", "root", "wells")


async def test_a_change_that_fails_leaves_neither_change_nor_trace(database: Database) -> None:
    with pytest.raises(AccountError, match="no user bob"):
        async with database.transaction() as conn:
            await accounts.create(conn, SYSTEM, "ann", None)
            await accounts.disable(conn, SYSTEM, "bob")
    assert await audit(database) == []
    async with database.acquire() as conn:
        assert await accounts.list_accounts(conn) == []


async def test_a_name_that_basic_cannot_carry_is_refused(database: Database) -> None:
    for name in ["", "a:b", "-a", "robot$x", "a b", "a\0", "ä", "x" * 256, "a\n"]:
        with pytest.raises(AccountError, match="a user name has"):
            async with database.transaction() as conn:
                await accounts.create(conn, SYSTEM, name, None)


async def test_a_project_that_no_repository_can_be_in_is_refused(database: Database) -> None:
    for name in ["", "Wells", "a/b", "-a", "a b"]:
        with pytest.raises(NameInvalid):
            async with database.transaction() as conn:
                await projects.create(conn, SYSTEM, name)


async def test_names_are_taken_once(database: Database) -> None:
    await account(database, "Ann")
    with pytest.raises(AccountError, match="a user ann already"):
        await account(database, "ann")
    async with database.transaction() as conn:
        await projects.create(conn, SYSTEM, "wells")
    with pytest.raises(ProjectError, match="a project wells already"):
        async with database.transaction() as conn:
            await projects.create(conn, SYSTEM, "wells")


async def test_what_is_not_there_is_named(database: Database) -> None:
    async with database.transaction() as conn:
        with pytest.raises(ProjectError, match="no project wells"):
            await projects.set_member(conn, SYSTEM, "wells", "user", "ann", GUEST)
        await projects.create(conn, SYSTEM, "wells")
        with pytest.raises(AccountError, match="no user ann"):
            await projects.set_member(conn, SYSTEM, "wells", "user", "ann", GUEST)
        with pytest.raises(ProjectError, match="no group geology"):
            await projects.set_member(conn, SYSTEM, "wells", "group", "geology", GUEST)
        await accounts.create(conn, SYSTEM, "ann", None)
        with pytest.raises(ProjectError, match="no member of wells"):
            await projects.remove_member(conn, SYSTEM, "wells", "user", "ann")


async def test_servers_starting_together_make_one_administrator(database: Database, tmp_path: Path) -> None:
    passwords = Passwords()
    shown = await asyncio.gather(*(ensure_admin(database, passwords, "", tmp_path) for _ in range(8)))
    made = [password for password in shown if password is not None]
    assert len(made) == 1
    file = tmp_path / "admin-password"
    assert file.read_text() == made[0] + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with database.acquire() as conn:
        [admin] = await accounts.list_accounts(conn)
    assert (admin.username, admin.admin, admin.disabled) == ("admin", True, False)
    assert await passwords.verify(admin.password, made[0])
    assert await ensure_admin(database, passwords, "", tmp_path) is None
    passwords.close()


async def test_a_configured_password_is_neither_shown_nor_written(database: Database, tmp_path: Path) -> None:
    passwords = Passwords()
    with pytest.raises(WeakPassword, match="at least 12"):
        await ensure_admin(database, passwords, "short", tmp_path)
    assert await ensure_admin(database, passwords, "from the environment", tmp_path) is None
    assert os.listdir(tmp_path) == []
    async with database.acquire() as conn:
        [admin] = await accounts.list_accounts(conn)
    assert await passwords.verify(admin.password, "from the environment")
    passwords.close()
