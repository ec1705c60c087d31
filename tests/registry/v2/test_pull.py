"""What a pull is answered: rows B1, B9 and G1 to G11 of the distribution API."""

import hashlib
import http.client
import json
import os

import pytest

from .conftest import INDEX, MANIFEST, Registry, sha256

ABSENT = "sha256:" + "0" * 64
ACCEPTS = [
    {},
    {"Accept": "*/*"},
    {"Accept": f"{INDEX}, {MANIFEST}"},
    {"Accept": "application/json, */*;q=0.1"},
    {"Accept": MANIFEST},
    {"Accept": "text/html"},
    {"Accept": ""},
]


@pytest.mark.parametrize("path", ["/v2/", "/v2", "/v2/?ns=docker.io&account=x"])
def test_version_check(registry: Registry, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = registry.send(method, path)
        assert answer.status == 200
        assert answer.headers["docker-distribution-api-version"] == "registry/2.0"
        assert answer.headers["content-length"] == "2"
        assert answer.body == (b"{}" if method == "GET" else b"")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("accept", ACCEPTS, ids=str)
def test_manifests_come_as_they_went(registry: Registry, name: str, accept: dict[str, str], algorithm: str) -> None:
    raw = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": []}, indent=3).encode() + b"\n"
    digest = f"{algorithm}:{hashlib.new(algorithm, raw).hexdigest()}"
    assert registry.put(name, f"{digest}?tag=v1", raw, INDEX).status == 201
    for reference in ("v1", digest):
        answers = [
            registry.send(method, f"/v2/{name}/manifests/{reference}", None, accept) for method in ("GET", "HEAD")
        ]
        for answer in answers:
            assert answer.status == 200
            assert answer.headers["content-type"] == INDEX
            assert answer.headers["content-length"] == str(len(raw))
            assert answer.headers["docker-content-digest"] == digest
            assert answer.headers["etag"] == f'"{digest}"'
            assert not {"content-encoding", "set-cookie"} & set(answer.headers)
        assert [answer.body for answer in answers] == [raw, b""]


def test_absent_manifests(registry: Registry, name: str) -> None:
    registry.put(name, "v1", registry.image(name))
    for method in ("GET", "HEAD"):
        for reference in ("absent", ABSENT, "sha512:" + "0" * 128):
            answer = registry.send(method, f"/v2/{name}/manifests/{reference}")
            assert answer.status == 404
            assert method == "HEAD" or answer.code == "MANIFEST_UNKNOWN"
        answer = registry.send(method, "/v2/v2/never-pushed/manifests/v1")
        assert answer.status == 404
        assert method == "HEAD" or answer.code == "NAME_UNKNOWN"


@pytest.mark.parametrize("form", ['"{}"', 'W/"{}"', '"sha256:other", "{}"', "*"])
def test_what_the_client_has_is_not_sent_again(registry: Registry, name: str, form: str) -> None:
    image = registry.image(name)
    registry.put(name, "v1", image)
    digest, layer = sha256(json.dumps(image).encode()), image["layers"][0]["digest"]
    for path, tag in (("manifests/v1", digest), (f"manifests/{digest}", digest), (f"blobs/{layer}", layer)):
        for method in ("GET", "HEAD"):
            answer = registry.send(method, f"/v2/{name}/{path}", headers={"If-None-Match": form.format(tag)})
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", f'"{tag}"')
            answer = registry.send(method, f"/v2/{name}/{path}", headers={"If-None-Match": f'"{ABSENT}"'})
            assert answer.status == 200


@pytest.mark.parametrize("size", [0, 1, 8192, 8193, 300_000])
def test_blobs(registry: Registry, name: str, size: int) -> None:
    data = os.urandom(size)
    digest = registry.blob(name, data)["digest"]
    for method in ("GET", "HEAD"):
        answer = registry.send(method, f"/v2/{name}/blobs/{digest}", headers={"Accept-Encoding": "zstd, gzip, deflate"})
        assert answer.status == 200
        assert answer.headers["content-length"] == str(size)
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["docker-content-digest"] == digest
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["etag"] == f'"{digest}"'
        assert not {"content-encoding", "set-cookie"} & set(answer.headers)
        assert answer.body == (data if method == "GET" else b"")


def test_a_blob_of_another_repository_is_absent(registry: Registry, name: str) -> None:
    registry.blob(name, b"here")
    elsewhere = registry.blob(name + "-other", b"elsewhere " + name.encode())["digest"]
    for digest in (elsewhere, ABSENT):
        assert registry.send("HEAD", f"/v2/{name}/blobs/{digest}").status == 404
        answer = registry.send("GET", f"/v2/{name}/blobs/{digest}")
        assert (answer.status, answer.code) == (404, "BLOB_UNKNOWN")


def test_a_client_may_leave_after_its_part(registry: Registry, name: str) -> None:
    data = os.urandom(8 << 20)
    digest = registry.blob(name, data)["digest"]
    for _ in range(4):
        connection = http.client.HTTPConnection(registry.host, timeout=30)
        connection.request("GET", f"/v2/{name}/blobs/{digest}", headers={"Range": "bytes=1000-"})
        answer = connection.getresponse()
        assert answer.status == 206
        assert answer.read(1000) == data[1000:2000]
        connection.close()
    assert registry.send("GET", f"/v2/{name}/blobs/{digest}").body == data  # and the log has no traceback: conftest.py


def test_one_connection_takes_many_requests(registry: Registry, name: str) -> None:
    digest = registry.blob(name, b"again and again")["digest"]
    connection = http.client.HTTPConnection(registry.host, timeout=30)
    for _ in range(3):
        for path, status in ((f"blobs/{digest}", 200), (f"blobs/{ABSENT}", 404), ("manifests/x", 404)):
            connection.request("GET", f"/v2/{name}/{path}")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
    connection.close()
