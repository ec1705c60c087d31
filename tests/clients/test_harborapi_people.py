"""harborapi: users, groups, members, robots, permissions."""

from contextlib import aclosing
from pathlib import Path

import pytest
from harborapi import models
from harborapi.auth import load_harbor_auth_file
from harborapi.exceptions import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from harborapi.models.models import Access

from .harborapi_watch import MARKS, Harbor, runs

pytestmark = MARKS


async def user(harbor: Harbor, name: str) -> int:
    """A user's id, made with the password `Password-of-<name>`."""
    made = await harbor.create_user(
        models.UserCreationReq(
            username=name, password=f"Password-of-{name}", email=f"{name}@example.org", realname="Ann"
        )
    )
    return int(made.rpartition("/")[2])


@runs(
    *("create_user", "get_user", "get_users", "get_user_by_username", "search_users_by_username", "update_user"),
    *("set_user_admin", "set_user_password", "set_user_cli_secret", "delete_user"),
    *("get_current_user", "get_current_user_permissions"),
)
async def test_users(harbor: Harbor, word: str) -> None:
    number = await user(harbor, word)
    found = await harbor.get_user(number)
    assert (found.username, found.email, found.realname) == (word, f"{word}@example.org", "Ann")
    assert not found.sysadmin_flag
    with pytest.raises(Conflict):
        await user(harbor, word)
    assert [each.user_id for each in await harbor.get_users(query=f"username={word}")] == [number]
    assert [each.user_id for each in await harbor.search_users_by_username(word)] == [number]
    assert (await harbor.get_user_by_username(word)).user_id == number

    await harbor.update_user(number, models.UserProfile(email=f"{word}@example.com", realname="Mia", comment="logs"))
    found = await harbor.get_user(number)
    assert (found.email, found.realname, found.comment) == (f"{word}@example.com", "Mia", "logs")
    await harbor.set_user_admin(number, True)
    assert (await harbor.get_user(number)).sysadmin_flag
    await harbor.set_user_admin(number, False)

    async with aclosing(Harbor(harbor.server, word, f"Password-of-{word}")) as own:
        assert (await own.get_current_user()).user_id == number
        assert await own.get_current_user_permissions("/system") == []
        with pytest.raises(Forbidden):
            await own.get_users()
        await harbor.set_user_password(number, "Another-Password-1")
        with pytest.raises(Unauthorized):
            await own.get_current_user()
    async with aclosing(Harbor(harbor.server, word, "Another-Password-1")) as own:
        await own.set_user_password(number, "Another-Password-2", "Another-Password-1")
    with pytest.raises(BadRequest, match="is made here"):
        await harbor.set_user_cli_secret(number, "Command-Line-Secret-1")
    secret = (await harbor.put(f"/users/{number}/cli_secret", {"secret": ""}))["secret"]
    await harbor.set_user_cli_secret(number, secret)
    async with aclosing(Harbor(harbor.server, word, secret)) as own:
        assert (await own.get_current_user()).username == word

    assert (await harbor.get_current_user()).sysadmin_flag
    system = await harbor.get_current_user_permissions("/system", relative=True)
    assert ("user", "create") in {(each.resource, each.action) for each in system}
    await harbor.delete_user(number)
    assert await harbor.get_users(query=f"username={word}") == []


@runs(
    *("create_usergroup", "get_usergroup", "get_usergroups", "search_usergroups"),
    *("update_usergroup", "delete_usergroup"),
)
async def test_groups(harbor: Harbor, word: str) -> None:
    made = await harbor.create_usergroup(models.UserGroup(group_name=word, group_type=3))
    number = int(made.rpartition("/")[2])
    found = await harbor.get_usergroup(number)
    assert (found.id, found.group_name, found.group_type) == (number, word, 3)
    assert [each.id for each in await harbor.get_usergroups(group_name=word)] == [number]
    assert [each.group_name for each in await harbor.search_usergroups(word)] == [word]
    await harbor.update_usergroup(number, models.UserGroup(group_name=f"{word}-b", group_type=3))
    assert (await harbor.get_usergroup(number)).group_name == f"{word}-b"
    await harbor.delete_usergroup(number)
    with pytest.raises(NotFound):
        await harbor.get_usergroup(number)
    with pytest.raises(BadRequest):
        await harbor.create_usergroup(models.UserGroup(group_name=word, group_type=1))


@runs(
    *("add_project_member", "add_project_member_user", "add_project_member_group", "get_project_member"),
    *("get_project_members", "update_project_member_role", "remove_project_member"),
)
async def test_members(harbor: Harbor, word: str) -> None:
    number = await user(harbor, word)
    group = await harbor.create_usergroup(models.UserGroup(group_name=word, group_type=3))
    await harbor.create_project(models.ProjectReq(project_name=word))
    made = await harbor.add_project_member_user(word, word, 2)
    member = int(made.rpartition("/")[2])
    found = await harbor.get_project_member(word, member)
    assert (found.entity_name, found.entity_id, found.entity_type) == (word, number, "u")
    assert (found.role_id, found.role_name) == (2, "developer")
    await harbor.update_project_member_role(word, member, 4)
    assert (await harbor.get_project_member(word, member)).role_name == "maintainer"
    await harbor.remove_project_member(word, member)
    with pytest.raises(NotFound):
        await harbor.get_project_member(word, member)

    await harbor.add_project_member_group(word, int(group.rpartition("/")[2]), 3)
    await harbor.add_project_member(
        word, models.ProjectMember(role_id=5, member_user=models.UserEntity(user_id=number))
    )
    roles = {(each.entity_type, each.entity_name, each.role_name) for each in await harbor.get_project_members(word)}
    assert roles == {("u", "admin", "projectAdmin"), ("g", word, "guest"), ("u", word, "limitedGuest")}
    only = await harbor.get_project_members(word, entity_name=word, page_size=1)
    assert len(only) == 2, "two pages, of one member each"
    assert await harbor.get_project_members(word, entity_name="nobody has this name") == []


def pulls(project: str) -> models.RobotPermission:
    access = [Access(resource="repository", action=action) for action in ("list", "pull")]
    return models.RobotPermission(kind="project", namespace=project, access=access)


@runs("create_robot", "get_robot", "get_robots", "update_robot", "refresh_robot_secret", "delete_robot")
async def test_robots(harbor: Harbor, word: str, tmp_path: Path) -> None:
    await harbor.create_project(models.ProjectReq(project_name=word))
    project = (await harbor.get_project(word)).project_id
    wanted = models.RobotCreate(name="ci", level="project", duration=7, permissions=[pulls(word)])
    made = await harbor.create_robot(wanted, tmp_path / "robot.json")
    assert made.name == f"robot${word}+ci"
    robots = await harbor.get_robots(query=f"Level=project,ProjectID={project}")
    assert [each.id for each in robots] == [made.id]
    assert made.id not in {each.id for each in await harbor.get_robots()}, "without a query: those of the system"

    found = await harbor.get_robot(made.id)
    assert (found.level, found.duration, found.disable, found.editable) == ("project", 7, False, True)
    assert found.permissions == [pulls(word)]
    found.description, found.duration = "pulls logs", 14
    await harbor.update_robot(made.id, found)
    again = await harbor.get_robot(made.id)
    assert (again.description, again.duration, again.permissions) == ("pulls logs", 14, [pulls(word)])

    kept = load_harbor_auth_file(tmp_path / "robot.json")
    async with aclosing(Harbor(harbor.server, kept.name, kept.secret)) as robot:
        assert await robot.get_repositories(word) == []
        chosen = await harbor.refresh_robot_secret(made.id, "Chosen-Robot-Secret-1")
        assert not chosen.secret, "what was chosen is not said back"
        with pytest.raises(Unauthorized):
            await robot.get_repositories(word)
    fresh = await harbor.refresh_robot_secret(made.id, "")
    async with aclosing(Harbor(harbor.server, made.name, fresh.secret)) as robot:
        assert await robot.get_repositories(word) == []
        await harbor.delete_robot(made.id)
        with pytest.raises(Unauthorized):
            await robot.get_repositories(word)


@runs("get_permissions")
async def test_what_can_be_granted(harbor: Harbor) -> None:
    found = await harbor.get_permissions()
    assert ("repository", "push") in {(each.resource, each.action) for each in found.project}
    assert ("project", "create") in {(each.resource, each.action) for each in found.system}
