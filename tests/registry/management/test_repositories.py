"""Repositories: lists, names that come encoded twice, descriptions, deletion."""

import json

import pytest

from ..v2.conftest import Registry, index, pushed, sha256
from .conftest import Api
from .test_projects import make


def listed(api: Api, path: str) -> list[str]:
    return [entry["name"] for entry in api.get(path).json]


def test_repositories_are_listed_with_what_they_hold(admin: Api, door: Registry, word: str) -> None:
    make(admin, word)
    registry = door.by("admin")
    for name in ("a", "b/c"):
        pushed(registry, f"{word}/{name}", "v1", registry.image(f"{word}/{name}"))
    pushed(registry, f"{word}/a", "v2", registry.image(f"{word}/a", annotations={"n": "2"}))
    found = admin.get(f"/projects/{word}/repositories?sort=name").json
    assert [(entry["name"], entry["artifact_count"]) for entry in found] == [(f"{word}/a", 2), (f"{word}/b/c", 1)]
    assert listed(admin, f"/repositories?q=name=~{word}&sort=-name") == [f"{word}/b/c", f"{word}/a"]
    assert admin.get(f"/projects/{word}/repositories?q=name=~b/").headers["x-total-count"] == "1"
    assert listed(admin, f"/projects/{word}/repositories?page=7") == []
    assert admin.get(f"/projects/{word}").json["repo_count"] == 2


@pytest.mark.parametrize("spelling", ["b%252Fc", "b%2Fc", "b%25252Fc"])
def test_a_name_is_decoded_until_it_stays(admin: Api, door: Registry, word: str, spelling: str) -> None:
    make(admin, word)
    registry = door.by("admin")
    pushed(registry, f"{word}/b/c", "v1", registry.image(f"{word}/b/c"))
    path = f"/projects/{word}/repositories/{spelling}"
    assert admin.get(path).json["name"] == f"{word}/b/c"
    assert admin.put(path, {"description": "<script>alert(1)</script>", "name": "evil", "pull_count": 9}).status == 200
    answer = admin.get(path)
    assert answer.json["description"] == "<script>alert(1)</script>" and answer.json["pull_count"] == 0
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert admin.put(path, {"description": "a\0b"}).status == 400
    assert admin.get(f"/projects/{word}/repositories/{spelling}/artifacts/v1").status == 200


def test_the_repository_of_one_segment(admin: Api, door: Registry, word: str) -> None:
    make(admin, word)
    registry = door.by("admin")
    pushed(registry, word, "v1", registry.image(word))
    path = f"/projects/{word}/repositories/{word}"
    assert admin.get(path).json["name"] == word
    pushed(registry, f"{word}/{word}", "v1", registry.image(f"{word}/{word}"))
    assert admin.get(path).json["name"] == f"{word}/{word}"
    assert admin.delete(path).status == 200
    assert admin.get(path).json["name"] == word


def test_each_sees_the_repositories_of_its_projects(nobody: Api, door: Registry, word: str) -> None:
    registry = door.by("admin")
    for project in ("open", "wells", "secret"):
        pushed(registry, f"{project}/{word}", "v1", registry.image(f"{project}/{word}"))
    query = f"/repositories?q=name=~{word}&sort=name"
    assert listed(nobody, query) == listed(nobody.by("eve"), query) == [f"open/{word}"]
    assert listed(nobody.by("guy"), query) == [f"open/{word}", f"wells/{word}"]
    assert listed(nobody.by("admin"), query) == [f"{each}/{word}" for each in ("open", "secret", "wells")]


def test_a_repository_is_deleted_with_all_it_holds(admin: Api, door: Registry, word: str) -> None:
    make(admin, word)
    registry, name = door.by("admin"), f"{word}/a"
    child = pushed(registry, name, "child", registry.image(name))
    pushed(registry, name, "v7", index(child))
    path = f"/projects/{word}/repositories/a"
    assert admin.delete(path).status == 200
    assert admin.get(path).status == admin.delete(path).status == 404
    assert admin.get(f"{path}/artifacts").status == 404
    assert admin.get(f"/projects/{word}/repositories").json == []
    assert registry.send("GET", f"/v2/{name}/tags/list").status == 404
    assert registry.send("GET", f"/v2/{name}/manifests/{sha256(child)}").status == 404
    assert name not in registry.send("GET", f"/v2/_catalog?n=1000&last={word}").body.decode()
    moves = registry.records(
        "SELECT h.name FROM tag_history h JOIN repository r USING (repository_id)"
        " WHERE r.name = $1 AND to_digest IS NULL ORDER BY h.name",
        name,
    )
    assert [row["name"] for row in moves] == ["child", "v7"]
    # a push brings it back, with what it gave away before
    answer = registry.put(name, "again?version=next", registry.image(name, annotations={"n": "2"}))
    assert answer.status == 201
    assert admin.get(f"{path}/artifacts/v8").status == 200
    assert admin.get(path).json["artifact_count"] == 1
    assert admin.delete(f"/projects/{word}").status == 412


def test_what_is_restored_brings_its_repository_back(admin: Api, door: Registry, word: str) -> None:
    make(admin, word)
    registry, name = door.by("admin"), f"{word}/a"
    child = pushed(registry, name, "child", registry.image(name))
    whole = pushed(registry, name, "v1", index(child))
    assert admin.delete(f"/projects/{word}/repositories/a").status == 200
    body = json.dumps({"repository": name, "digest": sha256(whole)}).encode()
    assert registry.send("POST", f"/api/v1/projects/{word}/restore", body).status == 200
    assert admin.get(f"/projects/{word}/repositories/a").json["artifact_count"] == 1
    assert admin.get(f"/projects/{word}/repositories/a/artifacts/v1").json["digest"] == sha256(whole)


def test_a_repository_with_an_immutable_tag_stays_whole(admin: Api, door: Registry, word: str) -> None:
    make(admin, word)
    registry, name = door.by("admin"), f"{word}/a"
    for tag in ("v1", "draft"):
        pushed(registry, name, tag, registry.image(name, annotations={"n": tag}))
    selector = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}
    assert admin.post(f"/projects/{word}/immutabletagrules", {"tag_selectors": [selector]}).status == 201
    path = f"/projects/{word}/repositories/a"
    answer = admin.delete(path)
    assert (answer.status, answer.code) == (412, "PRECONDITION")
    assert admin.get(path).json["artifact_count"] == 2
    for tag, immutable in (("v1", True), ("draft", False)):
        found = admin.get(f"{path}/artifacts/{tag}?with_immutable_status=true").json
        assert [each["immutable"] for each in found["tags"]] == [immutable]
        (listed_tag,) = admin.get(f"{path}/artifacts/{tag}/tags?with_immutable_status=true").json
        assert listed_tag["immutable"] is immutable
        assert "immutable" not in admin.get(f"{path}/artifacts/{tag}/tags").json[0]


def test_who_may_do_what_with_a_repository(nobody: Api, door: Registry, word: str) -> None:
    registry = door.by("admin")
    pushed(registry, f"wells/{word}", "v1", registry.image(f"wells/{word}"))
    path, text = f"/projects/wells/repositories/{word}", {"description": "text"}
    for user, get, put, delete in (
        (None, 401, 401, 401),
        ("eve", 403, 403, 403),
        ("guy", 200, 403, 403),
        ("ann", 200, 200, 403),
        ("mia", 200, 200, 200),
    ):
        api = nobody.by(user)
        found = (api.get(path).status, api.put(path, text).status, api.delete(path).status)
        assert found == (get, put, delete), user
    absent, forbidden = (nobody.by("eve").get(f"/projects/{each}/repositories/{word}") for each in ("wells", "nowhere"))
    assert (absent.status, absent.body) == (forbidden.status, forbidden.body)


@pytest.mark.parametrize(
    "query", ["sort=name;drop", "q=secret=1", "q=name=~a'--,x=1", "sort=artifact_count)--", "q=name"]
)
def test_what_a_list_is_asked_is_a_field_or_refused(admin: Api, query: str) -> None:
    for path in ("/repositories", "/projects/open/repositories"):
        answer = admin.get(f"{path}?{query}")
        assert (answer.status, answer.code) == (400, "BAD_REQUEST")
