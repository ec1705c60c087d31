"""What goes: rows D1 to D5 and decisions (e) and (l) of the distribution API."""

import hashlib
import json
from collections.abc import Iterator
from functools import partial

import pytest

from .conftest import INDEX, MANIFEST, Registry, index, pushed, running, sha256, together

ABSENT = "sha256:" + "0" * 64


def test_a_tag_goes_alone(registry: Registry, name: str) -> None:
    raw = pushed(registry, name, "v1", registry.image(name))
    pushed(registry, name, "v2", registry.image(name))
    assert registry.send("DELETE", f"/v2/{name}/manifests/v1").status == 202
    assert registry.send("GET", f"/v2/{name}/manifests/v1").code == "MANIFEST_UNKNOWN"
    for reference in ("v2", sha256(raw)):
        assert registry.send("GET", f"/v2/{name}/manifests/{reference}").body == raw
    answer = registry.send("DELETE", f"/v2/{name}/manifests/v1")
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")


def test_a_manifest_goes_with_its_tags_and_comes_back(registry: Registry, name: str) -> None:
    image = registry.image(name)
    raw = pushed(registry, name, "v1", image)
    pushed(registry, name, "v2", image)
    other = pushed(registry, name, "other", registry.image(name, annotations={"n": "1"}))
    used = registry.used(name)
    assert registry.send("DELETE", f"/v2/{name}/manifests/{sha256(raw)}").status == 202
    for reference in ("v1", "v2", sha256(raw)):
        answer = registry.send("GET", f"/v2/{name}/manifests/{reference}")
        assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
    assert json.loads(registry.send("GET", f"/v2/{name}/tags/list").body)["tags"] == ["other"]
    assert registry.send("GET", f"/v2/{name}/manifests/other").body == other
    answer = registry.send("DELETE", f"/v2/{name}/manifests/{sha256(raw)}")
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
    assert registry.put(name, "v3", raw).status == 201
    assert registry.send("GET", f"/v2/{name}/manifests/v3").body == raw
    assert registry.used(name) == used


@pytest.mark.parametrize("path", ["manifests/absent", f"manifests/{ABSENT}", f"blobs/{ABSENT}"])
def test_what_is_not_there(registry: Registry, name: str, path: str) -> None:
    registry.blob(name, b"x")
    code = "BLOB_UNKNOWN" if path.startswith("blobs") else "MANIFEST_UNKNOWN"
    answer = registry.send("DELETE", f"/v2/{name}/{path}")
    assert (answer.status, answer.code) == (404, code)
    answer = registry.send("DELETE", f"/v2/{name}-never-pushed/{path}")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_blob_goes_from_one_repository_at_once(registry: Registry, name: str, size: int) -> None:
    data = hashlib.shake_128(name.encode()).digest(size)
    for repository in (name, f"{name}-other"):
        digest = registry.blob(repository, data)["digest"]
    assert registry.send("DELETE", f"/v2/{name}/blobs/{digest}").status == 202
    for method in ("GET", "HEAD", "DELETE"):
        assert registry.send(method, f"/v2/{name}/blobs/{digest}").status == 404
    image = registry.image(name) | {"layers": [{"mediaType": "x/y", "digest": digest, "size": size}]}
    assert registry.put(name, "v1", image).code == "MANIFEST_BLOB_UNKNOWN"
    mount = f"/v2/{name}-third/blobs/uploads/?mount={digest}&from={name}"
    assert registry.send("POST", mount).status == 202
    assert registry.send("GET", f"/v2/{name}-other/blobs/{digest}").body == data
    registry.blob(name, data)
    assert registry.send("GET", f"/v2/{name}/blobs/{digest}").body == data
    assert registry.put(name, "v1", image).status == 201


def test_a_blob_in_use_stays(registry: Registry, name: str) -> None:
    image = registry.image(name)
    raw = pushed(registry, name, "v1", image)
    path = f"/v2/{name}/blobs/{image['layers'][0]['digest']}"
    answer = registry.send("DELETE", path)
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert registry.send("HEAD", path).status == 200
    assert registry.send("DELETE", f"/v2/{name}/manifests/v1").status == 202
    assert registry.send("DELETE", path).status == 405  # the untagged manifest uses it as well
    assert registry.send("DELETE", f"/v2/{name}/manifests/{sha256(raw)}").status == 202
    assert registry.send("DELETE", path).status == 202
    # the manifest cannot come back without it
    assert registry.put(name, "v1", raw).code == "MANIFEST_BLOB_UNKNOWN"


def test_a_manifest_in_an_index_stays(registry: Registry, name: str) -> None:
    child = pushed(registry, name, "child", registry.image(name))
    parent = pushed(registry, name, "parent", index(child))
    answer = registry.send("DELETE", f"/v2/{name}/manifests/{sha256(child)}")
    assert (answer.status, answer.code) == (405, "UNSUPPORTED")
    assert registry.send("DELETE", f"/v2/{name}/manifests/child").status == 202  # its tag may go
    assert registry.send("DELETE", f"/v2/{name}/manifests/{sha256(parent)}").status == 202
    assert registry.send("DELETE", f"/v2/{name}/manifests/{sha256(child)}").status == 202
    answer = registry.put(name, "parent", parent, INDEX)
    assert (answer.status, answer.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    # a sparse project does not insist
    project = registry.project(name.replace("/", "-"), sparse=True)
    child = pushed(registry, project, "child", registry.image(project))
    pushed(registry, project, "parent", index(child))
    assert registry.send("DELETE", f"/v2/{project}/manifests/{sha256(child)}").status == 202
    assert registry.send("GET", f"/v2/{project}/manifests/parent").status == 200


def test_pushes_and_deletes_at_once_leave_a_whole_manifest_or_none(registry: Registry, name: str) -> None:
    """The blob's deletion sees the manifest or the manifest sees the deletion; conftest.py recounts in the end."""
    image = registry.image(name)
    raw, layer = json.dumps(image).encode(), image["layers"][0]["digest"]
    for _ in range(6):
        answers = together(
            [
                partial(registry.put, name, "v1", raw),
                partial(registry.send, "DELETE", f"/v2/{name}/blobs/{layer}"),
                partial(registry.put, name, "v2", raw),
                partial(registry.send, "DELETE", f"/v2/{name}/manifests/{sha256(raw)}"),
            ]
        )
        assert {answer.status for answer in answers} <= {201, 202, 404, 405}
        stands = registry.send("GET", f"/v2/{name}/manifests/{sha256(raw)}").status == 200
        assert not stands or registry.send("HEAD", f"/v2/{name}/blobs/{layer}").status == 200
        registry.image(name)


def test_a_positive_answer_renews_the_lease(registry: Registry, name: str) -> None:
    """To one who may push, HEAD promises that a blob or manifest stays: clients skip the upload on it (row D5)."""
    image = registry.image(name)
    raw = pushed(registry, name, "v1", image)
    digest = image["layers"][0]["digest"]
    kept = """SELECT l.keep_until, a.keep_until AS artifact FROM repository_blob l
        JOIN artifact_blob b ON b.id = l.blob_id JOIN artifact a USING (repository_id)
        WHERE a.repository_name = $1 AND b.digest = $2"""
    fresh = registry.records(kept, name, digest)[0]
    for path in (f"blobs/{digest}", f"manifests/{sha256(raw)}"):
        assert registry.send("HEAD", f"/v2/{name}/{path}").status == 200
    assert registry.records(kept, name, digest)[0] == fresh  # much of the lease is left: nothing is written
    soon = "now() + interval '1 hour' WHERE"
    registry.records(
        f"UPDATE repository_blob SET keep_until = {soon} repository_id IN "
        "(SELECT repository_id FROM repository WHERE name = $1)",
        name,
    )
    registry.records(f"UPDATE artifact SET keep_until = {soon} repository_name = $1", name)
    for path in (f"blobs/{digest}", f"manifests/{sha256(raw)}"):
        assert registry.send("HEAD", f"/v2/{name}/{path}").status == 200
    renewed = registry.records(kept, name, digest)[0]
    assert renewed["keep_until"] > fresh["keep_until"]
    assert renewed["artifact"] > fresh["artifact"]


@pytest.fixture(scope="module")
def keeper() -> Iterator[Registry]:
    """A registry where nothing is deleted."""
    with running("--auth", "none", REGISTRY_STORAGE_DELETE_ENABLED="false") as registry:
        yield registry


def test_deletes_that_are_switched_off(keeper: Registry, name: str) -> None:
    raw = pushed(keeper, name, "v1", keeper.image(name))
    blob = keeper.blob(name, b"free")["digest"]
    for path in ("manifests/v1", f"manifests/{sha256(raw)}", f"blobs/{blob}", "manifests/absent"):
        answer = keeper.send("DELETE", f"/v2/{name}/{path}")
        assert (answer.status, answer.code) == (405, "UNSUPPORTED"), path
        assert answer.headers["allow"] == "GET, HEAD"
    project, _, below = name.partition("/")
    for path in ("", "/artifacts/v1", "/artifacts/v1/tags/v1"):
        answer = keeper.send("DELETE", f"/api/v2.0/projects/{project}/repositories/{below}{path}")
        assert (answer.status, answer.code) == (405, "METHOD_NOT_ALLOWED"), path
    assert keeper.send("GET", f"/v2/{name}/manifests/v1").headers["content-type"] == MANIFEST
    assert keeper.send("DELETE", keeper.upload(name)).status == 204  # an upload is no content yet
