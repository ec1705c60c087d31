"""A project's limit: never passed by a byte, never falsely refused (promise P10)."""

import json
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
