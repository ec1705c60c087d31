"""Robots through the API: made, used, changed and ended, and nobody gets by one what he may not do."""

import json
from dataclasses import replace
from typing import Any

import pytest

from dataforge_registry.core import issued

from .conftest import Api

PULL = {"resource": "repository", "action": "pull"}
PUSH = {"resource": "repository", "action": "push"}
ROBOT = [{"resource": "robot", "action": action} for action in ("create", "read", "update", "list", "delete")]


def body(name: str, *access: dict[str, str], project: str = "", **more: Any) -> dict[str, Any]:
    """A robot of a project, or with none one of the system for all projects."""
    permission = {"kind": "project", "namespace": project or "*", "access": access or [PULL]}
    level = "project" if project else "system"
    return {"name": name, "level": level, "duration": -1, "permissions": [permission], **more}


def made(api: Api, *arguments: Any, **options: Any) -> dict[str, Any]:
    answer = api.post("/robots", body(*arguments, **options))
    assert answer.status == 201, answer.body
    assert answer.headers["location"] == f"/api/v2.0/robots/{answer.json['id']}"
    found: dict[str, Any] = answer.json
    return found


def project_admin(admin: Api, word: str) -> tuple[Api, int]:
    """A project of this test's own, with mia as its administrator; its id."""
    admin.registry.project(word, owner="mia")
    rows = admin.registry.records("SELECT project_id FROM project WHERE name = $1 AND NOT deleted", word)
    return admin.by("mia"), rows[0][0]


def test_a_project_robot_from_its_making_to_its_end(admin: Api, word: str) -> None:
    mia, _ = project_admin(admin, word)
    created = made(mia, "ci", PULL, PUSH, project=word, duration=7, description="builds")
    assert created["name"] == f"robot${word}+ci" and issued.is_issued(created["secret"])
    robot = mia.get(f"/robots/{created['id']}").json
    assert (robot["name"], robot["level"], robot["duration"], robot["disable"]) == (
        created["name"],
        "project",
        7,
        False,
    )
    assert robot["permissions"] == [{"kind": "project", "namespace": word, "access": [PULL, PUSH]}]
    assert robot["expires_at"] == created["expires_at"] and "secret" not in robot
    assert robot["creator_type"] == "local"
    api = admin.by(created["name"], created["secret"])
    assert api.registry.send("POST", f"/v2/{word}/gr/blobs/uploads/").status == 202
    assert api.get("/systeminfo").status == 200
    changed = {**robot, "description": "tests", "duration": -1, "permissions": body("ci", project=word)["permissions"]}
    assert mia.put(f"/robots/{created['id']}", changed).status == 200
    robot = mia.get(f"/robots/{created['id']}").json
    assert (robot["description"], robot["expires_at"], robot["permissions"][0]["access"]) == ("tests", -1, [PULL])
    assert api.registry.send("POST", f"/v2/{word}/gr/blobs/uploads/").status == 403
    fresh = mia.patch(f"/robots/{created['id']}", {"secret": ""}).json["secret"]
    assert api.get("/systeminfo").status == 401
    assert admin.by(created["name"], fresh).get("/systeminfo").status == 200
    assert mia.put(f"/robots/{created['id']}", {"disable": True}).status == 200
    assert admin.by(created["name"], fresh).get("/systeminfo").status == 401
    assert mia.delete(f"/robots/{created['id']}").status == 200
    assert mia.get(f"/robots/{created['id']}").status == 404
    changes = "SELECT operation, username FROM access_log WHERE resource = $1 AND operation <> 'login'"
    logged = admin.registry.records(changes, created["name"])
    assert [tuple(row) for row in logged] == [
        (each, "mia") for each in ("create", "update", "secret", "update", "delete")
    ]


def test_lists_are_of_the_system_or_of_one_project(admin: Api, word: str) -> None:
    mia, project_id = project_admin(admin, word)
    names = [made(mia, f"r{number}", project=word)["name"] for number in range(3)]
    made(admin, word)
    answer = mia.get(f"/robots?q=Level%3Dproject%2CProjectID%3D{project_id}&page_size=2")
    assert ([each["name"] for each in answer.json], answer.headers["x-total-count"]) == (names[:2], "3")
    answer = mia.get(f"/robots?q=Level=project,ProjectID={project_id},name=~r1&sort=-creation_time")
    assert [each["name"] for each in answer.json] == [names[1]]
    assert [each["name"] for each in admin.get(f"/robots?q=name={word}").json] == [f"robot${word}"]
    assert mia.get("/robots").status == mia.get(f"/robots?q=name={word}").status == 403
    for q in ("Level=project", "Level=project,ProjectID=x", "secret=~a", "permissions=~a"):
        assert admin.get(f"/robots?q={q}").status == 400
    for api in (mia.by("eve"), mia.by("guy")):
        for number in (project_id, 10**17):
            assert api.get(f"/robots?q=Level=project,ProjectID={number}").status == 403


def test_a_chosen_secret_is_taken_if_it_is_strong(admin: Api, word: str) -> None:
    chosen = "Chosen by somebody 1"
    created = made(admin, word, secret=chosen)
    assert created["secret"] == chosen
    assert admin.by(created["name"], chosen).get("/systeminfo").status == 200
    assert admin.patch(f"/robots/{created['id']}", {"secret": "short"}).status == 400
    assert not admin.patch(f"/robots/{created['id']}", {"secret": "Another of them 2"}).json["secret"]
    assert admin.by(created["name"], chosen).get("/systeminfo").status == 401
    assert admin.by(created["name"], "Another of them 2").get("/systeminfo").status == 200


def test_what_cannot_be_granted_or_made_is_refused(admin: Api, word: str) -> None:
    mia, _ = project_admin(admin, word)
    good = body("ci", project=word)
    broken: list[dict[str, Any]] = [
        {"name": "A"},
        {"name": ""},
        {"level": "galaxy"},
        {"duration": 0},
        {"duration": -2},
        {"duration": 2**40},
        {"permissions": []},
        {"permissions": [{"kind": "project", "namespace": word, "access": []}]},
        {"permissions": [{"kind": "project", "namespace": word, "access": [{"resource": "scan", "action": "create"}]}]},
        {"permissions": [{"kind": "project", "namespace": word, "access": [{"resource": "*", "action": "*"}]}]},
        {"permissions": [{"kind": "project", "namespace": word, "access": [{**PULL, "effect": "deny"}]}]},
        {"permissions": [{"kind": "project", "namespace": "*", "access": [PULL]}]},
        {"permissions": [{"kind": "system", "namespace": "/", "access": [{"resource": "user", "action": "list"}]}]},
        {"permissions": good["permissions"] * 2},
        {"name": "a\0b"},
        {"secret": "weak"},
    ]
    for change in broken:
        answer = mia.post("/robots", good | change)
        assert (answer.status, answer.code) == (400, "BAD_REQUEST"), change
    assert mia.post("/robots", good).status == 201
    assert mia.post("/robots", good).status == 409
    assert admin.post("/robots", body(word, project=f"{word}absent")).status == 404
    assert mia.post("/robots", body(word, project=f"{word}absent")).status == 403
    assert mia.post("/robots", b"{").status == mia.post("/robots", b"null").status == 400


@pytest.mark.parametrize("user", ["ann", "guy", "eve"])
def test_only_administrators_make_and_change_robots(admin: Api, word: str, user: str) -> None:
    robot = made(admin, f"{word}{user}", project="wells")
    api = admin.by(user)
    seen = 200 if user != "eve" else 404
    assert api.get(f"/robots/{robot['id']}").status == seen
    changed = 403 if user != "eve" else 404
    assert api.put(f"/robots/{robot['id']}", {"disable": True}).status == changed
    assert api.patch(f"/robots/{robot['id']}", {"secret": ""}).status == changed
    assert api.delete(f"/robots/{robot['id']}").status == changed
    assert api.post("/robots", body(word, project="wells")).status == 403
    assert api.post("/robots", body(word)).status == 403
    assert admin.delete(f"/robots/{robot['id']}").status == 200


def test_a_robot_of_another_project_or_of_the_system_is_not_there(admin: Api, word: str) -> None:
    mia, _ = project_admin(admin, word)
    others = [made(admin, word, project="secret")["id"], made(admin, word)["id"], 10**17]
    answers = [
        (answer.status, answer.body)
        for each in others
        for answer in (
            mia.get(f"/robots/{each}"),
            mia.put(f"/robots/{each}", {"disable": True}),
            mia.patch(f"/robots/{each}", {"secret": ""}),
            mia.delete(f"/robots/{each}"),
        )
    ]
    assert {status for status, _ in answers} == {404} and len(set(answers)) == 1
    assert all(admin.by(None).get(f"/robots/{each}").status == 401 for each in others)
    for each in others[:2]:
        admin.delete(f"/robots/{each}")


def test_a_robot_hands_out_what_it_has_and_no_more(admin: Api, word: str) -> None:
    mia, project_id = project_admin(admin, word)
    maker = made(admin, f"{word}maker", PULL, *ROBOT, project=word)
    api = admin.by(maker["name"], maker["secret"])
    child = made(api, "child", PULL, project=word)
    assert admin.get(f"/robots/{child['id']}").json["creator_type"] == "robot"
    assert api.post("/robots", body("more", PULL, PUSH, project=word)).status == 403
    assert api.put(f"/robots/{child['id']}", {"permissions": body("", PUSH, project=word)["permissions"]}).status == 403
    stronger = made(mia, "stronger", PULL, PUSH, project=word)
    assert api.patch(f"/robots/{stronger['id']}", {"secret": ""}).status == 403
    assert api.put(f"/robots/{stronger['id']}", {"description": "mine now"}).status == 403
    for other in (body(word, PULL), body("ci", PULL, project="wells")):
        assert api.post("/robots", other).status == 403
    assert api.get(f"/robots?q=Level=project,ProjectID={project_id}").status == 200


def test_a_robot_with_rights_over_users_makes_nobody_an_administrator(admin: Api, word: str) -> None:
    access = [{"resource": "user", "action": each} for each in ("list", "read", "create", "update", "delete")]
    grant = {"kind": "system", "namespace": "/", "access": access}
    robot = admin.post("/robots", {"name": word, "level": "system", "duration": 1, "permissions": [grant]}).json
    api = admin.by(robot["name"], robot["secret"])
    assert api.post("/users", {"username": word, "password": "a long password"}).status == 201
    user = api.get(f"/users?q=username={word}").json[0]["user_id"]
    root = api.get("/users?q=username=admin").json[0]["user_id"]
    assert api.put(f"/users/{user}/sysadmin", {"sysadmin_flag": True}).status == 403
    assert api.put(f"/users/{root}/password", {"new_password": "a long password"}).status == 403
    assert api.put(f"/users/{root}/cli_secret", {"secret": ""}).status == 403
    assert api.delete(f"/users/{root}").status == 403
    assert api.get("/users/current").status == 412
    assert api.get("/usergroups").status == 403
    assert api.delete(f"/users/{user}").status == 200


def test_a_robot_of_a_deleted_project_is_none_of_the_project_made_again(admin: Api, word: str) -> None:
    mia, _ = project_admin(admin, word)
    robot, fleet = (
        made(mia, "ci", project=word),
        admin.post("/robots", {**body(f"{word}fleet"), "permissions": body("", project=word)["permissions"]}).json,
    )
    admin.registry.records("UPDATE project SET deleted = true WHERE name = $1 RETURNING 1", word)
    admin.registry.project(word)
    assert admin.by(robot["name"], robot["secret"]).get("/systeminfo").status == 401
    assert admin.by(fleet["name"], fleet["secret"]).registry.send("GET", f"/v2/{word}/gr/tags/list").status == 403
    assert admin.get(f"/robots/{robot['id']}").status == 404
    again = made(admin, "ci", project=word)
    assert again["name"] == robot["name"] and again["id"] != robot["id"]


@pytest.mark.parametrize("chosen", ["", "Chosen by somebody 1"])
def test_a_robot_that_is_deleted_is_refused_at_its_next_request(admin: Api, word: str, chosen: str) -> None:
    robot = made(admin, word, secret=chosen)
    api = admin.by(robot["name"], robot["secret"]).registry
    granted = api.send("GET", "/service/token?scope=repository:open/gr:pull")
    bearer = replace(api, login={"Authorization": f"Bearer {json.loads(granted.body)['token']}"})
    for path in ("/v2/", "/v2/", "/api/v2.0/systeminfo"):  # twice: what was verified is remembered
        assert api.send("GET", path).status == bearer.send("GET", path).status == 200
    assert admin.delete(f"/robots/{robot['id']}").status == 200
    for path in ("/v2/", "/v2/open/gr/tags/list", "/api/v2.0/systeminfo"):
        assert api.send("GET", path).status == bearer.send("GET", path).status == 401
    assert api.send("GET", "/service/token").status == 401


def test_a_grant_needs_no_other_beside_it(admin: Api, word: str) -> None:
    """Not even `project:read`; where that is lacking too, what was not granted is not there."""
    admin.registry.project(word)
    number = admin.get(f"/projects/{word}").json["project_id"]
    label = {"name": "lab", "scope": "p", "project_id": number}
    first = admin.post("/labels", label).headers["location"].removeprefix("/api/v2.0")
    scope = {"level": "project", "ref": number}
    policy = {"algorithm": "or", "rules": [], "trigger": {"kind": "Manual"}, "scope": scope}
    kept = admin.post("/retentions", policy).headers["location"].removeprefix("/api/v2.0")

    def robot(*words: str) -> Api:
        access = [dict(zip(("resource", "action"), each.split(":"), strict=True)) for each in words]
        found = made(admin, words[0].replace(":", "-"), *access, project=word)
        return admin.by(found["name"], found["secret"])

    reads, makes, ends, runs = (
        robot("label:read"),
        robot("label:create"),
        robot("robot:delete"),
        robot("tag-retention:read"),
    )
    assert (reads.get(first).status, reads.delete(first).status) == (200, 404)
    assert (makes.post("/labels", {**label, "name": "new"}).status, makes.get(first).status) == (201, 404)
    assert (runs.get(kept).status, runs.delete(kept).status, runs.get(first).status) == (200, 404, 404)
    victim = made(admin, "victim", project=word)["id"]
    assert (runs.delete(f"/robots/{victim}").status, ends.get(f"/robots/{victim}").status) == (404, 404)
    assert ends.delete(f"/robots/{victim}").status == 200
