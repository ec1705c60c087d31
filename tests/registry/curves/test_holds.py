"""Legal holds: what they cover stays, whoever deletes it by whatever path, until they are lifted."""

import json
from typing import Any

import asyncpg
import pytest

from ..v2.conftest import Answer, Registry, index, pushed, sha256

REASON = "case 12/7"


def image(registry: Registry, repository: str, n: int) -> bytes:
    return json.dumps(registry.image(repository) | {"annotations": {"n": str(n)}}).encode()


def hold(registry: Registry, project: str, **body: Any) -> Answer:
    raw = json.dumps({"reason": REASON, **body}).encode()
    return registry.send("POST", f"/api/v1/projects/{project}/holds", raw)


def placed(registry: Registry, project: str, **body: Any) -> str:
    answer = hold(registry, project, **body)
    assert answer.status == 201, answer.body
    return f"/api/v1/projects/{project}/holds/{json.loads(answer.body)['id']}"


def held(answer: Answer) -> None:
    assert (answer.status, answer.code) == (412, "DENIED"), answer.body
    assert REASON.encode() in answer.body


@pytest.fixture
def project(registry: Registry, name: str) -> str:
    return registry.project(name.replace("/", "-") + "-held", sparse=True)


def test_a_held_artifact_cannot_be_deleted_and_its_tags_stay(registry: Registry, project: str) -> None:
    repository = f"{project}/a"
    raw, other = image(registry, repository, 1), image(registry, repository, 2)
    for tag, body in (("a", raw), ("moves", raw), ("b", other)):
        assert registry.put(repository, tag, body).status == 201
    lift = placed(registry, project, repository=repository, digest=sha256(raw))
    held(registry.send("DELETE", f"/v2/{repository}/manifests/{sha256(raw)}"))
    held(registry.send("DELETE", f"/v2/{repository}/manifests/a"))
    layer = json.loads(raw)["layers"][0]["digest"]
    assert registry.send("DELETE", f"/v2/{repository}/blobs/{layer}").status == 405
    assert registry.put(repository, "moves", other).status == 201, "it stays, whatever its tags do"
    assert registry.send("DELETE", f"/v2/{repository}/manifests/{sha256(other)}").status == 202
    assert registry.send("GET", f"/v2/{repository}/manifests/{sha256(raw)}").body == raw
    assert registry.send("DELETE", lift).status == 200
    assert registry.send("DELETE", lift).status == 404
    assert registry.send("DELETE", f"/v2/{repository}/manifests/{sha256(raw)}").status == 202


def test_what_a_held_index_lists_is_held_too(registry: Registry, project: str) -> None:
    repository = f"{project}/a"
    child = image(registry, repository, 1)
    assert registry.put(repository, sha256(child), child).status == 201
    inner = pushed(registry, repository, "inner", index(child))
    outer = pushed(registry, repository, "outer", index(inner, annotations={"n": "1"}))
    placed(registry, project, repository=repository, digest=sha256(outer))
    for raw in (child, inner, outer):
        held(registry.send("DELETE", f"/v2/{repository}/manifests/{sha256(raw)}"))


@pytest.mark.parametrize("whole", [False, True])
def test_a_held_repository_and_a_held_project_keep_all_that_is_in_them(
    registry: Registry, project: str, whole: bool
) -> None:
    repository, beside = f"{project}/a", f"{project}/b"
    raws = {name: image(registry, name, 1) for name in (repository, beside)}
    for name, raw in raws.items():
        assert registry.put(name, "a", raw).status == 201
    lift = placed(registry, project, **({} if whole else {"repository": repository}))
    held(registry.send("DELETE", f"/v2/{repository}/manifests/a"))
    held(registry.send("DELETE", f"/v2/{repository}/manifests/{sha256(raws[repository])}"))
    answer = registry.send("DELETE", f"/v2/{beside}/manifests/{sha256(raws[beside])}")
    if whole:
        held(answer)
    else:
        assert answer.status == 202
    assert registry.put(repository, "new", image(registry, repository, 2)).status == 201, "pushes go on"
    with pytest.raises(asyncpg.PostgresError, match="HELD"):
        registry.records("UPDATE project SET deleted = true WHERE name = $1", project)
    assert registry.send("DELETE", lift).status == 200
    assert registry.send("DELETE", f"/v2/{repository}/manifests/a").status == 202


def test_what_was_deleted_before_is_not_purged_while_it_is_held(registry: Registry, project: str) -> None:
    repository = f"{project}/a"
    raw = image(registry, repository, 1)
    assert registry.put(repository, "a", raw).status == 201
    assert registry.send("DELETE", f"/v2/{repository}/manifests/{sha256(raw)}").status == 202
    lift = placed(registry, project, repository=repository)
    mine = "id IN (SELECT id FROM artifact WHERE repository_name = $1)"
    registry.records(f"UPDATE artifact SET keep_until = now() - interval '1 second' WHERE {mine}", repository)
    purge = f"SELECT (gc_artifacts(ARRAY(SELECT id FROM artifact WHERE {mine}))).purged"
    assert registry.records(purge, repository)[0][0] == 0
    body = json.dumps({"repository": repository, "digest": sha256(raw)}).encode()
    assert registry.send("POST", f"/api/v1/projects/{project}/restore", body).status == 200
    assert registry.send("DELETE", lift).status == 200


def test_holds_are_listed_and_told_apart(registry: Registry, project: str) -> None:
    repository = f"{project}/a"
    raw = image(registry, repository, 1)
    assert registry.put(repository, "a", raw).status == 201
    bodies: list[dict[str, Any]] = [{}, {"repository": repository}, {"repository": repository, "digest": sha256(raw)}]
    for body in bodies:
        placed(registry, project, **body)
        assert hold(registry, project, **body).status == 409
    listed = json.loads(registry.send("GET", f"/api/v1/projects/{project}/holds").body)["holds"]
    assert [(each["repository"], each["digest"]) for each in listed] == [
        (None, None),
        (repository, None),
        (repository, sha256(raw)),
    ]
    assert {each["reason"] for each in listed} == {REASON}
    for bad, status in (
        ({"repository": f"{project}/none"}, 404),
        ({"repository": repository, "digest": sha256(b"none")}, 404),
        ({"repository": "v2/r1"}, 404),
        ({"digest": sha256(raw)}, 400),
        ({"reason": ""}, 400),
        ({"repository": repository, "digest": "x"}, 400),
    ):
        assert hold(registry, project, **bad).status == status, bad
    logged = registry.records(
        """SELECT operation FROM access_log l JOIN project p USING (project_id) WHERE p.name = $1
        AND resource_type = 'hold' ORDER BY log_id""",
        project,
    )
    assert [row[0] for row in logged] == ["create"] * 3


def test_whoever_may_hold_need_not_be_one_who_may_lift(door: Registry, name: str) -> None:
    repository = f"wells/{name.replace('/', '-')}"
    mia = door.by("mia")
    assert mia.put(repository, "a", image(mia, repository, 1)).status == 201
    for user, status in (("ann", 403), ("guy", 403), ("eve", 403), ("mia", 201)):
        answer = hold(door.by(user), "wells", repository=repository)
        assert answer.status == status, answer.body
    lift = f"/api/v1/projects/wells/holds/{json.loads(answer.body)['id']}"
    assert mia.send("DELETE", lift).status == 403
    assert door.by("guy").send("GET", "/api/v1/projects/wells/holds").status == 200
    other = lift.replace("wells", "open")
    admin = door.by("admin")
    assert admin.send("DELETE", other).status == 404
    assert admin.send("DELETE", lift).status == 200
