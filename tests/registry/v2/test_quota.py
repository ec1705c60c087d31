"""A project's limit: never passed by a byte, never falsely refused (promise P10)."""

import json
import socket
from functools import partial

import pytest

from .conftest import Registry, sha256, together


def limited(registry: Registry, name: str, limit: int) -> str:
    return registry.project(name.replace("/", "-") + "-limited", storage_limit=limit)


@pytest.mark.parametrize("size", [1000, 100_000])
def test_what_would_pass_the_limit_is_refused_with_the_numbers(registry: Registry, name: str, size: int) -> None:
    project = limited(registry, name, size)
    registry.blob(f"{project}/a", b"x" * 10)
    body = b"y" * size
    location = registry.upload(f"{project}/a")
    for answer in (
        registry.send("POST", f"/v2/{project}/a/blobs/uploads/?digest={sha256(body)}", body),
        registry.send("PUT", f"{location}?digest={sha256(body)}", body),
    ):
        assert (answer.status, answer.code) == (403, "DENIED")
        error = json.loads(answer.body)["errors"][0]
        assert error["detail"] == {"limit": size, "used": 10, "asked": size}
        assert all(str(number) in error["message"] for number in (size, 10))
    assert registry.send("GET", f"/v2/{project}/a/blobs/{sha256(body)}").status == 404
    body = b"z" * (size - 10)  # to the byte
    registry.blob(f"{project}/a", body)
    assert registry.used(project) == size
    registry.blob(f"{project}/b", body)  # linked once more, and not paid again


def test_mounts_and_manifests_are_charged_too(registry: Registry, name: str) -> None:
    image = registry.image(name)
    raw = json.dumps(image).encode()
    blobs = [image["config"], *image["layers"]]
    project = limited(registry, name, sum(blob["size"] for blob in blobs) + len(raw) - 1)
    for blob in blobs:
        path = f"/v2/{project}/a/blobs/uploads/?mount={blob['digest']}&from={name}"
        assert registry.send("POST", path).status == 201
    answer = registry.put(f"{project}/a", "v1", raw)
    assert (answer.status, answer.code) == (403, "DENIED")
    assert registry.send("GET", f"/v2/{project}/a/manifests/v1").status == 404
    other = registry.blob(name, b"one more byte than fits".ljust(len(raw)))["digest"]
    answer = registry.send("POST", f"/v2/{project}/a/blobs/uploads/?mount={other}&from={name}")
    assert (answer.status, answer.code) == (403, "DENIED")


@pytest.mark.parametrize("size", [100, 20_000])
def test_racers_never_pass_the_limit_and_fill_it(registry: Registry, name: str, size: int) -> None:
    racers, fit = 200, 37
    project = limited(registry, name, fit * size)
    bodies = [f"{n:08}".encode().ljust(size, b".") for n in range(racers)]

    def push(n: int) -> int:
        path = f"/v2/{project}/r{n % 5}/blobs/uploads/?digest={sha256(bodies[n])}"
        return registry.send("POST", path, bodies[n]).status

    statuses = together([partial(push, n) for n in range(racers)])
    assert sorted(statuses) == [201] * fit + [403] * (racers - fit)
    assert registry.used(project) == fit * size


def test_a_body_that_cannot_fit_is_not_asked_for(registry: Registry, name: str) -> None:
    """Expect: 100-continue: the refusal comes instead, and nothing of the body is sent."""
    project = limited(registry, name, 50_000)
    location = registry.upload(f"{project}/a")
    digest = sha256(b"of what is never sent")
    for line in (
        f"PUT {location}?digest={digest}",
        f"PATCH {location}",
        f"POST /v2/{project}/a/blobs/uploads/?digest={digest}",
        f"PUT /v2/{project}/a/manifests/{digest}",
    ):
        length = 60_000
        head = f"{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        host, _, port = registry.host.partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as client:
            client.sendall(head.encode())
            answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 403"), (line, answer)
    assert reserved(registry, project) == 0


def test_a_stream_of_unknown_length_is_cut_at_the_limit(registry: Registry, name: str) -> None:
    project = limited(registry, name, 1 << 20)
    pieces = [bytes(1 << 16)] * 64
    location = registry.upload(f"{project}/a")
    answer = registry.send("PATCH", location, iter(pieces))
    assert (answer.status, answer.code) == (403, "DENIED")
    asked = json.loads(answer.body)["errors"][0]["detail"]["asked"]
    assert 1 << 20 < asked < len(pieces) << 16, "refused when the limit was passed, not at the end"
    assert registry.send("GET", location).headers["range"] == "0--1"
    answer = registry.send("PUT", f"{location}?digest={sha256(b''.join(pieces))}", iter(pieces))
    assert (answer.status, answer.code) == (403, "DENIED")
    assert registry.used(project) == reserved(registry, project) == 0


def test_a_failed_push_gives_its_room_back(registry: Registry, name: str) -> None:
    project = limited(registry, name, 100_000)
    location = registry.upload(f"{project}/a")
    body = b"x" * 90_000
    answer = registry.send("PUT", f"{location}?digest={sha256(b'another')}", body)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    registry.blob(f"{project}/a", b"y" * 95_000)
    assert reserved(registry, project) == 0


def test_a_blob_that_is_there_can_be_pushed_again_into_a_full_project(registry: Registry, name: str) -> None:
    body = b"x" * 50_000
    project = limited(registry, name, len(body))
    registry.blob(f"{project}/a", body)
    registry.blob(f"{project}/b", body)
    location = registry.upload(f"{project}/c")
    assert registry.send("PUT", f"{location}?digest={sha256(body)}", body).status == 201


def test_artifacts_are_limited_by_their_number(registry: Registry, name: str) -> None:
    project = limited(registry, name, -1)
    repository = f"{project}/a"
    image = registry.image(repository)
    registry.records("UPDATE project SET artifact_limit = 10 WHERE name = $1", project)

    def put(n: int) -> int:
        return registry.put(repository, f"t{n}", image | {"annotations": {"n": str(n)}}).status

    assert sorted(together([partial(put, n) for n in range(30)])) == [201] * 10 + [403] * 20
    answer = registry.put(repository, "more", image | {"annotations": {"n": "more"}})
    detail = json.loads(answer.body)["errors"][0]["detail"]
    assert (answer.code, detail) == ("DENIED", {"limit": 10, "used": 10, "asked": 1})


def test_pushes_near_a_limit_are_warned(registry: Registry, name: str) -> None:
    project = limited(registry, name, -1)
    image = registry.image(f"{project}/a")
    assert "warning" not in registry.put(f"{project}/a", "v1", image).headers
    registry.records("UPDATE project SET storage_limit = 10000 WHERE name = $1", project)
    assert "warning" not in registry.put(f"{project}/a", "v2", image | {"annotations": {"n": "2"}}).headers
    registry.blob(f"{project}/a", b"x" * 8500)
    answer = registry.put(f"{project}/a", "v3", image | {"annotations": {"n": "3"}})
    assert answer.status == 201
    assert f"the project holds {registry.used(project)} of 10000 bytes" in answer.headers["warning"]


def reserved(registry: Registry, project: str) -> int:
    """What is promised now, counted twice."""
    row = registry.records(
        """SELECT storage_reserved, (SELECT count(*) FROM project_reservation r WHERE r.project_id = p.project_id)
        FROM project p WHERE name = $1""",
        project,
    )[0]
    assert (row[0] == 0) == (row[1] == 0)
    return int(row[0])
