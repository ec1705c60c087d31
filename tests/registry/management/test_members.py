"""Members of projects."""

from .conftest import Api
from .test_projects import make


def added(api: Api, project: str, body: object) -> str:
    answer = api.post(f"/projects/{project}/members", body)
    assert answer.status == 201, answer.body
    return answer.headers["location"].removeprefix("/api/v2.0")


def test_a_user_is_made_a_member_changed_and_removed(admin: Api, nobody: Api, word: str) -> None:
    make(admin, word)
    eve = nobody.by("eve")
    assert eve.get(f"/projects/{word}").status == 403
    member = added(admin, word, {"role_id": 3, "member_user": {"username": "EVE"}})
    found = admin.get(member).json
    assert (found["entity_name"], found["entity_type"], found["role_name"]) == ("eve", "u", "guest")
    assert eve.get(f"/projects/{word}").json["current_user_role_id"] == 3
    assert eve.post(f"/projects/{word}/members", {"role_id": 1, "member_user": {"username": "guy"}}).status == 403
    assert admin.put(member, {"role_id": 1}).status == 200
    added(eve, word, {"role_id": 5, "member_user": {"username": "guy"}})
    assert eve.delete(member).status == 200
    assert eve.get(f"/projects/{word}").status == 403
    assert admin.get(member).status == 404


def test_members_are_listed_by_part_of_their_name(admin: Api, word: str) -> None:
    make(admin, word)
    for user, role in (("ann", 2), ("mia", 4)):
        added(admin, word, {"role_id": role, "member_user": {"username": user}})
    path = f"/projects/{word}/members"
    assert [entry["entity_name"] for entry in admin.get(path).json] == ["admin", "ann", "mia"]
    assert [entry["entity_name"] for entry in admin.get(path + "?entityname=IA").json] == ["mia"]
    assert admin.get(path + "?page_size=2").headers["x-total-count"] == "3"
    assert admin.get(path + "?page=5").json == []


def test_who_cannot_be_a_member(admin: Api, word: str) -> None:
    make(admin, word)
    path = f"/projects/{word}/members"
    added(admin, word, {"role_id": 2, "member_user": {"username": "ann"}})
    assert admin.post(path, {"role_id": 3, "member_user": {"username": "ann"}}).status == 409
    for body in (
        {"role_id": 2, "member_user": {"username": "nobody-here"}},
        {"role_id": 2, "member_user": {"user_id": 999999999}},
        {"role_id": 2, "member_user": {"username": "a\0b"}},
        {"role_id": 2, "member_group": {"group_name": "no-such-group", "group_type": 1}},
        {"role_id": 2, "member_group": {"id": 999999999}},
        {"role_id": 6, "member_user": {"username": "mia"}},
        {"role_id": 0, "member_user": {"username": "mia"}},
        {"role_id": 2},
        {},
    ):
        answer = admin.post(path, body)
        assert (answer.status, answer.code) == (400, "BAD_REQUEST"), body


def test_a_member_of_another_project_is_not_there(admin: Api, nobody: Api, word: str) -> None:
    make(admin, word)
    make(admin, f"{word}-2")
    member = added(admin, word, {"role_id": 2, "member_user": {"username": "ann"}}).rpartition("/")[2]
    added(admin, f"{word}-2", {"role_id": 1, "member_user": {"username": "mia"}})
    mia = nobody.by("mia")
    for path in (f"/projects/{word}-2/members/{member}", f"/projects/{word}-2/members/x"):
        assert mia.get(path).status == 404
        assert mia.put(path, {"role_id": 1}).status == 404
        assert mia.delete(path).status == 404
    assert admin.get(f"/projects/{word}/members/{member}").json["role_id"] == 2
