"""Users through the API: what administrators do to others, what people do to themselves, and what nobody gets at."""

from dataclasses import dataclass
from typing import Any

import pytest

from dataforge_registry.core import issued

from .conftest import Api

FIRST, SECOND = "a first long password", "a second long password"


@dataclass(frozen=True)
class User:
    id: int
    name: str
    api: Api


def person(admin: Api, word: str, **more: Any) -> User:
    """Make a user with FIRST as password."""
    answer = admin.post("/users", {"username": word, "password": FIRST, "email": f"{word}@example.org", **more})
    assert answer.status == 201, answer.body
    user = int(answer.headers["location"].removeprefix("/api/v2.0/users/"))
    return User(user, word, admin.by(word, FIRST))


def pulls(api: Api) -> int:
    return api.registry.send("GET", "/v2/").status


def test_a_user_from_its_making_to_its_end(admin: Api, word: str) -> None:
    user = person(admin, word, realname="Ana", comment="geologist")
    current = user.api.get("/users/current").json
    assert (current["user_id"], current["username"], current["sysadmin_flag"]) == (user.id, word, False)
    assert (current["email"], current["realname"], current["comment"]) == (f"{word}@example.org", "Ana", "geologist")
    assert user.api.put(f"/users/{user.id}", {"email": "a@b", "realname": "A", "comment": ""}).status == 200
    assert admin.get(f"/users/{user.id}").json["email"] == user.api.get(f"/users/{user.id}").json["email"] == "a@b"
    assert [each["username"] for each in admin.get(f"/users?q=username=~{word}&sort=-user_id").json] == [word]
    assert admin.put(f"/users/{user.id}/sysadmin", {"sysadmin_flag": True}).status == 200
    assert user.api.get(f"/users?q=username={word}").json[0]["sysadmin_flag"] is True
    assert admin.put(f"/users/{user.id}/sysadmin", {"sysadmin_flag": False}).status == 200
    assert user.api.get("/users").status == 403
    assert admin.delete(f"/users/{user.id}").status == 200
    assert pulls(user.api) == 401
    assert admin.get(f"/users/{user.id}").status == admin.delete(f"/users/{user.id}").status == 404
    again = person(admin, word)
    assert again.id != user.id


def test_a_body_makes_nobody_an_administrator(admin: Api, word: str) -> None:
    flags = {"sysadmin_flag": True, "has_admin_role": True, "admin": True, "admin_role_in_auth": True, "role_id": 1}
    answer = admin.post("/users", {"username": word, "password": FIRST, **flags})
    number = int(answer.headers["location"].rpartition("/")[2])
    user = User(number, word, admin.by(word, FIRST))
    assert user.api.put(f"/users/{user.id}", {"realname": "A", "user_id": 1, **flags}).status == 200
    assert user.api.get("/users/current").json["sysadmin_flag"] is False
    assert user.api.put(f"/users/{user.id}/sysadmin", {"sysadmin_flag": True}).status == 403
    assert user.api.get("/users/current").json["sysadmin_flag"] is False
    assert user.api.post("/users", {"username": f"{word}x", "password": FIRST, **flags}).status == 403


def test_others_are_out_of_reach_and_look_as_if_they_were_not_there(admin: Api, word: str) -> None:
    user, other = person(admin, word), person(admin, f"{word}o")
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", {"email": "eve@example.org"}),
        ("DELETE", "", None),
        ("PUT", "/sysadmin", {"sysadmin_flag": True}),
        ("PUT", "/password", {"new_password": SECOND, "old_password": FIRST}),
        ("PUT", "/cli_secret", {"secret": ""}),
        ("DELETE", "/cli_secret", None),
    ):
        there, absent = (user.api.send(method, f"/users/{number}{path}", body) for number in (other.id, 10**17))
        assert (there.status, there.body) == (absent.status, absent.body)
        assert there.status == 403
        assert admin.by(None).send(method, f"/users/{other.id}{path}", body).status == 401
    assert admin.get(f"/users/{other.id}").json["email"] == f"{other.name}@example.org"
    assert pulls(other.api) == 200


def test_names_cannot_be_collected(admin: Api, word: str) -> None:
    user = person(admin, word)
    found = user.api.get(f"/users/search?username={word.upper()}").json
    assert found == [{"user_id": user.id, "username": word}]
    for part in (word[:-1], word[1:], f"{word}%", "_", "%", f"{word}@example.org"):
        assert user.api.get(f"/users/search?username={part}").json == []
    assert user.api.get(f"/users/search?username={word}&page=2").json == []
    for nothing in ("/users/search", "/users/search?username="):
        assert user.api.get(nothing).status == 400
    assert admin.by(None).get(f"/users/search?username={word}").status == 401


@pytest.mark.parametrize(
    "query",
    [
        "q=password=~a",
        "q=cli_secret=~a",
        "q=password_version=1",
        "q=token_epoch=1",
        "sort=password",
        "sort=username;select pg_sleep(3)",
        "q=username=[1~2]",
        "sort=-username,--",
        "q=admin%00=1",
    ],
)
def test_a_list_answers_for_its_fields_alone(admin: Api, query: str) -> None:
    answer = admin.get(f"/users?{query.replace(' ', '%20')}")
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "change",
    [
        {"username": "a:b"},
        {"username": "robot$ci"},
        {"username": ""},
        {"username": "a" * 256},
        {"password": "short"},
        {"password": "a long one with \0 in it"},
        {"email": "nobody"},
        {"email": "a@b\r\nBcc: c"},
        {"realname": "a\0"},
        {"username": 7},
    ],
)
def test_a_user_that_cannot_be(admin: Api, word: str, change: dict[str, Any]) -> None:
    answer = admin.post("/users", {"username": word, "password": FIRST} | change)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


def test_a_name_is_taken_whatever_its_case(admin: Api, word: str) -> None:
    person(admin, word)
    assert admin.post("/users", {"username": word.upper(), "password": FIRST}).status == 409


def test_a_new_password_needs_the_old_one_and_ends_what_was_given_out(admin: Api, word: str) -> None:
    user = person(admin, word)
    path = f"/users/{user.id}/password"
    assert pulls(user.api) == 200  # remembered from now on
    token = user.api.registry.send("GET", "/service/token").body
    assert user.api.put(path, {"new_password": SECOND}).status == 403
    assert user.api.put(path, {"new_password": SECOND, "old_password": "wrong"}).status == 403
    assert user.api.put(path, {"new_password": FIRST, "old_password": FIRST}).status == 400
    assert user.api.put(path, {"new_password": "short", "old_password": FIRST}).status == 400
    assert user.api.put(path, {"new_password": SECOND, "old_password": FIRST}).status == 200
    assert token and pulls(user.api) == 401
    assert pulls(admin.by(word, SECOND)) == 200
    assert admin.put(path, {"new_password": FIRST}).status == 200
    assert pulls(admin.by(word, SECOND)) == 401
    assert pulls(user.api) == 200


def test_a_command_line_has_a_secret_of_its_own(admin: Api, word: str) -> None:
    user = person(admin, word)
    path = f"/users/{user.id}/cli_secret"
    assert user.api.put(path, {"secret": "Chosen by somebody 1"}).status == 400
    secret = user.api.put(path, {"secret": ""}).json["secret"]
    line = admin.by(word, secret)
    assert issued.is_issued(secret)
    assert (pulls(line), pulls(user.api), line.get("/users/current").json["username"]) == (200, 200, word)
    assert line.registry.send("GET", "/service/token").status == 200
    form = f"principal={word}&password={secret}".encode()
    typed = {"Content-Type": "application/x-www-form-urlencoded"}
    assert line.registry.send("POST", "/c/login", form, typed).status == 401
    assert line.put(f"/users/{user.id}/password", {"new_password": SECOND, "old_password": secret}).status == 403
    another = issued.issue()
    assert user.api.put(path, {"secret": another}).status == 200
    assert (pulls(line), pulls(admin.by(word, another))) == (401, 200)
    assert user.api.delete(path).status == 200
    assert (pulls(admin.by(word, another)), pulls(user.api)) == (401, 200)
    kept = admin.registry.records("SELECT cli_secret FROM account WHERE account_id = $1", user.id)
    assert kept == [(None,)]


def test_the_last_administrator_stays_and_nobody_deletes_himself(admin: Api) -> None:
    root = admin.get("/users/current").json["user_id"]
    assert admin.delete(f"/users/{root}").status == 403
    others = admin.registry.records("SELECT count(*) FROM account WHERE admin AND NOT deleted AND NOT disabled")
    if others == [(1,)]:
        assert admin.put(f"/users/{root}/sysadmin", {"sysadmin_flag": False}).status == 412


def test_what_one_may_do_is_told_by_scope(admin: Api, word: str) -> None:
    admin.registry.project(word, owner="mia")
    number = admin.registry.records("SELECT project_id FROM project WHERE name = $1 AND NOT deleted", word)[0][0]
    mia, scope = admin.by("mia"), f"/project/{number}"
    told = mia.get(f"/users/current/permissions?scope={scope}").json
    assert {"resource": f"{scope}/repository", "action": "push"} in told
    assert {"resource": scope, "action": "delete"} in told
    told = mia.get(f"/users/current/permissions?scope={scope}&relative=true").json
    assert {"resource": "repository", "action": "push"} in told and {"resource": ".", "action": "delete"} in told
    for other in (scope + "0", "/project/x", "/galaxy", "/project/" + "9" * 30):
        assert mia.get(f"/users/current/permissions?scope={other}").json == []
    assert admin.by("eve").get(f"/users/current/permissions?scope={scope}").json == []
    assert mia.get("/users/current/permissions").json == []
    assert {"resource": "/system/user", "action": "create"} in admin.get(
        "/users/current/permissions?scope=/system"
    ).json
    assert set(mia.get("/permissions").json) == {"project", "system"}
    assert mia.get("/permissions").json["system"] == []
    assert {"resource": "user", "action": "create"} in admin.get("/permissions").json["system"]
    assert admin.by("eve").get("/permissions").status == 403


def test_a_disabled_user_and_a_removed_member_are_refused_at_the_next_request(admin: Api, word: str) -> None:
    user = person(admin, word)
    admin.registry.project(word, owner=word)
    tags, api = f"/v2/{word}/gr/blobs/uploads/", user.api.registry
    assert api.send("POST", tags).status == 202
    admin.registry.records("DELETE FROM project_member WHERE entity_id = $1 RETURNING id", user.id)
    assert api.send("POST", tags).status == 403
    admin.registry.records(
        "UPDATE account SET disabled = true, token_epoch = token_epoch + 1 WHERE account_id = $1 RETURNING 1", user.id
    )
    assert pulls(user.api) == 401
