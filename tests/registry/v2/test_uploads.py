"""The life of an upload: rows U1, U6 to U11, U13 to U17 of the distribution API."""

import json
import os
import socket
import time
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest

from .conftest import Registry, sha256, together


def stands_at(registry: Registry, location: str) -> str:
    answer = registry.send("GET", location)
    assert answer.status == 204
    assert answer.headers["location"].startswith("/v2/")
    return answer.headers["range"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_start(registry: Registry, name: str, slash: str) -> None:
    answer = registry.send("POST", f"/v2/{name}/blobs/uploads{slash}")
    assert answer.status == 202
    assert answer.headers["range"] == "0-0"
    assert answer.headers["content-length"] == "0"
    upload = answer.headers["docker-upload-uuid"]
    assert uuid.UUID(upload).version == 4
    assert answer.headers["location"] == f"/v2/{name}/blobs/uploads/{upload}"
    assert stands_at(registry, answer.headers["location"]) == "0--1"


@pytest.mark.parametrize("form", ["{}-{}", "bytes {}-{}/10", "bytes={}-{}", "bytes {}-{}/*"])
def test_chunks_say_where_they_start(registry: Registry, name: str, form: str) -> None:
    location = registry.upload(name)
    answer = registry.send("PATCH", location, b"01234", {"Content-Range": form.format(0, 4)})
    assert (answer.status, answer.headers["range"]) == (202, "0-4")
    assert answer.headers["docker-upload-uuid"] == location.rpartition("/")[2]
    assert stands_at(registry, location) == "0-4"
    answer = registry.send(
        "PUT", f"{location}?digest={sha256(b'0123456789')}", b"56789", {"Content-Range": form.format(5, 9)}
    )
    assert answer.status == 201


def pieces(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), 7000):
        yield data[at : at + 7000]


def test_streams_append_where_the_upload_stands(registry: Registry, name: str) -> None:
    data = os.urandom(100_000)
    location = registry.upload(name)
    for half in (data[:50_000], data[50_000:]):
        assert registry.send("PATCH", location, pieces(half)).status == 202
    assert stands_at(registry, location) == "0-99999"
    assert registry.send("PUT", f"{location}?digest={sha256(data)}").status == 201


def test_an_empty_chunk_adds_nothing(registry: Registry, name: str) -> None:
    location = registry.upload(name)
    answer = registry.send("PATCH", location, b"")
    assert (answer.status, answer.headers["range"]) == (202, "0-0")
    assert registry.send("PATCH", location, b"x", {"Content-Range": "0-0"}).headers["range"] == "0-0"
    assert registry.send("PATCH", location, b"", {"Content-Range": "1-0"}).headers["range"] == "0-0"
    assert registry.send("PUT", f"{location}?digest={sha256(b'x')}").status == 201


@pytest.mark.parametrize(("first", "last"), [(0, 4), (2, 6), (6, 10), (1000, 1004)])
def test_out_of_order(registry: Registry, name: str, first: int, last: int) -> None:
    """Repeated, overlapping or with a gap, in a PATCH or the PUT: told where to go on, nothing changed."""
    location, digest = registry.upload(name), sha256(b"0123456789")
    assert registry.send("PATCH", location, b"01234").status == 202
    for method, query in (("PATCH", ""), ("PUT", f"?digest={digest}")):
        answer = registry.send(method, location + query, b"56789", {"Content-Range": f"{first}-{last}"})
        assert (answer.status, answer.code) == (416, "BLOB_UPLOAD_INVALID")
        assert (answer.headers["location"], answer.headers["range"]) == (location, "0-4")
        assert answer.headers["docker-upload-uuid"] == location.rpartition("/")[2]
        assert stands_at(registry, location + query) == "0-4"
    answer = registry.send("PUT", f"{location}?digest={digest}", b"56789", {"Content-Range": "5-9"})
    assert answer.status == 201


def test_out_of_order_at_the_start(registry: Registry, name: str) -> None:
    location = registry.upload(name)
    answer = registry.send("PATCH", location, b"x", {"Content-Range": "3-3"})
    assert (answer.status, answer.headers["range"]) == (416, "0--1")


@pytest.mark.parametrize(
    ("content_range", "status", "code"),
    [
        ("0-9", 400, "SIZE_INVALID"),
        ("bytes 0-4/3", 400, "SIZE_INVALID"),
        ("0-" + "9" * 5000, 416, "BLOB_UPLOAD_INVALID"),
        ("9" * 5000 + "-" + "9" * 5000, 416, "BLOB_UPLOAD_INVALID"),
        (f"0-{2**63}", 416, "BLOB_UPLOAD_INVALID"),
        ("4-0", 416, "BLOB_UPLOAD_INVALID"),
        ("", 400, "BLOB_UPLOAD_INVALID"),
        ("-", 400, "BLOB_UPLOAD_INVALID"),
        ("0-4, 5-9", 400, "BLOB_UPLOAD_INVALID"),
        ("items 0-4/5", 400, "BLOB_UPLOAD_INVALID"),
        ("-1-4", 400, "BLOB_UPLOAD_INVALID"),
        ("0x0-0x4", 400, "BLOB_UPLOAD_INVALID"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_chunks_that_are_not_what_they_say(
    registry: Registry, name: str, content_range: str, status: int, code: str, chunked: bool
) -> None:
    location, digest = registry.upload(name), sha256(b"01234")
    for method, query in (("PATCH", ""), ("PUT", f"?digest={digest}")):
        body = pieces(b"01234") if chunked else b"01234"
        answer = registry.send(method, location + query, body, {"Content-Range": content_range})
        assert (answer.status, answer.code) == (status, code)
        assert stands_at(registry, location) == "0--1"
    assert registry.send("PUT", f"{location}?digest={digest}", b"01234", {"Content-Range": "0-4"}).status == 201


def test_the_last_chunk_ends_where_the_total_does(registry: Registry, name: str) -> None:
    location = registry.upload(name)
    assert registry.send("PATCH", location, b"01234", {"Content-Range": "bytes 0-4/20"}).status == 202
    answer = registry.send(
        "PUT", f"{location}?digest={sha256(b'0123456789')}", b"56789", {"Content-Range": "bytes 5-9/20"}
    )
    assert (answer.status, answer.code) == (400, "SIZE_INVALID")


def test_an_older_location_and_any_query_are_the_same_upload(registry: Registry, name: str) -> None:
    first = registry.upload(name)
    assert registry.send("PATCH", f"{first}?_state=abc&ns=x", b"01").status == 202
    assert registry.send("PATCH", f"{first}?a=1&_state=old", b"23").status == 202
    assert registry.send("PUT", f"{first}?x=y&digest={sha256(b'0123')}&_state=").status == 201


def test_cancel(registry: Registry, name: str) -> None:
    location = registry.upload(name)
    assert registry.send("PATCH", location, b"abc").status == 202
    assert registry.send("DELETE", location).status == 204
    for method, query in (("GET", ""), ("PATCH", ""), ("PUT", f"?digest={sha256(b'abc')}"), ("DELETE", "")):
        answer = registry.send(method, location + query, b"abc" if method in ("PATCH", "PUT") else None)
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN"), method


def test_an_upload_that_is_done_is_over(registry: Registry, name: str) -> None:
    """But its PUT may come again, since the answer may have been lost."""
    location, digest = registry.upload(name), sha256(b"abc")
    for _ in range(2):
        assert registry.send("PUT", f"{location}?digest={digest}", b"abc").status == 201
    for method in ("GET", "PATCH", "DELETE"):
        assert registry.send(method, location, b"x" if method == "PATCH" else None).status == 404, method
    answer = registry.send("PUT", f"{location}?digest={sha256(b'abcd')}", b"abcd")
    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


def test_looking_for_an_upload_makes_no_repository(registry: Registry, name: str) -> None:
    project = name.replace("/", "-")
    for method in ("GET", "PATCH", "PUT", "DELETE"):
        path = f"/v2/{project}/x/blobs/uploads/{uuid.uuid4()}?digest={sha256(b'')}"
        answer = registry.send(method, path, b"" if method in ("PATCH", "PUT") else None)
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    assert registry.records("SELECT FROM project WHERE name = $1", project) == []


def test_two_at_once_on_one_upload_never_mix(registry: Registry, name: str) -> None:
    location = registry.upload(name)
    bodies = [bytes([65 + n]) * 400_000 for n in range(6)]
    answers = together(
        [partial(registry.send, "PATCH", location, body, {"Content-Range": "0-399999"}) for body in bodies]
    )
    statuses = [answer.status for answer in answers]
    assert sorted(statuses) == [202] + [416] * 5
    winner = bodies[statuses.index(202)]
    assert registry.send("PUT", f"{location}?digest={sha256(winner)}").status == 201


def broken(registry: Registry, method: str, target: str, said: int, sent: bytes, request: str = "") -> None:
    """A client that dies in the middle of its body."""
    host, port = registry.host.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as client:
        lines = [f"Host: {registry.host}", f"Content-Length: {said}", f"X-Request-Id: {request}"]
        client.sendall("\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode() + sent)
        client.shutdown(socket.SHUT_WR)
        while client.recv(4096):
            pass


def lines(registry: Registry, request: str) -> list[dict[str, Any]]:
    """What the log says about a request."""
    log = (registry.server.directory.parent / "log").read_text()
    return [line for line in map(json.loads, log.splitlines()) if line.get("request_id") == request]


def settled(registry: Registry, location: str) -> None:
    """Until the server has noticed that the client left, and no request writes the upload any more."""
    for _ in range(300):
        rows = registry.records("SELECT lease FROM upload WHERE id = $1", uuid.UUID(location.rpartition("/")[2]))
        if rows[0]["lease"] is None:
            return
        time.sleep(0.05)
    raise AssertionError("the lease was never given up")


def test_a_client_that_dies_in_a_patch_goes_on_where_it_was_cut(registry: Registry, name: str) -> None:
    data = os.urandom(300_000)
    location = urlsplit(registry.upload(name)).path
    assert registry.send("PATCH", location, data[:100_000]).status == 202
    broken(registry, "PATCH", location, 200_000, data[100_000:250_000], request := uuid.uuid4().hex)
    settled(registry, location)
    first, last = stands_at(registry, location).split("-")
    kept = int(last) + 1
    assert first == "0" and 100_000 <= kept <= 250_000
    assert registry.send("PATCH", location, data[kept:], {"Content-Range": f"{kept}-299999"}).status == 202
    assert registry.send("PUT", f"{location}?digest={sha256(data)}").status == 201
    assert registry.send("GET", f"/v2/{name}/blobs/{sha256(data)}").body == data
    while not (said := lines(registry, request)):  # its lease is given up before it is told
        pass
    assert {line["level"] for line in said} == {"info"}
    assert [line["event"] for line in said].count("the client left before its body was whole") == 1


@pytest.mark.parametrize("size", [4000, 300_000])
def test_a_put_that_breaks_counts_for_nothing(registry: Registry, name: str, size: int) -> None:
    data = os.urandom(size)
    location, digest = registry.upload(name), sha256(data)
    assert registry.send("PATCH", location, data[:1000]).status == 202
    broken(registry, "PUT", f"{location}?digest={digest}", size - 1000, data[1000 : size - 10])
    settled(registry, location)
    assert stands_at(registry, location) == "0-999"
    assert registry.send("GET", f"/v2/{name}/blobs/{digest}").status == 404
    assert registry.send("PUT", f"{location}?digest={digest}", data[1000:]).status == 201
