"""Projects, their metadata and who may see them."""

import pytest

from ..v2.conftest import Registry, pushed
from .conftest import Api
from .test_robots import made


def project_id(api: Api, name: str) -> int:
    return int(api.get(f"/projects/{name}").json["project_id"])


def make(api: Api, name: str, **more: object) -> str:
    answer = api.post("/projects", {"project_name": name, **more})
    assert answer.status == 201, answer.body
    return answer.headers["location"]


def names(api: Api, query: str = "") -> set[str]:
    return {entry["name"] for entry in api.get(f"/projects?page_size=100{query}").json}


def test_a_project_is_made_read_changed_and_deleted(admin: Api, word: str) -> None:
    location = make(admin, word, metadata={"public": "false", "prevent_vul": "false"}, storage_limit=1000)
    found = admin.get(location.removeprefix("/api/v2.0")).json
    assert found["name"] == word and found["owner_name"] == "admin" and found["repo_count"] == 0
    assert found["metadata"] == {"public": "false", "prevent_vul": "false"}
    assert location == f"/api/v2.0/projects/{found['project_id']}"
    assert admin.put(f"/projects/{word}", {"metadata": {"public": "true"}}).status == 200
    assert admin.get(f"/projects/{word}").json["metadata"]["public"] == "true"
    summary = admin.get(f"/projects/{word}/summary").json
    assert summary["quota"] == {"hard": {"storage": 1000, "artifact": -1}, "used": {"storage": 0, "artifact": 0}}
    assert summary["project_admin_count"] == 1 and summary["guest_count"] == 0
    assert admin.get(f"/projects/{word}/_deletable").json == {"deletable": True}
    assert admin.delete(f"/projects/{word}").status == 200
    assert admin.get(f"/projects/{word}").status == 404
    assert make(admin, word) != location  # the name is free, the old id is nobody's
    assert admin.get(location.removeprefix("/api/v2.0")).status == 404


def test_a_location_can_name_the_project(admin: Api, word: str) -> None:
    answer = admin.send("POST", "/projects", {"project_name": word}, {"X-Resource-Name-In-Location": "true"})
    assert answer.headers["location"] == f"/api/v2.0/projects/{word}"


def test_a_name_that_is_a_number_can_be_meant(admin: Api, word: str) -> None:
    number = word.removeprefix("w").replace("x", "0")
    make(admin, number)
    by_name = admin.get(f"/projects/{number}", X_Is_Resource_Name="true")
    assert by_name.json["name"] == number
    assert admin.get(f"/projects/{by_name.json['project_id']}").json["name"] == number


@pytest.mark.parametrize(
    "body",
    [
        {"project_name": "Upper"},
        {"project_name": "a/b"},
        {"project_name": ""},
        {"project_name": "a\0b"},
        {"project_name": "a" * 256},
        {"project_name": "x1", "metadata": {"enable_content_trust": "true"}},
        {"project_name": "x1", "metadata": {"auto_scan": "true"}},
        {"project_name": "x1", "metadata": {"prevent_vul": "true"}},
        {"project_name": "x1", "metadata": {"public": "perhaps"}},
        {"project_name": "x1", "metadata": {"public": True}},
        {"project_name": "x1", "metadata": {"severity": "awful"}},
        {"project_name": "x1", "metadata": {"proxy_speed_kb": "10"}},
        {"project_name": "x1", "registry_id": 3},
        {"project_name": "x1", "cve_allowlist": {"items": [{"cve_id": "CVE-1"}]}},
        {"project_name": "x1", "storage_limit": -2},
        {"project_name": 3},
        [],
    ],
)
def test_what_cannot_be_a_project_is_refused(admin: Api, body: object) -> None:
    answer = admin.post("/projects", body)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
    assert admin.send("HEAD", "/projects?project_name=x1").status == 404


def test_a_name_is_taken_once(admin: Api, word: str) -> None:
    make(admin, word)
    answer = admin.post("/projects", {"project_name": word})
    assert (answer.status, answer.code) == (409, "CONFLICT")


def test_only_an_administrator_makes_projects_here(nobody: Api, word: str) -> None:
    assert nobody.post("/projects", {"project_name": word}).status == 401
    assert nobody.by("mia").post("/projects", {"project_name": word}).status == 403


def test_a_project_with_repositories_stays(admin: Api, door: Registry, word: str) -> None:
    make(admin, word)
    registry = door.by("admin")
    pushed(registry, f"{word}/a", "v1", registry.image(f"{word}/a"))
    assert admin.get(f"/projects/{word}/_deletable").json["deletable"] is False
    answer = admin.delete(f"/projects/{word}")
    assert (answer.status, answer.code) == (412, "PRECONDITION")


def test_each_sees_what_it_may(nobody: Api) -> None:
    assert {"open"} <= names(nobody) and not {"wells", "secret"} & names(nobody)
    assert {"open"} <= names(nobody.by("eve")) and not {"wells", "secret"} & names(nobody.by("eve"))
    assert {"open", "wells"} <= names(nobody.by("guy")) and "secret" not in names(nobody.by("guy"))
    assert {"open", "wells", "secret"} <= names(nobody.by("admin"))


def test_a_group_lets_its_members_see(admin: Api, nobody: Api, word: str) -> None:
    make(admin, word)
    body = {"role_id": 3, "member_group": {"group_name": f"g-{word}", "group_type": 3}}
    assert admin.post(f"/projects/{word}/members", body).status == 201
    assert word not in names(nobody.by("eve"))
    nobody.registry.records(
        "INSERT INTO user_group_member SELECT g.group_id, a.account_id FROM user_group g, account a"
        " WHERE g.name = $1 AND a.username = 'eve'",
        f"g-{word}",
    )
    assert word in names(nobody.by("eve"))
    assert nobody.by("eve").get(f"/projects/{word}").json["current_user_role_ids"] == [3]


def test_a_robot_sees_what_it_was_granted(admin: Api, door: Registry, word: str) -> None:
    registry = door.by("admin")
    for name in (word, f"{word}-2"):
        make(admin, name)
        pushed(registry, f"{name}/a", "v1", registry.image(f"{name}/a"))
    read, rows = {"resource": "project", "action": "read"}, {"resource": "repository", "action": "list"}
    robot = made(admin, "reader", read, rows, project=word)
    api = admin.by(robot["name"], robot["secret"])
    assert names(api, f"&name={word}") == {word}
    assert [entry["name"] for entry in api.get(f"/repositories?q=name=~{word}").json] == [f"{word}/a"]
    assert api.get(f"/projects/{word}").json["current_user_role_ids"] == []
    assert api.get(f"/projects/{word}/members").status == api.get(f"/projects/{word}-2").status == 403
    narrow = made(admin, "pusher", project=word)
    assert names(admin.by(narrow["name"], narrow["secret"]), f"&name={word}") == set()
    wide = made(admin, f"all-{word}", read)
    assert names(admin.by(wide["name"], wide["secret"]), f"&name={word}") == {word, f"{word}-2"}
    assert admin.delete(f"/projects/{word}/repositories/a").status == 200
    assert admin.delete(f"/projects/{word}").status == 200
    assert api.get("/projects").status == 401  # it went with its project, and its name is free
    make(admin, word)
    made(admin, "reader", read, project=word)


def test_lists_are_filtered_ordered_and_paged(admin: Api, word: str) -> None:
    for n, public in enumerate(("true", "false", "true")):
        make(admin, f"{word}-{n}", metadata={"public": public})
    assert names(admin, f"&name={word}&public=true") == {f"{word}-0", f"{word}-2"}
    assert names(admin, f"&name={word}&owner=admin") == {f"{word}-{n}" for n in range(3)}
    assert names(admin, f"&name={word}&owner=mia") == set()
    assert names(admin, f"&q=name=~{word},public=false") == {f"{word}-1"}
    first = admin.get(f"/projects?name={word}&sort=-name&page_size=2")
    assert [entry["name"] for entry in first.json] == [f"{word}-2", f"{word}-1"]
    assert first.headers["x-total-count"] == "3"
    assert first.headers["link"] == f'</api/v2.0/projects?name={word}&sort=-name&page=2&page_size=2>; rel="next"'
    past = admin.get(f"/projects?name={word}&page=9")
    assert (past.status, past.json) == (200, [])


@pytest.mark.parametrize(
    "query",
    [
        "sort=name;select pg_sleep(3)",
        "sort=password",
        "sort=name'--",
        "q=password=~a",
        "q=name='; DROP TABLE project;--",
        "q=metadata=~a",
        "q=name=~a,storage_limit=[1~2]",
        "q=project_id=1 OR 1=1",
        "page=-1",
        "page_size=101",
        "public=perhaps",
        "name=%00",
    ],
)
def test_lists_ask_for_their_own_fields_alone(nobody: Api, query: str) -> None:
    answer = nobody.get("/projects?" + query.replace(" ", "%20").replace("'", "%27"))
    if query.startswith("q=name='"):
        assert (answer.status, answer.json) == (200, [])  # a text as any other
    else:
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")


def test_head_tells_nothing_of_a_project_that_one_may_not_see(nobody: Api) -> None:
    for api, name, status in (
        (nobody, "open", 200),
        (nobody, "wells", 404),
        (nobody.by("guy"), "wells", 200),
        (nobody.by("guy"), "secret", 404),
        (nobody.by("guy"), "nowhere", 404),
        (nobody.by("admin"), "secret", 200),
    ):
        assert api.send("HEAD", f"/projects?project_name={name}").status == status


@pytest.mark.parametrize("path", ["", "/summary", "/_deletable", "/metadatas", "/metadatas/public", "/members"])
@pytest.mark.parametrize("user", [None, "eve", "guy"])
def test_absent_and_forbidden_look_alike(nobody: Api, admin: Api, user: str | None, path: str) -> None:
    api = nobody.by(user)
    absent, forbidden = api.get(f"/projects/nowhere{path}"), api.get(f"/projects/secret{path}")
    assert absent.status == (401 if user is None else 403)
    assert (absent.status, absent.body) == (forbidden.status, forbidden.body)
    by_id = api.get(f"/projects/{project_id(admin, 'secret')}{path}")
    assert (by_id.status, by_id.body) == (absent.status, api.get(f"/projects/999999999{path}").body)


def test_metadata_is_set_one_by_one(admin: Api, word: str) -> None:
    make(admin, word)
    path = f"/projects/{word}/metadatas"
    assert admin.get(path).json == admin.get(path + "/").json == {"public": "false"}
    assert admin.post(path, {"severity": "HIGH"}).status == 200
    assert admin.post(path + "/", {"severity": "low"}).status == 409
    assert admin.get(path + "/severity").json == {"severity": "high"}
    assert admin.put(path + "/severity", {"severity": "low"}).status == 200
    assert admin.put(path + "/severity", {"public": "true"}).status == 400
    assert admin.delete(path + "/severity").status == 200
    assert admin.get(path + "/severity").json == {}
    assert admin.delete(path + "/severity").status == 404
    for body in ({"auto_scan": "true"}, {"retention_id": "1"}, {"colour": "red"}, {}, {"public": "1", "sparse": "1"}):
        assert admin.post(path, body).status == 400, body


def test_what_a_client_read_can_be_sent_back(admin: Api, word: str) -> None:
    make(admin, word, metadata={"severity": "low", "retention_id": "7"})
    found = admin.get(f"/projects/{word}").json
    assert "retention_id" not in found["metadata"]
    assert admin.put(f"/projects/{word}", found | {"has_admin_role": True, "owner_id": 7}).status == 200
    again = admin.get(f"/projects/{word}").json
    assert again | {"update_time": ""} == found | {"update_time": ""}


def test_only_those_whose_role_says_so_change_a_project(nobody: Api, admin: Api) -> None:
    public = {"metadata": {"public": "false"}}
    for user, status in ((None, 401), ("eve", 403), ("guy", 403), ("ann", 403), ("mia", 403)):
        assert nobody.by(user).put("/projects/open", public).status == status
        assert nobody.by(user).delete("/projects/open").status == status
    # nor by another path: what metadata says (public, above all) is the project administrator's (CVE-2024-22278)
    metadatas = "/projects/open/metadatas"
    for user, status in ((None, 401), ("eve", 403), ("guy", 403), ("ann", 403), ("mia", 403)):
        assert nobody.by(user).put(f"{metadatas}/public", {"public": "false"}).status == status
        assert nobody.by(user).post(metadatas, {"sparse": "true"}).status == status
        assert nobody.by(user).delete(f"{metadatas}/public").status == status
    assert nobody.by("mia").get(metadatas).status == 200
    assert admin.get("/projects/open").json["metadata"]["public"] == "true"


def test_changes_are_audited_with_their_request(admin: Api, word: str) -> None:
    make(admin, word)
    admin.put(f"/projects/{word}", {"metadata": {"public": "true"}})
    admin.delete(f"/projects/{word}")
    rows = admin.registry.records(
        "SELECT username, operation, resource, address, request_id FROM access_log"
        " WHERE resource_type = 'project' AND split_part(resource, ' ', 1) = $1 ORDER BY log_id",
        word,
    )
    assert [(row["username"], row["operation"], row["resource"]) for row in rows] == [
        ("admin", "create", word),
        ("admin", "update", f"{word} public=true"),
        ("admin", "delete", word),
    ]
    assert all(row["address"] and row["request_id"] for row in rows)
