"""How blobs come in: rows U2 to U5, U10, U12, U17, U18 and the mounts X1 to X3 of the distribution API."""

import hashlib
import os
from functools import partial

import pytest

from .conftest import Registry, sha256, together

ABSENT = "sha256:" + "0" * 64
BODIES = {"empty": b"", "small": b"{}", "inline": b"i" * 8192, "large": b"L" * 8193, "larger": os.urandom(1 << 20)}
bodies = pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
algorithms = pytest.mark.parametrize("algorithm", ["sha256", "sha512"])


def of(body: bytes, algorithm: str) -> str:
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


def check(registry: Registry, name: str, body: bytes, digest: str) -> None:
    answer = registry.send("GET", f"/v2/{name}/blobs/{digest}")
    assert (answer.status, answer.body, answer.headers["docker-content-digest"]) == (200, body, digest)


@bodies
@algorithms
@pytest.mark.parametrize("announced", [False, True])
def test_post_and_put(registry: Registry, name: str, body: bytes, algorithm: str, announced: bool) -> None:
    """sha512 works whether the POST named it or not."""
    digest = of(body, algorithm)
    query = f"?digest-algorithm={algorithm}" if announced else ""
    answer = registry.send("POST", f"/v2/{name}/blobs/uploads/{query}")
    assert answer.status == 202
    answer = registry.send("PUT", f"{answer.headers['location']}?digest={digest}", body)
    assert (answer.status, answer.headers["location"]) == (201, f"/v2/{name}/blobs/{digest}")
    assert answer.headers["docker-content-digest"] == digest
    check(registry, name, body, digest)


@bodies
@algorithms
def test_post_alone(registry: Registry, name: str, body: bytes, algorithm: str) -> None:
    digest = of(body, algorithm)
    answer = registry.send("POST", f"/v2/{name}/blobs/uploads/?digest={digest.replace(':', '%3A')}", body)
    assert (answer.status, answer.headers["location"]) == (201, f"/v2/{name}/blobs/{digest}")
    assert answer.headers["docker-content-digest"] == digest
    check(registry, name, body, digest)


@bodies
@algorithms
def test_patches_and_a_put(registry: Registry, name: str, body: bytes, algorithm: str) -> None:
    """Chunks of any size and no type; the last one in the PUT or not."""
    digest, third = of(body, algorithm), max(len(body) // 3, 1)
    for last_in_put in (False, True):
        location = registry.upload(name)
        chunks = [body[:third], body[third : 2 * third], body[2 * third :]]
        for chunk in chunks[:2] if last_in_put else chunks:
            answer = registry.send("PATCH", location, chunk)
            assert answer.status == 202
            location = answer.headers["location"]
        rest = chunks[2] if last_in_put else b""
        assert registry.send("PUT", f"{location}?digest={digest}", rest).status == 201
        check(registry, name, body, digest)


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "text/plain; charset=utf-8", "nonsense"])
def test_the_type_of_a_body_says_nothing(registry: Registry, name: str, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    for method in ("POST", "PUT"):
        path = f"/v2/{name}/blobs/uploads/" if method == "POST" else registry.upload(name)
        assert registry.send(method, f"{path}?digest={sha256(b'x')}", b"x", headers).status == 201


@bodies
@pytest.mark.parametrize("digest", [ABSENT, "sha512:" + "0" * 128, "sha256:baddigeststring", "md5:" + "0" * 32, ""])
def test_wrong_digests_leave_nothing_behind(registry: Registry, name: str, body: bytes, digest: str) -> None:
    before = registry.blob(name, b"so that the repository is there")["digest"]
    charged = registry.used(name)
    answer = registry.send("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", body)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    location = registry.upload(name)
    assert registry.send("PATCH", location, b"first").status == 202
    answer = registry.send("PUT", f"{location}?digest={digest}", body)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert registry.send("GET", location).headers["range"] == "0-4"
    assert registry.used(name) == charged
    assert registry.send("GET", f"/v2/{name}/blobs/{of(body, 'sha256')}").status == 404
    # the session goes on at once, where it was before the PUT
    assert registry.send("PATCH", location, body, {"Content-Range": f"5-{4 + len(body)}"}).status == 202
    assert registry.send("PUT", f"{location}?digest={sha256(b'first' + body)}").status == 201
    check(registry, name, b"first" + body, sha256(b"first" + body))
    check(registry, name, b"so that the repository is there", before)


@pytest.mark.parametrize("size", [100, 100_000])
def test_many_pushers_of_one_blob_store_and_pay_once(registry: Registry, name: str, size: int) -> None:
    body = os.urandom(size)
    digest, project = sha256(body), registry.project(name.replace("/", "-") + f"-{size}")

    def push(n: int) -> int:
        location = registry.upload(f"{project}/r{n % 3}")
        return registry.send("PUT", f"{location}?digest={digest}", body).status

    assert together([partial(push, n) for n in range(24)]) == [201] * 24
    assert registry.used(project) == size
    assert len(registry.records("SELECT FROM artifact_blob WHERE digest = $1", digest)) == 1


def test_mounts(registry: Registry, name: str) -> None:
    data = b"to be mounted " + name.encode()
    digest = registry.blob(f"{name}/source", data)["digest"]
    answer = registry.send("POST", f"/v2/{name}/blobs/uploads/?mount={digest}&from={name}/source&origin=x")
    assert (answer.status, answer.headers["location"]) == (201, f"/v2/{name}/blobs/{digest}")
    assert answer.headers["docker-content-digest"] == digest
    check(registry, name, data, digest)
    answer = registry.send("POST", f"/v2/{name}/any/blobs/uploads/?mount={digest}")
    assert answer.status == 201
    check(registry, f"{name}/any", data, digest)


@pytest.mark.parametrize(
    "source", ["v2/absent", "absent/x", "BAD", "a//b", "%00", "%ed%a0%80", "", "x" * 300, "{name}"]
)
def test_mounts_that_cannot_be_start_an_upload(registry: Registry, name: str, source: str) -> None:
    registry.blob(name, b"x")
    for digest in (ABSENT, "sha512:" + "0" * 128):
        query = f"mount={digest}&from={source.format(name=name)}"
        answer = registry.send("POST", f"/v2/{name}/blobs/uploads/?{query}")
        assert answer.status == 202, answer.body
        assert registry.send("GET", answer.headers["location"]).status == 204
        assert registry.send("DELETE", answer.headers["location"]).status == 204


def test_a_mount_is_charged_in_its_new_project_once(registry: Registry, name: str) -> None:
    digest = registry.blob(name, b"paid twice " + name.encode())["digest"]
    project = registry.project(name.replace("/", "-"))
    for repository in ("a", "b", "a"):
        path = f"/v2/{project}/{repository}/blobs/uploads/?mount={digest}&from={name}"
        assert registry.send("POST", path).status == 201
    assert registry.used(project) == len(b"paid twice " + name.encode())
