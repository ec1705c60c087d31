"""What bad input gets: exactly the listed answer, always with an OCI error body (reliability, section 7).

Of its 60 rows some are elsewhere: 13 (another user's upload) in test_rights.py, 23 and 24 (two at once, a client that
leaves) in test_uploads.py, 49 (a thousand entries) in test_lists.py, 52-56 (what is no request) in
tests/registry/engines, 60 (tokens) in tests/registry/access.
"""

import json
import uuid
from typing import Any

import pytest

from .conftest import INDEX, MANIFEST, Registry, sha256

ABSENT = "sha256:" + "0" * 64

NAMES = [
    "v2/Upper",
    "a" * 256,
    "v2/../x",
    "v2/%2e%2e/x",
    "v2%2fx",
    "v2//x",
    "v2/%00",
    "v2/%ff%fe",
    "v2/%d0%b0",
    "v2/x-",
]
DIGESTS = ["sha256:abc", "sha256:" + "A" * 64, "sha256:" + "a" * 65, "md5:" + "a" * 32, "sha256:..%2f..%2fetc"]
TAGS = ["a" * 129, "-a", "a%0ab", "a%2fb"]
BODIES = {
    "empty": b"",
    "not JSON": b"{",
    "array": b"[]",
    "null": b"null",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "duplicate keys": b'{"schemaVersion":2,"schemaVersion":2,"manifests":[]}',
    "not UTF-8": b'{"a":"\xff"}',
    "NaN": b'{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"' + ABSENT.encode() + b'","size":NaN}]}',
}
SIZES = ["1e400", '"1000"', "18446744073709551616", "1.5", "-1", "true"]


@pytest.mark.parametrize("bad", NAMES)
def test_names(registry: Registry, bad: str) -> None:
    for path in (f"/v2/{bad}/tags/list", f"/v2/{bad}/manifests/latest", f"/v2/{bad}/blobs/{ABSENT}"):
        answer = registry.send("GET", path)
        assert (answer.status, answer.code) == (400, "NAME_INVALID"), path
        assert "location" not in answer.headers


@pytest.mark.parametrize("bad", TAGS)
def test_tags(registry: Registry, name: str, bad: str) -> None:
    answer = registry.put(name, bad, registry.image(name))
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")
    for method in ("GET", "DELETE"):
        answer = registry.send(method, f"/v2/{name}/manifests/{bad}")
        # an encoded slash is no tag at all (row B8), another bad tag is one that nothing can have (row B4)
        wanted = (400, "MANIFEST_INVALID") if "%2f" in bad else (404, "MANIFEST_UNKNOWN")
        assert (answer.status, answer.code) == wanted


@pytest.mark.parametrize("bad", DIGESTS)
def test_digests(registry: Registry, name: str, bad: str) -> None:
    for path in (f"/v2/{name}/blobs/{bad}", f"/v2/{name}/referrers/{bad}", f"/v2/{name}/manifests/{bad}"):
        answer = registry.send("GET", path)
        assert (answer.status, answer.code) == (400, "DIGEST_INVALID"), path
    answer = registry.put(name, bad, registry.image(name))
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    location = registry.upload(name)
    answer = registry.send("PUT", f"{location}?digest={bad}", b"abc")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert registry.send("GET", location).headers["range"] == "0--1"


def test_what_is_absent_or_elsewhere_looks_the_same(registry: Registry, name: str) -> None:
    elsewhere = registry.blob(name + "-other", b"only there")["digest"]
    registry.blob(name, b"something")
    answers = [registry.send("GET", f"/v2/{name}/blobs/{digest}") for digest in (elsewhere, ABSENT)]
    answers.append(registry.send("GET", f"/v2/{name}/blobs/sha512:{'0' * 128}"))
    assert {(answer.status, answer.body) for answer in answers} == {(404, answers[0].body)}
    assert answers[0].code == "BLOB_UNKNOWN"
    answer = registry.send("GET", "/v2/v2/nothing-was-pushed-here/tags/list")
    assert (answer.status, answer.code) == (404, "NAME_UNKNOWN")


@pytest.mark.parametrize("upload", [str(uuid.UUID(int=4)), "no-uuid", "0", "%2e%2e"])
def test_unknown_uploads(registry: Registry, name: str, upload: str) -> None:
    registry.blob(name, b"so that the repository is there")
    for method, query in (("GET", ""), ("PATCH", ""), ("PUT", f"?digest={sha256(b'x')}"), ("DELETE", "")):
        body = b"x" if method in ("PATCH", "PUT") else None
        answer = registry.send(method, f"/v2/{name}/blobs/uploads/{upload}{query}", body)
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN"), method


def test_an_upload_of_another_repository(registry: Registry, name: str) -> None:
    location = registry.upload(name)
    registry.blob(name + "-other", b"x")
    answer = registry.send("GET", location.replace(name, name + "-other"))
    assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("query", ["", "?digest=foo", f"?digest={ABSENT}", f"?digest={sha256(b'abc')}&digest={ABSENT}"])
def test_closing_without_the_right_digest_keeps_the_upload(registry: Registry, name: str, query: str) -> None:
    location = registry.upload(name)
    assert registry.send("PATCH", location, b"abc").status == 202
    answer = registry.send("PUT", location + query, b"")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert registry.send("GET", location).headers["range"] == "0-2"
    for _ in range(2):  # and a repeated PUT is answered 201 again
        assert registry.send("PUT", f"{location}?digest={sha256(b'abc')}", b"").status == 201


@pytest.mark.parametrize(
    ("content_range", "status", "code"),
    [
        ("5-9", 416, "BLOB_UPLOAD_INVALID"),
        ("0-4", 416, "BLOB_UPLOAD_INVALID"),
        ("3-9", 400, "SIZE_INVALID"),
        ("junk", 400, "BLOB_UPLOAD_INVALID"),
        ("9-5", 416, "BLOB_UPLOAD_INVALID"),
        (f"3-{2**70}", 416, "BLOB_UPLOAD_INVALID"),
    ],
)
def test_content_ranges(registry: Registry, name: str, content_range: str, status: int, code: str) -> None:
    location = registry.upload(name)
    assert registry.send("PATCH", location, b"abc", {"Content-Range": "0-2"}).status == 202
    answer = registry.send("PATCH", location, b"defgh", {"Content-Range": content_range})
    assert (answer.status, answer.code) == (status, code)
    if status == 416:
        assert answer.headers["location"] == location
        assert answer.headers["range"] == "0-2"
    assert registry.send("GET", location).headers["range"] == "0-2"


def test_types_and_encodings_of_chunks(registry: Registry, name: str) -> None:
    assert registry.send("PATCH", registry.upload(name), b"abc", {"Content-Type": "text/html"}).status == 202
    location, query = registry.upload(name), f"?digest={sha256(b'abc')}"
    for method, path in (("PATCH", location), ("PUT", location + query), ("POST", f"/v2/{name}/blobs/uploads/{query}")):
        answer = registry.send(method, path, b"abc", {"Content-Encoding": "gzip"})
        assert (answer.status, answer.code) == (415, "UNSUPPORTED"), method
    assert registry.send("GET", location).headers["range"] == "0--1"


def test_mounts(registry: Registry, name: str) -> None:
    digest = registry.blob(name + "-other", b"mounted " + name.encode())["digest"]
    answer = registry.send("POST", f"/v2/{name}/blobs/uploads/?mount=sha256:bad&from={name}-other")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    sources = ["v2/absent", "BAD%00NAME", "nobody/there"]
    answers = [registry.send("POST", f"/v2/{name}/blobs/uploads/?mount={digest}&from={source}") for source in sources]
    plain = [(answer.status, set(answer.headers), answer.body) for answer in answers]
    assert plain == [(202, set(answers[0].headers), b"")] * 3
    answer = registry.send("POST", f"/v2/{name}/blobs/uploads/?mount={digest}&from={name}-other")
    assert (answer.status, answer.headers["docker-content-digest"]) == (201, digest)


def test_unknown_algorithms_and_wrong_bodies_of_one_request(registry: Registry, name: str) -> None:
    answer = registry.send("POST", f"/v2/{name}/blobs/uploads/?digest-algorithm=md5")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    answer = registry.send("POST", f"/v2/{name}/blobs/uploads/?digest={ABSENT}", b"other")
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")
    assert registry.send("GET", f"/v2/{name}/blobs/{ABSENT}").status == 404


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_bodies_that_are_no_manifest(registry: Registry, name: str, body: bytes) -> None:
    answer = registry.put(name, "v1", body, INDEX)
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


@pytest.mark.parametrize("size", SIZES)
def test_sizes(registry: Registry, name: str, size: str) -> None:
    raw = json.dumps(registry.image(name)).replace('"size": 2}', f'"size": {size}}}')
    answer = registry.put(name, "v1", raw.encode())
    assert (answer.status, answer.code) == (400, "MANIFEST_INVALID")


def changed(image: dict[str, Any], what: str) -> tuple[Any, str | None]:
    """The manifest with one thing wrong, and the Content-Type it is sent with."""
    layer = image["layers"][0]
    match what:
        case "size":
            layer["size"] += 1
        case "missing layer":
            layer["digest"] = ABSENT
        case "missing config":
            image["config"] = {**image["config"], "digest": ABSENT}
        case "layer digest":
            layer["digest"] = "sha256:../../x"
        case "two in one":
            image["manifests"] = []
        case "other type":
            return image, INDEX
        case "no type at all":
            del image["mediaType"]
            return image, None
        case "annotation":
            image["annotations"] = {"a": 1}
        case "subject":
            image["subject"] = layer | {"digest": "sha256:short"}
        case "schema 1":
            return {"schemaVersion": 1}, "application/vnd.docker.distribution.manifest.v1+json"
        case "version":
            image["schemaVersion"] = 1
        case "half a surrogate":
            image["annotations"] = {"a": "\ud800"}
    return image, MANIFEST


@pytest.mark.parametrize(
    ("what", "status", "code"),
    [
        ("size", 400, "SIZE_INVALID"),
        ("missing layer", 404, "MANIFEST_BLOB_UNKNOWN"),
        ("missing config", 404, "MANIFEST_BLOB_UNKNOWN"),
        ("layer digest", 400, "DIGEST_INVALID"),
        ("two in one", 400, "MANIFEST_INVALID"),
        ("other type", 400, "MANIFEST_INVALID"),
        ("no type at all", 400, "MANIFEST_INVALID"),
        ("annotation", 400, "MANIFEST_INVALID"),
        ("subject", 400, "MANIFEST_INVALID"),
        ("schema 1", 400, "UNSUPPORTED"),
        ("version", 400, "MANIFEST_INVALID"),
        ("half a surrogate", 400, "MANIFEST_INVALID"),
    ],
)
def test_manifests(registry: Registry, name: str, what: str, status: int, code: str) -> None:
    answer = registry.put(name, "v1", *changed(registry.image(name), what))
    assert (answer.status, answer.code) == (status, code)
    assert registry.send("GET", f"/v2/{name}/manifests/v1").status == 404


def test_manifests_that_are_good_after_all(registry: Registry, name: str) -> None:
    image = registry.image(name, annotations={"a": 'x\r\n<script>\u001b["'})
    assert registry.put(name, "inside", image, None).status == 201
    assert registry.put(name, "parameters", image, f"{MANIFEST}; charset=utf-8").status == 201
    answer = registry.send("GET", f"/v2/{name}/manifests/parameters")
    assert (answer.headers["content-type"], answer.body) == (MANIFEST, json.dumps(image).encode())
    assert not any("script" in text for header in answer.headers.items() for text in header)
    answer = registry.put(name, ABSENT, image)
    assert (answer.status, answer.code) == (400, "DIGEST_INVALID")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_manifest_that_is_too_large(registry: Registry, name: str, chunked: bool) -> None:
    raw = b" " * ((4 << 20) + 1)
    body: Any = (raw[at : at + 65536] for at in range(0, len(raw), 65536)) if chunked else raw
    answer = registry.send("PUT", f"/v2/{name}/manifests/v1", body, {"Content-Type": MANIFEST})
    assert (answer.status, answer.code) == (413, "MANIFEST_INVALID")


def test_pages(registry: Registry, name: str) -> None:
    image = registry.image(name)
    for tag in ("a", "b", "c"):
        assert registry.put(name, tag, image).status == 201
    for query in ("n=-1", "n=abc", "last=%00", "n=1&n=2"):
        answer = registry.send("GET", f"/v2/{name}/tags/list?{query}")
        assert (answer.status, answer.code) == (400, "UNSUPPORTED"), query
    answer = registry.send("GET", f"/v2/{name}/tags/list?n=0")
    assert json.loads(answer.body) == {"name": name, "tags": []}
    assert "link" not in answer.headers
    answer = registry.send("GET", f"/v2/{name}/tags/list?n=2")
    assert answer.headers["link"] == f'</v2/{name}/tags/list?n=2&last=b>; rel="next"'
    for path in (f"/v2/{name}/tags/list", "/v2/_catalog"):
        assert registry.send("GET", f"{path}?n={2**63}").status == 200


@pytest.mark.parametrize(
    ("header", "status", "content"),
    [
        ("bytes=10-", 416, None),
        ("bytes=-0", 416, None),
        ("bytes=5-2", 416, None),
        ("items=abc", 200, b"0123456789"),
        ("bytes=" + ",".join("0-1" for _ in range(5000)), 200, b"0123456789"),
        ("bytes=2-4", 206, b"234"),
        ("bytes=-3", 206, b"789"),
        ("bytes=8-99", 206, b"89"),
    ],
)
def test_ranges(registry: Registry, name: str, header: str, status: int, content: bytes | None) -> None:
    digest = registry.blob(name, b"0123456789")["digest"]
    answer = registry.send("GET", f"/v2/{name}/blobs/{digest}", headers={"Range": header})
    assert answer.status == status
    if content is None:
        assert answer.headers["content-range"] == "bytes */10"
        assert answer.code == "UNSUPPORTED"
    else:
        assert answer.body == content


def test_methods_and_absent_tags(registry: Registry, name: str) -> None:
    digest = registry.blob(name, b"x")["digest"]
    for method, path in (("TRACE", "/v2/"), ("PUT", f"/v2/{name}/blobs/{digest}"), ("DELETE", "/v2/")):
        answer = registry.send(method, path)
        assert (answer.status, answer.code) == (405, "UNSUPPORTED"), (method, path)
        assert "GET" in answer.headers["allow"]
    answer = registry.send("DELETE", f"/v2/{name}/manifests/absent")
    assert (answer.status, answer.code) == (404, "MANIFEST_UNKNOWN")
