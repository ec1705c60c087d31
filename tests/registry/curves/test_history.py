"""Tags over time: who moved them and when, what they named then, and the way back from a move or a deletion."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from ..v2.conftest import Answer, Registry, index, pushed, sha256
from . import conftest as curves


def asked(answer: Answer, status: int = 200) -> Any:
    assert answer.status == status, answer.body
    return json.loads(answer.body)


def now(registry: Registry) -> str:
    """The database's clock, as a query has it."""
    found: datetime = registry.records("SELECT clock_timestamp()")[0][0]
    return quote(found.astimezone(UTC).isoformat())


def image(registry: Registry, repository: str, n: int) -> bytes:
    return json.dumps(registry.image(repository) | {"annotations": {"n": str(n)}}).encode()


def moves(registry: Registry, repository: str, query: str) -> list[Any]:
    project = repository.partition("/")[0]
    path = f"/api/v1/projects/{project}/history?repository={repository}&{query}"
    return list(asked(registry.send("GET", path))["moves"])


def restore(registry: Registry, repository: str, **body: str) -> Answer:
    project = repository.partition("/")[0]
    raw = json.dumps({"repository": repository, **body}).encode()
    return registry.send("POST", f"/api/v1/projects/{project}/restore", raw)


def test_a_tags_moves_are_told_with_who_and_when(registry: Registry, name: str) -> None:
    digests = [sha256(pushed(registry, name, "latest", json.loads(image(registry, name, n)))) for n in range(3)]
    between = moves(registry, name, "tag=latest")[0]["time"]
    assert registry.send("DELETE", f"/v2/{name}/manifests/latest").status == 202
    found = moves(registry, name, "tag=latest")
    assert [(each["from"], each["to"]) for each in found] == [
        (digests[2], None),
        (digests[1], digests[2]),
        (digests[0], digests[1]),
        (None, digests[0]),
    ]
    assert {each["user"] for each in found} == {"system"}
    assert moves(registry, name, f"tag=latest&at={quote(between)}&limit=1") == found[1:2]
    assert moves(registry, name, "tag=other") == []


def test_a_curve_is_read_as_it_was(registry: Registry, name: str) -> None:
    repository = f"{name.replace('/', '-')}/well/run/gr"
    values = curves.smooth(500)
    before = now(registry)
    first = curves.pushed(registry, repository, curves.frame(values), "v1", "latest")
    then = now(registry)
    second = curves.pushed(registry, repository, curves.frame(values + 1), "v2", "latest")
    path = f"/api/v1/curves/{repository}"
    for at, packed in ((then, first), (now(registry), second)):
        for read in (f"{path}/data?format=csv&at={at}", f"{path}:latest/data?format=csv&at={at}"):
            answer = registry.send("GET", read)
            assert answer.status == 200, answer.body
            assert answer.headers["dataforge-digest"] == packed.digest
        assert asked(registry.send("GET", f"{path}?at={at}"))["digest"] == packed.digest
        file = registry.send("GET", f"/api/v1/files/{repository}.parquet?at={at}")
        assert file.headers["etag"].startswith(f'"{packed.digest}')
    diff = f"/api/v1/diff?from={repository}&to={repository}"
    assert asked(registry.send("GET", diff))["changed"] == 0
    assert asked(registry.send("GET", f"{diff}&from_at={then}"))["changed"] == 500
    assert asked(registry.send("GET", f"{diff}&from_at={then}&to_at={then}"))["changed"] == 0
    assert registry.send("GET", f"{diff}&to_at={before}").status == 404
    assert registry.send("GET", f"{diff}&to_at=yesterday").status == 400
    for when, packed in ((then, first), (now(registry), second)):
        order = json.dumps({"ref": repository, "at": unquote(when)}).encode()
        assert asked(registry.send("POST", "/api/v1/links", order), 201)["digest"] == packed.digest
    for at, status in ((before, 404), ("yesterday", 400), ("9" * 40, 400), ("0001-01-01T00:00:00%2B14:00", 400)):
        assert registry.send("GET", f"{path}/data?at={at}").status == status, at
    digest = f"{path}@{first.digest}/data?format=csv&at={before}"
    assert registry.send("GET", digest).status == 200, "a digest names the same at any time"


def test_a_deleted_artifact_comes_back_with_its_tags(registry: Registry, name: str) -> None:
    raw, other = image(registry, name, 1), image(registry, name, 2)
    for tag, body in (("a", raw), ("b", raw), ("c", raw), ("d", other)):
        assert registry.put(name, tag, body).status == 201
    used = registry.used(name)
    assert registry.send("DELETE", f"/v2/{name}/manifests/c").status == 202, "gone before, by itself"
    assert registry.send("DELETE", f"/v2/{name}/manifests/{sha256(raw)}").status == 202
    assert registry.put(name, "b", other).status == 201, "given to another since"
    project = name.partition("/")[0]
    (gone,) = asked(registry.send("GET", f"/api/v1/projects/{project}/deleted?repository={name}"))["artifacts"]
    assert (gone["digest"], gone["size"]) == (sha256(raw), len(raw))
    assert gone["until"] > gone["deleted"]
    assert asked(restore(registry, name, digest=sha256(raw))) == {"digest": sha256(raw), "tags": ["a"]}
    assert registry.send("GET", f"/v2/{name}/manifests/a").body == raw
    assert registry.send("GET", f"/v2/{name}/manifests/b").body == other
    assert registry.send("GET", f"/v2/{name}/manifests/c").status == 404
    assert registry.used(name) == used
    assert asked(restore(registry, name, digest=sha256(raw)))["tags"] == [], "it is there: nothing to do"
    assert restore(registry, name, digest=sha256(b"never")).status == 404


def test_an_index_comes_back_with_its_children(registry: Registry, name: str) -> None:
    child = image(registry, name, 1)
    assert registry.put(name, sha256(child), child).status == 201
    inner = pushed(registry, name, "inner", index(child))
    outer = pushed(registry, name, "outer", index(inner, annotations={"n": "1"}))
    for raw in (outer, inner, child):
        assert registry.send("DELETE", f"/v2/{name}/manifests/{sha256(raw)}").status == 202
    assert asked(restore(registry, name, tag="outer"))["digest"] == sha256(outer)
    for raw in (outer, inner, child):
        assert registry.send("GET", f"/v2/{name}/manifests/{sha256(raw)}").body == raw
    assert registry.send("GET", f"/v2/{name}/manifests/inner").status == 404, "only what was asked for, and its needs"


def test_a_tag_goes_back_to_where_it_was(registry: Registry, name: str) -> None:
    raws = [image(registry, name, n) for n in range(3)]
    for raw in raws:
        assert registry.put(name, "final", raw).status == 201
    then = now(registry)
    assert asked(restore(registry, name, tag="final"))["digest"] == sha256(raws[1])
    assert asked(restore(registry, name, tag="final", digest=sha256(raws[0])))["digest"] == sha256(raws[0])
    body = {"repository": name, "tag": "final", "at": registry.records("SELECT clock_timestamp()::text")[0][0]}
    assert asked(restore(registry, **body))["digest"] == sha256(raws[0])
    assert registry.send("DELETE", f"/v2/{name}/manifests/final").status == 202
    assert asked(restore(registry, name, tag="final"))["digest"] == sha256(raws[0])
    assert moves(registry, name, f"tag=final&at={then}&limit=1")[0]["to"] == sha256(raws[2])
    other = image(registry, name, 9)
    assert registry.put(name, "x", other).status == 201
    for refused, status in (
        ({"tag": "final", "digest": sha256(other)}, 404),
        ({"tag": "never"}, 404),
        ({"tag": "final", "at": "2001-01-01"}, 400),
        ({"tag": "final", "at": "soon"}, 400),
        ({"tag": "-", "digest": sha256(other)}, 400),
        ({"digest": "sha256:0"}, 400),
        ({}, 400),
    ):
        assert restore(registry, name, **refused).status == status, refused


def test_a_curves_version_comes_back_into_the_catalogue(registry: Registry, name: str) -> None:
    repository = f"{name.replace('/', '-')}/well/run/gr"
    first = curves.pushed(registry, repository, curves.frame(curves.smooth(50)), "v1", "latest")
    assert registry.send("DELETE", f"/v2/{repository}/manifests/{first.digest}").status == 202
    assert registry.send("GET", f"/api/v1/curves/{repository}").status == 404
    assert asked(restore(registry, repository, digest=first.digest))["tags"] == ["latest", "v1"]
    found = asked(registry.send("GET", f"/api/v1/curves/{repository}"))
    assert (found["digest"], found["version"], found["tags"]) == (first.digest, 1, ["latest", "v1"])


def test_history_and_restoring_need_their_rights(door: Registry, name: str) -> None:
    repository = f"wells/{name.replace('/', '-')}"
    mia = door.by("mia")
    raw = image(mia, repository, 1)
    assert mia.put(repository, "a", raw).status == 201
    assert mia.send("DELETE", f"/v2/{repository}/manifests/{sha256(raw)}").status == 202
    path = f"/api/v1/projects/wells/history?repository={repository}&tag=a"
    for user, status in (("guy", 200), ("eve", 403)):
        assert door.by(user).send("GET", path).status == status
    assert door.send("GET", path).status == 401
    for user, status in (("ann", 403), ("eve", 403), ("mia", 200)):
        assert restore(door.by(user), repository, digest=sha256(raw)).status == status
    elsewhere = f"/api/v1/projects/open/history?repository={repository}&tag=a"
    assert door.by("guy").send("GET", elsewhere).status == 400
