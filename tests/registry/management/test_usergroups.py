"""Groups through the API: made, found by a part of the name, renamed and ended with their memberships."""

from .conftest import Api


def group(admin: Api, name: str) -> int:
    answer = admin.post("/usergroups", {"group_name": name, "group_type": 3})
    assert answer.status == 201, answer.body
    return int(answer.headers["location"].removeprefix("/api/v2.0/usergroups/"))


def test_a_group_from_its_making_to_its_end(admin: Api, word: str) -> None:
    number = group(admin, word)
    assert admin.get(f"/usergroups/{number}").json == {"id": number, "group_name": word, "group_type": 3}
    assert admin.get(f"/usergroups?group_name={word[1:].upper()}").json[0]["id"] == number
    assert admin.by("eve").get(f"/usergroups/search?groupname={word}").json[0]["group_name"] == word
    assert admin.post("/usergroups", {"group_name": word}).status == 409
    other = group(admin, f"{word}o")
    assert admin.put(f"/usergroups/{other}", {"group_name": word}).status == 409
    assert admin.put(f"/usergroups/{other}", {"group_name": f"{word}p"}).status == 200
    assert admin.get(f"/usergroups/{other}").json["group_name"] == f"{word}p"
    admin.registry.project(word)
    admin.registry.records(
        "WITH m AS (INSERT INTO user_group_member (group_id, account_id) SELECT $1, account_id FROM account"
        " WHERE username = 'eve') INSERT INTO project_member (project_id, entity_type, entity_id, role_id)"
        " SELECT project_id, 'g', $1, 2 FROM project WHERE name = $2 RETURNING id",
        number,
        word,
    )
    eve = admin.by("eve").registry
    assert eve.send("POST", f"/v2/{word}/gr/blobs/uploads/").status == 202
    assert admin.delete(f"/usergroups/{number}").status == 200
    assert eve.send("POST", f"/v2/{word}/gr/blobs/uploads/").status == 403
    assert admin.get(f"/usergroups/{number}").status == 404
    assert admin.registry.records("SELECT FROM project_member WHERE entity_type = 'g' AND entity_id = $1", number) == []


def test_groups_are_the_administrators(admin: Api, word: str) -> None:
    number = group(admin, word)
    for user, status in ((None, 401), ("mia", 403)):
        api = admin.by(user)
        assert api.get("/usergroups").status == status
        assert api.post("/usergroups", {"group_name": f"{word}x"}).status == status
        for each in (number, 10**17):
            assert api.get(f"/usergroups/{each}").status == status
            assert api.put(f"/usergroups/{each}", {"group_name": "x"}).status == status
            assert api.delete(f"/usergroups/{each}").status == status
    assert admin.by(None).get(f"/usergroups/search?groupname={word}").status == 401


def test_what_no_group_can_be(admin: Api, word: str) -> None:
    for body in ({"group_name": ""}, {}, {"group_name": word, "group_type": 1}, {"group_name": "a\0"}):
        assert admin.post("/usergroups", body).status == 400
    assert admin.get("/usergroups?group_name=%00").status == 400
    assert admin.get("/usergroups/search").status == 400
    assert admin.get("/usergroups/x").status == 404
