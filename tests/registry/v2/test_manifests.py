"""How manifests come in: rows M1 to M12, M14, M15, decisions (f) and (j) of the distribution API."""

import hashlib
import json
from functools import partial
from typing import Any

import pytest

from .conftest import INDEX, MANIFEST, Registry, index, pushed, sha256, together

ABSENT = "sha256:" + "0" * 64
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


@pytest.mark.parametrize("media_type", [MANIFEST, DOCKER, INDEX, DOCKER_LIST])
def test_types(registry: Registry, name: str, media_type: str) -> None:
    image = registry.image(name)
    body = image | {"mediaType": media_type, "x-more": {"deep": [1, None]}}
    if media_type in (INDEX, DOCKER_LIST):
        body = index(pushed(registry, name, "child", image), media_type=media_type)
    raw = pushed(registry, name, "v1", body)
    answer = registry.put(name, sha256(raw), raw, media_type)
    assert (answer.status, answer.headers["location"]) == (201, f"/v2/{name}/manifests/{sha256(raw)}")
    assert answer.headers["docker-content-digest"] == sha256(raw)
    answer = registry.send("GET", f"/v2/{name}/manifests/v1")
    assert (answer.headers["content-type"], answer.body) == (media_type, raw)


def test_unknown_types_inside(registry: Registry, name: str) -> None:
    image = registry.image(name, artifactType="application/vnd.acme.rocket")
    image["config"]["mediaType"] = "application/vnd.acme.anything"
    image["layers"][0]["mediaType"] = "x/y"
    pushed(registry, name, "v1", image)
    pushed(registry, name, "none", image | {"layers": []})
    pushed(registry, name, "empty", index())


def test_four_megabytes(registry: Registry, name: str) -> None:
    annotations = {f"a{n}": "x" * 10_000 for n in range(390)}
    raw = pushed(registry, name, "large", registry.image(name, annotations=annotations))
    assert registry.send("GET", f"/v2/{name}/manifests/large").body == raw
    raw = json.dumps(registry.image(name)).encode()
    raw += b" " * ((4 << 20) - len(raw))
    assert registry.put(name, "full", raw).status == 201
    answer = registry.put(name, "over", raw + b" ")
    assert (answer.status, answer.code) == (413, "MANIFEST_INVALID")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_many_tags_at_once(registry: Registry, name: str, algorithm: str) -> None:
    raw = json.dumps(registry.image(name)).encode()
    digest = f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"
    tags = [f"tag-{n}" for n in range(12)]
    query = "&".join(f"tag={tag}" for tag in [*tags, "tag-3"])
    answer = registry.put(name, f"{digest}?{query}", raw)
    assert (answer.status, answer.headers["docker-content-digest"]) == (201, digest)
    assert answer.headers["oci-tag"] == ", ".join(tags)
    for tag in tags:
        head = registry.send("HEAD", f"/v2/{name}/manifests/{tag}")
        assert head.headers["docker-content-digest"] == digest


def test_all_tags_or_none(registry: Registry, name: str) -> None:
    raw = json.dumps(registry.image(name)).encode()
    answer = registry.put(name, f"{sha256(raw)}?tag=good&tag=-bad", raw)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    other = pushed(registry, name, "b", registry.image(name, annotations={"n": "1"}))
    answer = registry.send(
        "PUT", f"/v2/{name}/manifests/{sha256(raw)}?tag=a&tag=b", raw, {"Content-Type": MANIFEST, "If-None-Match": "*"}
    )
    assert (answer.status, answer.code) == (412, "MANIFEST_INVALID")
    assert json.loads(registry.send("GET", f"/v2/{name}/tags/list").body)["tags"] == ["b"]
    assert registry.send("GET", f"/v2/{name}/manifests/b").body == other
    assert registry.send("GET", f"/v2/{name}/manifests/{sha256(raw)}").status == 404


def test_a_tag_remembers_the_digest_it_was_pushed_under(registry: Registry, name: str) -> None:
    raw = json.dumps(registry.image(name)).encode()
    long = f"sha512:{hashlib.sha512(raw).hexdigest()}"
    assert registry.put(name, f"{long}?tag=long", raw).status == 201
    assert registry.put(name, "short", raw).status == 201
    for tag, digest in (("long", long), ("short", sha256(raw))):
        answer = registry.send("GET", f"/v2/{name}/manifests/{tag}")
        assert (answer.headers["docker-content-digest"], answer.body) == (digest, raw)


def test_the_same_bytes_again_move_the_tag_and_make_no_row(registry: Registry, name: str) -> None:
    one = pushed(registry, name, "v1", registry.image(name))
    two = pushed(registry, name, "v2", registry.image(name, annotations={"n": "2"}))
    used = registry.used(name)
    assert registry.put(name, "v1", two).status == 201
    assert registry.put(name, "v3", one).status == 201
    found = [registry.send("GET", f"/v2/{name}/manifests/{tag}").body for tag in ("v1", "v2", "v3", sha256(one))]
    assert found == [two, two, one, one]
    rows = registry.records("SELECT FROM artifact WHERE repository_name = $1", name)
    assert (len(rows), registry.used(name)) == (2, used)
    history = registry.records(
        "SELECT from_digest, to_digest FROM tag_history JOIN repository r USING (repository_id) "
        "WHERE r.name = $1 AND tag_history.name = 'v1' ORDER BY id",
        name,
    )
    assert [tuple(row) for row in history] == [(None, sha256(one)), (sha256(one), sha256(two))]


def test_everything_that_is_missing_is_named(registry: Registry, name: str) -> None:
    image = registry.image(name)
    layer = image["layers"][0] | {"digest": ABSENT}
    other = ABSENT.replace("0", "1")
    body = image | {"config": image["config"] | {"digest": other}, "layers": [*image["layers"], layer, layer]}
    answer = registry.put(name, "v1", body)
    assert answer.status == 404
    errors = json.loads(answer.body)["errors"]
    assert {error["code"] for error in errors} == {"MANIFEST_BLOB_UNKNOWN"}
    assert sorted(error["detail"]["digest"] for error in errors) == [ABSENT, other]
    answer = registry.put(name, "v1", index(json.dumps(image).encode()), INDEX)
    assert (answer.status, answer.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert registry.send("GET", f"/v2/{name}/tags/list").status in (200, 404)
    assert registry.send("GET", f"/v2/{name}/manifests/v1").status == 404


def test_what_another_repository_has_is_missing_here(registry: Registry, name: str) -> None:
    image = registry.image(f"{name}-other")
    assert registry.put(name, "v1", image).code == "MANIFEST_BLOB_UNKNOWN"


@pytest.mark.parametrize("more", [{"urls": ["https://example.org/x"]}, {}])
def test_foreign_layers_may_be_absent(registry: Registry, name: str, more: dict[str, Any]) -> None:
    kind = "x/y" if more else "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    layer = {"mediaType": kind, "digest": ABSENT, "size": 7, **more}
    pushed(registry, name, "v1", registry.image(name) | {"layers": [layer]})


def test_a_sparse_project_takes_what_is_missing_and_says_so(registry: Registry, name: str) -> None:
    image = registry.image(name) | {"layers": [{"mediaType": "x/y", "digest": ABSENT, "size": 7}]}
    project = registry.project(name.replace("/", "-"), sparse=True)
    registry.blob(f"{project}/a", b"{}")
    answer = registry.put(f"{project}/a", "v1", image)
    assert answer.status == 201
    assert answer.headers["warning"].startswith('299 - "1 of ')
    child = json.dumps(image | {"annotations": {"never": "pushed"}}).encode()
    assert registry.put(f"{project}/a", "v2", index(child), INDEX).status == 201
    # a blob that comes later is found by the manifest that waited for it
    late = b"late " + name.encode()
    image["layers"] = [{"mediaType": "x/y", "digest": sha256(late), "size": len(late)}]
    assert registry.put(f"{project}/a", "v3", image).status == 201
    registry.blob(f"{project}/a", late)
    answer = registry.send("DELETE", f"/v2/{project}/a/blobs/{sha256(late)}")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")


@pytest.mark.parametrize("again", [False, True])
def test_a_sparse_index_holds_the_child_that_comes_later(registry: Registry, name: str, again: bool) -> None:
    project = registry.project(name.replace("/", "-"), sparse=True)
    child = json.dumps(registry.image(project)).encode()
    parent = pushed(registry, project, "parent", index(child))
    pushed(registry, project, "beside", index(subject={"mediaType": MANIFEST, "digest": sha256(child), "size": 1}))
    assert registry.put(project, "child", child).status == 201
    if again:
        assert registry.put(project, "parent", parent, INDEX).status == 201
    held = registry.records(
        "SELECT p.digest, c.digest FROM artifact_reference f JOIN artifact p ON p.id = f.artifact_id "
        "JOIN artifact c ON c.id = f.child_id WHERE p.repository_name = $1",
        project,
    )
    assert [tuple(row) for row in held] == [(sha256(parent), sha256(child))]


@pytest.mark.parametrize("what", ["layer", "child"])
def test_sizes_are_those_that_are_stored(registry: Registry, name: str, what: str) -> None:
    image = registry.image(name)
    if what == "layer":
        image["layers"][0]["size"] += 1
        body: dict[str, Any] = image
    else:
        body = index(pushed(registry, name, "child", image))
        body["manifests"][0]["size"] -= 1
    answer = registry.put(name, "v1", body, body["mediaType"])
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")
    assert json.loads(answer.body)["errors"][0]["detail"]


@pytest.mark.parametrize("kind", ["image", "index"])
@pytest.mark.parametrize("present", [False, True])
def test_subjects(registry: Registry, name: str, kind: str, present: bool) -> None:
    image = registry.image(name)
    raw = pushed(registry, name, "subject", image) if present else json.dumps(image).encode()
    subject = {"mediaType": MANIFEST, "digest": sha256(raw), "size": len(raw)}
    body = image | {"subject": subject} if kind == "image" else index(subject=subject)
    answer = registry.put(name, "v1", body, body["mediaType"])
    assert (answer.status, answer.headers["oci-subject"]) == (201, sha256(raw))
    assert "oci-subject" not in registry.put(name, "v2", image).headers


# Decision (j): an index may name children that live in repositories below its own


def test_an_index_of_children_below(registry: Registry, name: str) -> None:
    """Recursively; what comes into the repository is pulled from it, and charged where it was."""
    project = registry.project(name.replace("/", "-"))
    leaves = [pushed(registry, f"{project}/w/c{n}", "v1", registry.image(f"{project}/w/c{n}")) for n in range(3)]
    inner = pushed(registry, f"{project}/w", "inner", index(*leaves[:2]))
    used = registry.used(project)
    outer = pushed(registry, project, "outer", index(inner, leaves[2]))
    assert registry.used(project) == used + len(outer)
    for raw in (outer, inner, *leaves):
        answer = registry.send("GET", f"/v2/{project}/manifests/{sha256(raw)}")
        assert (answer.status, answer.body) == (200, raw)
    for raw in leaves:
        for blob in (json.loads(raw)["config"], *json.loads(raw)["layers"]):
            assert registry.send("HEAD", f"/v2/{project}/blobs/{blob['digest']}").status == 200
            answer = registry.send("DELETE", f"/v2/{project}/blobs/{blob['digest']}")
            assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    for raw in (inner, *leaves):
        answer = registry.send("DELETE", f"/v2/{project}/manifests/{sha256(raw)}")
        assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    # children may go from where they came; the index stays whole
    for n, raw in enumerate(leaves[2:], 2):
        assert registry.send("DELETE", f"/v2/{project}/w/c{n}/manifests/{sha256(raw)}").status == 202
        assert registry.send("GET", f"/v2/{project}/manifests/{sha256(raw)}").body == raw
    assert registry.put(project, "again", outer, INDEX).status == 201


def test_children_beside_above_or_elsewhere_are_missing(registry: Registry, name: str) -> None:
    project, other = registry.project(name.replace("/", "-")), registry.project(name.replace("/", "-") + "-b")
    for place in (project, f"{project}/a", f"{project}/ab", f"{other}/a/b"):
        child = pushed(registry, place, "v1", registry.image(place))
        answer = registry.put(
            f"{project}/a/b" if place != f"{project}/ab" else f"{project}/a", "i", index(child), INDEX
        )
        assert (answer.status, answer.code) == (404, "MANIFEST_BLOB_UNKNOWN"), place


def test_many_indexes_of_the_same_children_at_once(registry: Registry, name: str) -> None:
    project = registry.project(name.replace("/", "-"))
    leaves = [pushed(registry, f"{project}/w/c{n}", "v1", registry.image(f"{project}/w/c{n}")) for n in range(4)]
    used = registry.used(project)
    bodies = [json.dumps(index(*leaves[:: (-1) ** n], annotations={"n": str(n)})).encode() for n in range(8)]
    jobs = [
        partial(registry.put, f"{project}/w" if n % 2 else project, f"t{n}", body, INDEX)
        for n, body in enumerate(bodies)
    ]
    assert [answer.status for answer in together(jobs)] == [201] * 8
    assert registry.used(project) == used + sum(map(len, bodies))
