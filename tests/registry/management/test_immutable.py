"""Immutable tags: the rules, and that no path moves or removes what they keep (promise P23)."""

import json
from typing import Any

import asyncpg
import pytest

from ..v2.conftest import Registry, index, pushed, sha256
from .conftest import Api

SELECTOR = {"kind": "doublestar", "decoration": "matches", "pattern": "v*"}


def rule(*tags: dict[str, str], **more: Any) -> dict[str, Any]:
    return {"tag_selectors": list(tags or [SELECTOR]), **more}


def repositories(pattern: str, decoration: str = "repoMatches") -> dict[str, Any]:
    return {"scope_selectors": {"repository": [{**SELECTOR, "decoration": decoration, "pattern": pattern}]}}


@pytest.fixture
def project(admin: Api, word: str) -> str:
    """A project of this test's own; sparse, where the children of an index may go."""
    return admin.registry.project(word, sparse=True)


def image(registry: Registry, repository: str, n: int) -> bytes:
    return json.dumps(registry.image(repository) | {"annotations": {"n": str(n)}}).encode()


def kept(found: Any) -> None:
    """The answer of a change that a rule keeps from happening."""
    status = found.status
    assert (status, found.code) in ((412, "DENIED"), (412, "PRECONDITION")), found
    assert b"immutable by rule" in found.body


def test_rules_are_made_listed_changed_and_taken_away(admin: Api, project: str) -> None:
    path = f"/projects/{project}/immutabletagrules"
    made = admin.post(path, rule(**repositories("well-*/**")))
    assert made.status == 201
    location = made.headers["location"].removeprefix("/api/v2.0")
    number = int(location.rpartition("/")[2])
    (found,) = admin.get(path).json
    assert (found["id"], found["disabled"], found["action"], found["template"]) == (
        number,
        False,
        "immutable",
        "immutable_template",
    )
    assert found["tag_selectors"] == [SELECTOR]
    assert found["scope_selectors"]["repository"][0]["pattern"] == "well-*/**"
    assert admin.post(path, rule(**repositories("well-*/**"))).code == "BAD_REQUEST"
    assert admin.put(location, {**found, "disabled": True}).status == 200
    assert admin.get(path).json[0]["disabled"] is True
    assert admin.delete(location).status == 200
    assert admin.delete(location).code == "NOT_FOUND"
    assert admin.put(location, found).code == "NOT_FOUND"
    assert admin.get(path).json == []


def test_a_rule_is_switched_by_a_body_that_says_nothing_else(admin: Api, project: str) -> None:
    """As harborapi does it (enable_project_immutable_tagrule)."""
    made = admin.post(f"/projects/{project}/immutabletagrules", rule())
    location = made.headers["location"].removeprefix("/api/v2.0")
    for off in (True, False):
        assert admin.put(location, {"disabled": off}).status == 200
        (found,) = admin.get(f"/projects/{project}/immutabletagrules").json
        assert (found["disabled"], found["tag_selectors"]) == (off, [SELECTOR])
    assert admin.put(location, {}).code == "BAD_REQUEST"
    assert admin.put(f"{location}0", {"disabled": True}).code == "NOT_FOUND"


def test_rules_of_another_project_are_not_there(admin: Api, nobody: Api, project: str, word: str) -> None:
    other = admin.registry.project(f"{word}-other")
    made = admin.post(f"/projects/{project}/immutabletagrules", rule())
    number = made.headers["location"].rpartition("/")[2]
    path = f"/projects/{other}/immutabletagrules/{number}"
    assert admin.put(path, rule(disabled=True)).code == "NOT_FOUND"
    assert admin.delete(path).code == "NOT_FOUND"
    assert admin.get(f"/projects/{project}/immutabletagrules").json[0]["disabled"] is False
    for user, status in (("mia", 403), ("eve", 403), (None, 401)):
        assert nobody.by(user).delete(f"/projects/{project}/immutabletagrules/{number}").status == status
    assert nobody.by("ann").post("/projects/wells/immutabletagrules", rule()).status == 403


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"tag_selectors": [{**SELECTOR, "pattern": "["}]},
        {"tag_selectors": [{**SELECTOR, "kind": "regexp"}]},
        {"tag_selectors": [{**SELECTOR, "decoration": "repoMatches"}]},
        {"tag_selectors": [{**SELECTOR, "kind": "label", "decoration": "withLabels", "pattern": " , "}]},
        {"tag_selectors": [{**SELECTOR, "extras": "{"}]},
        {"tag_selectors": [SELECTOR], "scope_selectors": {"team": [SELECTOR]}},
        {"tag_selectors": [SELECTOR], "action": "delete"},
        {"tag_selectors": [SELECTOR] * 17},
        {"tag_selectors": [{**SELECTOR, "pattern": "x" * 600}]},
    ],
)
def test_a_rule_that_is_none_is_refused(admin: Api, project: str, body: Any) -> None:
    answer = admin.post(f"/projects/{project}/immutabletagrules", body)
    assert (answer.status, answer.code) == (400, "BAD_REQUEST")


def test_no_push_moves_what_a_rule_keeps(admin: Api, project: str) -> None:
    registry, repository = admin.registry, f"{project}/well-1/run/gr"
    first, second = image(registry, repository, 1), image(registry, repository, 2)
    assert registry.put(repository, "v1", first).status == 201
    assert registry.put(repository, "latest", first).status == 201
    assert admin.post(f"/projects/{project}/immutabletagrules", rule(**repositories("well-*/**"))).status == 201
    kept(registry.put(repository, "v1", second))
    tagged = f"/v2/{repository}/manifests/{sha256(second)}?tag=free&tag=v1"
    kept(registry.send("PUT", tagged, second))
    assert registry.send("GET", f"/v2/{repository}/manifests/free").status == 404, "all tags of a push, or none"
    assert registry.put(repository, "v1", first).status == 201, "it stays where it is"
    assert registry.put(repository, "latest", second).status == 201
    assert registry.put(repository, "v2", second).status == 201, "new tags come"
    kept(registry.put(repository, "v2", first))
    assert registry.put(f"{project}/other", "v1", image(registry, f"{project}/other", 1)).status == 201
    assert registry.put(f"{project}/other", "v1", image(registry, f"{project}/other", 2)).status == 201


def test_nothing_deletes_what_a_rule_keeps(admin: Api, project: str) -> None:
    registry, repository = admin.registry, f"{project}/a"
    first, second = image(registry, repository, 1), image(registry, repository, 2)
    for tag, raw in (("v1", first), ("other", first), ("free", second)):
        assert registry.put(repository, tag, raw).status == 201
    assert admin.post(f"/projects/{project}/immutabletagrules", rule()).status == 201
    kept(registry.send("DELETE", f"/v2/{repository}/manifests/v1"))
    kept(registry.send("DELETE", f"/v2/{repository}/manifests/{sha256(first)}"))
    assert registry.send("DELETE", f"/v2/{repository}/manifests/other").status == 202
    assert registry.send("DELETE", f"/v2/{repository}/manifests/{sha256(second)}").status == 202
    assert registry.send("GET", f"/v2/{repository}/manifests/v1").body == first


def test_a_child_of_a_kept_index_stays_too(admin: Api, project: str) -> None:
    """A sparse project lets children of indexes go, at any depth, but not of one whose tag may not."""
    registry, repository = admin.registry, f"{project}/a"
    child = image(registry, repository, 1)
    assert registry.put(repository, sha256(child), child).status == 201
    inner = pushed(registry, repository, "inner", index(child))
    pushed(registry, repository, "v1", index(inner, annotations={"n": "1"}))
    assert admin.post(f"/projects/{project}/immutabletagrules", rule()).status == 201
    for raw in (child, inner):
        kept(registry.send("DELETE", f"/v2/{repository}/manifests/{sha256(raw)}"))
    path = f"/projects/{project}/immutabletagrules"
    assert admin.delete(f"{path}/{admin.get(path).json[0]['id']}").status == 200
    assert registry.send("DELETE", f"/v2/{repository}/manifests/{sha256(child)}").status == 202


def test_a_rule_may_exclude_and_go_by_labels(admin: Api, project: str) -> None:
    registry, repository = admin.registry, f"{project}/a"
    raws = [image(registry, repository, n) for n in range(4)]
    for n, tag in enumerate(("draft-1", "r1", "r2", "r3")):
        assert registry.put(repository, tag, raws[n]).status == 201
    statement = """WITH made AS (INSERT INTO label (project_id, name) SELECT project_id, 'production=true' FROM project
      WHERE name = $1 RETURNING id)
    INSERT INTO artifact_label SELECT a.id, made.id FROM artifact a, made WHERE a.digest = $2"""
    registry.records(statement, project, sha256(raws[2]))
    excluded = {**SELECTOR, "decoration": "excludes", "pattern": "draft-*"}
    labelled = {"kind": "label", "decoration": "withLabels", "pattern": "production=true"}
    assert admin.post(f"/projects/{project}/immutabletagrules", rule(excluded, labelled)).status == 201
    kept(registry.put(repository, "r2", raws[0]))
    for tag in ("draft-1", "r1", "r3"):
        assert registry.put(repository, tag, raws[2]).status == 201


def test_statements_of_whatever_code_are_kept_from_it(admin: Api, project: str) -> None:
    """The rule is held where the rows are: a path that nobody thought of ends there too."""
    registry, repository = admin.registry, f"{project}/a"
    raw = image(registry, repository, 1)
    other = image(registry, repository, 2)
    assert registry.put(repository, "v1", raw).status == 201
    assert registry.put(repository, "x", other).status == 201
    assert admin.post(f"/projects/{project}/immutabletagrules", rule()).status == 201
    mine = "repository_id = (SELECT repository_id FROM repository WHERE name = $1)"
    for statement in (
        f"DELETE FROM tag WHERE {mine}",
        f"UPDATE tag SET artifact_id = (SELECT max(id) FROM artifact WHERE {mine}) WHERE {mine} AND name = 'v1'",
    ):
        with pytest.raises(asyncpg.PostgresError, match="TAG_IMMUTABLE"):
            registry.records(statement, repository)


def test_no_operation_of_the_api_passes_a_rule_or_a_hold(admin: Api, project: str) -> None:
    """Tags, artifacts and repositories deleted, artifacts copied over: by the paths of Harbor's clients."""
    registry, repository = admin.registry, f"{project}/a"
    first, second = image(registry, repository, 1), image(registry, f"{project}/b", 2)
    assert registry.put(repository, "v1", first).status == 201
    assert registry.put(f"{project}/b", "v1", second).status == 201
    path = f"/projects/{project}/repositories/a"
    rules = f"/projects/{project}/immutabletagrules"
    assert admin.post(rules, rule()).status == 201
    answer = admin.get(f"{path}/artifacts/v1?with_tag=true&with_immutable_status=true")
    assert answer.json["tags"][0]["immutable"] is True
    for target in (f"{path}/artifacts/v1/tags/v1", f"{path}/artifacts/{sha256(first)}", path):
        kept(admin.delete(target))
    copied = admin.post(f"{path}/artifacts?from={project}/b:v1")
    assert registry.send("GET", f"/v2/{repository}/manifests/v1").body == first, copied
    assert admin.delete(f"{rules}/{admin.get(rules).json[0]['id']}").status == 200
    hold = json.dumps({"reason": "case", "repository": repository}).encode()
    assert registry.send("POST", f"/api/v1/projects/{project}/holds", hold).status == 201
    for target in (f"{path}/artifacts/v1/tags/v1", f"{path}/artifacts/{sha256(first)}", path):
        answer = admin.delete(target)
        assert (answer.status, answer.code) == (412, "PRECONDITION"), answer.body
    assert registry.send("GET", f"/v2/{repository}/manifests/v1").body == first
    lifted = json.loads(registry.send("GET", f"/api/v1/projects/{project}/holds").body)["holds"][0]["id"]
    assert registry.send("DELETE", f"/api/v1/projects/{project}/holds/{lifted}").status == 200
    assert admin.delete(path).status == 200
    body = json.dumps({"repository": repository, "digest": sha256(first)}).encode()
    assert registry.send("POST", f"/api/v1/projects/{project}/restore", body).status == 200
    assert registry.send("GET", f"/v2/{repository}/manifests/v1").body == first, "with its repository"
