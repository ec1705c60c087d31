"""Labels of the registry and of projects."""

import pytest

from .conftest import Api
from .test_projects import make


def test_labels_of_the_registry_are_the_administrators(admin: Api, nobody: Api, word: str) -> None:
    body = {"name": word, "description": "<i>d</i>", "color": "#FF0000", "scope": "g"}
    for user, status in ((None, 401), ("mia", 403)):
        assert nobody.by(user).post("/labels", body).status == status
    answer = admin.post("/labels", body)
    assert answer.status == 201
    label = answer.headers["location"].removeprefix("/api/v2.0")
    assert admin.post("/labels", body).status == 409
    found = nobody.by("eve").get(label)
    assert found.json["name"] == word and found.json["scope"] == "g" and found.json["description"] == "<i>d</i>"
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert [each["name"] for each in nobody.by("eve").get(f"/labels?scope=g&name={word}").json] == [word]
    assert nobody.by("eve").put(label, body).status == nobody.by("eve").delete(label).status == 403
    assert admin.put(label, body | {"name": f"{word}-2"}).status == 200
    assert admin.get(label).json["name"] == f"{word}-2"
    assert admin.delete(label).status == 200
    assert admin.get(label).status == admin.put(label, body).status == admin.delete(label).status == 404


def test_labels_of_a_project_are_its_maintainers(admin: Api, nobody: Api, word: str) -> None:
    wells = admin.get("/projects/wells").json["project_id"]
    body = {"name": word, "scope": "p", "project_id": wells}
    for user, status in ((None, 401), ("eve", 404), ("guy", 403), ("ann", 403), ("mia", 201)):
        answer = nobody.by(user).post("/labels", body)
        assert answer.status == status, user
    label = answer.headers["location"].removeprefix("/api/v2.0")
    listing = f"/labels?scope=p&project_id={wells}&name={word}"
    assert [each["name"] for each in nobody.by("guy").get(listing).json] == [word]
    eve = nobody.by("eve")
    for absent in ("/labels/999999999", "/labels/x", label):
        assert eve.get(absent).status == eve.put(absent, body).status == eve.delete(absent).status == 404
    assert eve.get(listing).status == eve.get("/labels?scope=p&project_id=999999999").status == 404
    assert eve.get(listing).body == eve.get("/labels?scope=p&project_id=999999999").body
    other = nobody.by("mia").post("/labels", body | {"name": f"{word}-2"}).headers["location"]
    assert nobody.by("mia").put(other.removeprefix("/api/v2.0"), body).status == 409
    assert nobody.by("mia").delete(label).status == 200


def test_a_deleted_project_takes_its_labels_along(admin: Api, word: str) -> None:
    make(admin, word)
    project = admin.get(f"/projects/{word}").json["project_id"]
    label = admin.post("/labels", {"name": word, "scope": "p", "project_id": project}).headers["location"]
    assert admin.delete(f"/projects/{word}").status == 200
    assert admin.get(label.removeprefix("/api/v2.0")).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "g"},
        {"name": "", "scope": "g"},
        {"name": "a\0b", "scope": "g"},
        {"name": "a" * 129, "scope": "g"},
        {"name": "a", "scope": "x"},
        {"name": "a", "color": "javascript:alert(1)"},
        {"name": "a", "project_id": -1},
    ],
)
def test_what_cannot_be_a_label(admin: Api, body: object) -> None:
    answer = admin.post("/labels", body)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "query", ["", "scope=x", "scope=p", "scope=g&q=secret=1", "scope=g&sort=x", "scope=g&name=%00"]
)
def test_lists_say_what_they_need(admin: Api, query: str) -> None:
    answer = admin.get(f"/labels?{query}")
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")
