"""What brought other registries down or open, tried on this one (reliability, section 6)."""

import asyncio
import json
import socket
import uuid
from typing import Any

import asyncpg
import pytest

from dataforge_registry.core.access import DEVELOPER, SYSTEM
from dataforge_registry.core.records import projects

from .conftest import INDEX, MANIFEST, NUMBERS, Registry, pushed, sha256

LARGEST = 4 << 20


def told(registry: Registry, head: list[str], body: bytes = b"") -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to a request that never ends."""
    host, port = registry.host.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall("\r\n".join([head[0], f"Host: {registry.host}", *head[1:], "", ""]).encode() + body)
        with client.makefile("rb") as answer:
            status = int(answer.readline().split()[1])
            headers = dict(line.decode().lower().rstrip().split(": ", 1) for line in iter(answer.readline, b"\r\n"))
            return status, json.loads(answer.read(int(headers["content-length"])))


@pytest.mark.parametrize("kind", ["chunked", "announced"])
def test_a_manifest_without_end(registry: Registry, name: str, kind: str) -> None:
    """CVE-2017-11468: the refusal comes after a little more than the limit, or at once, not after a gigabyte."""
    head = [f"PUT /v2/{name}/manifests/v1 HTTP/1.1", f"Content-Type: {MANIFEST}"]
    if kind == "chunked":
        piece = b" " * 65536
        body = (b"%x\r\n%s\r\n" % (len(piece), piece)) * (LARGEST // len(piece) + 1)
        status, said = told(registry, [*head, "Transfer-Encoding: chunked"], body)
    else:
        status, said = told(registry, [*head, f"Content-Length: {1 << 30}"])
    assert (status, said["errors"][0]["code"]) == (413, "MANIFEST_INVALID")


@pytest.mark.parametrize("n", [2**31, 2**63, 10**40])
def test_a_page_beyond_numbers(registry: Registry, name: str, n: int) -> None:
    """CVE-2023-2253: what is asked for is not what is made room for."""
    pushed(registry, name, "v1", registry.image(name))
    for path, key in ((f"/v2/{name}/tags/list", "tags"), ("/v2/_catalog", "repositories")):
        answer = registry.send("GET", f"{path}?n={n}")
        assert answer.status == 200
        assert 0 < len(json.loads(answer.body)[key]) <= 1000


@pytest.mark.parametrize("kind", [MANIFEST, INDEX])
def test_a_manifest_that_is_two_things(registry: Registry, name: str, kind: str) -> None:
    """GHSA-qq97-vm5h-rrhg: what one client pulls another must not read as something else."""
    image = registry.image(name)
    for manifests in ([], [image["config"]]):
        answer = registry.put(name, "v1", image | {"mediaType": kind, "manifests": manifests}, kind)
        assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    for body, sent in (({"manifests": []}, MANIFEST), (image, INDEX), (image | {"mediaType": INDEX}, MANIFEST)):
        answer = registry.put(name, "v1", {"schemaVersion": 2, **body}, sent)
        assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    twice = json.dumps(image)[:-1] + f', "layers": {json.dumps(image["layers"])}}}'
    assert registry.put(name, "v1", twice.encode()).code == "MANIFEST_INVALID"


@pytest.mark.parametrize("size", [9, 100_000])
def test_a_deleted_blob_that_is_read_elsewhere_stays_deleted(registry: Registry, name: str, size: int) -> None:
    """CVE-2026-35172: a cache filled by one repository served another."""
    data = name.encode() + b"x" * size
    other, path = f"{name}-other", f"blobs/{sha256(data)}"
    for repository in (name, other):
        registry.blob(repository, data)
        assert registry.send("GET", f"/v2/{repository}/{path}").body == data
    assert registry.send("DELETE", f"/v2/{name}/{path}").status == 202
    for _ in range(2):
        assert registry.send("GET", f"/v2/{other}/{path}").body == data
        for method in ("GET", "HEAD"):
            assert registry.send(method, f"/v2/{name}/{path}").status == 404


@pytest.mark.parametrize("state", [b"", b"\x80\x04\x95", b"\x01\x01" + b"\xff" * 200, b"x" * 100_000])
def test_a_broken_hash_state_is_read_around(registry: Registry, name: str, state: bytes) -> None:
    """PROJQUAY-11190: a row is data and never code; here the bytes are read again."""
    location = registry.upload(name)
    assert registry.send("PATCH", location, b"0123").status == 202
    upload = uuid.UUID(location.rpartition("/")[2])
    assert registry.records("UPDATE upload SET hash_state = $2 WHERE id = $1 RETURNING id", upload, state)
    assert registry.send("PATCH", location, b"4567").status == 202
    assert registry.send("PUT", f"{location}?digest={sha256(b'0123456789')}", b"89").status == 201


def test_a_project_made_again_knows_no_old_token_and_gives_nothing_away(door: Registry) -> None:
    """Harbor #22900: the rights of a project that is gone were those of its namesake."""
    project = f"again{next(NUMBERS)}"

    async def make(again: bool) -> None:
        connection = await asyncpg.connect(door.dsn)
        try:
            if again:
                await connection.execute("UPDATE project SET deleted = true WHERE name = $1", project)
            await projects.create(connection, SYSTEM, project)
            if not again:
                await projects.set_member(connection, SYSTEM, project, "user", "ann", DEVELOPER)
        finally:
            await connection.close()

    asyncio.run(make(again=False))
    data = f"of the first {project}".encode()
    digest = door.by("ann").blob(f"{project}/a", data)["digest"]
    scope = f"repository:{project}/a:pull,push"
    answer = door.by("ann").send("GET", f"/service/token?scope={scope}")
    ann = {"Authorization": f"Bearer {json.loads(answer.body)['token']}"}
    blob, mount = f"/v2/{project}/a/blobs/{digest}", f"/v2/wells/m/blobs/uploads/?mount={digest}&from={project}/a"
    assert door.send("GET", blob, headers=ann).body == data
    asyncio.run(make(again=True))
    for method, path in (("GET", blob), ("POST", f"/v2/{project}/a/blobs/uploads/")):
        answer = door.send(method, path, headers=ann)
        assert (answer.status, answer.code) == (403, "DENIED")
    for registry, headers in ((door, ann), (door.by("admin"), {})):
        assert registry.send("POST", mount, headers=headers).status == 202
        assert registry.send("HEAD", f"/v2/wells/m/blobs/{digest}", headers=headers).status == 404
    assert door.by("admin").send("GET", blob).status == 404


@pytest.mark.parametrize("path", [
    "/v2/_catalog", "/v2/_catalog?n=5", "/v2//_catalog", "/v2/_catalog/", "/v2/./_catalog", "/v2/%5fcatalog",
    "/V2/_catalog", "http://localhost/v2/_catalog", "//localhost/v2/_catalog", "/v2/_catalog;x", "/x/../v2/_catalog",
])  # fmt: skip
def test_no_way_round_to_the_catalog(door: Registry, path: str) -> None:
    """CVE-2020-29662: an odd path to the list of everything."""
    answer = door.send("GET", path)
    assert answer.status in (400, 401, 404)
    assert b"repositories" not in answer.body
