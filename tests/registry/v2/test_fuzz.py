"""Anything that a client may send: never a 5xx, never a hang, always an OCI error with a code of the specification.

HYPOTHESIS_PROFILE=long sends some hundred thousand requests instead of some thousand (promise P11).
"""

import json
import re
import socket
import uuid
from typing import Any, TypeVar
from urllib.parse import quote, quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import INDEX, MANIFEST, PASSWORD, Registry, index, pushed, sha256

T = TypeVar("T")
CODES = {
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
}
BLOB = b"0123456789" * 10
KNOWN = sha256(BLOB)
much = settings(
    max_examples=3 * settings().max_examples,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def mostly(good: st.SearchStrategy[T], wild: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """Wild one time in six: a request with many parts still gets far."""
    return st.integers(0, 5).flatmap(lambda n: good if n < 5 else wild)


soup = st.text(st.characters(codec="utf-8"), max_size=12) | st.text("ab/.:-_%0*=,\"'\\ \t", max_size=20)
numbers = st.integers(-2, 200) | st.sampled_from([2**31, 2**63 - 1, 2**63, 2**64, 10**400, 10**4000])
digests = mostly(
    st.sampled_from([KNOWN, KNOWN, KNOWN, sha256(b""), "sha512:" + "0" * 128]),
    st.sampled_from(["sha256:" + "A" * 64, "sha256:", "md5:" + "0" * 32])
    | st.from_regex(r"sha(256|512):[0-9a-f]{0,130}", fullmatch=True)
    | soup,
)
tags = mostly(st.sampled_from(["v1", "index", "latest", "a" * 128]), st.sampled_from(["-", "...", "a" * 129]) | soup)
names = mostly(
    st.sampled_from(["v2/fuzz", "v2/fuzz", "v2/fuzz/deep", "v2/never", "v2"]),
    st.sampled_from(["V2/x", "a//b", "..", "blobs/uploads"]) | soup,
)
uploads = st.sampled_from(["{upload}", str(uuid.UUID(int=7)), "x"])
ranges = st.builds("{}-{}".format, numbers, numbers) | st.builds("{}-".format, numbers) | soup
content_ranges = st.one_of(
    ranges, st.builds("bytes {}/{}".format, ranges, numbers), st.builds("bytes={}/*".format, ranges)
)
tag_lists = st.one_of(
    st.sampled_from(["*", f'"{KNOWN}"', f'W/"{KNOWN}"', '"', ",", ""]), st.builds('"{}"'.format, digests), soup
)
types = mostly(st.sampled_from([MANIFEST, INDEX, f"{MANIFEST};x=y"]), st.sampled_from(["", "text/html"]) | soup)

HEADERS = {
    "Range": st.builds("bytes={}".format, st.lists(ranges, max_size=20).map(",".join)) | soup,
    "Content-Range": mostly(st.sampled_from(["0-99", "0-1", "bytes 0-99/100"]), content_ranges),
    "Content-Type": types,
    "Content-Encoding": mostly(st.just("identity"), st.just("gzip") | soup),
    "If-Match": tag_lists,
    "If-None-Match": tag_lists,
    "If-Range": tag_lists,
    "Accept": types,
    "Authorization": st.sampled_from(["Basic ", "Basic !!", "Bearer a.b.c", "Basic YTpi"]) | soup,
    "X-Request-Id": soup,
    "X-Forwarded-Host": soup,
}
METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "GET", "PUT", "POST", "OPTIONS", "X"]
QUERY = {
    "digest": digests,
    "mount": digests,
    "from": names,
    "digest-algorithm": mostly(st.sampled_from(["sha256", "sha512"]), soup),
    "n": mostly(st.integers(0, 5).map(str), numbers.map(str) | soup),
    "last": tags | digests,
    "artifactType": types,
    "tag": tags,
    "ns": soup,
}
ENDINGS = {
    "/manifests/": mostly(tags, digests),
    "/blobs/": digests,
    "/blobs/uploads/": uploads | st.just(""),
    "/tags/": mostly(st.just("list"), soup),
    "/referrers/": digests,
    "/": soup,
    "": st.just(""),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | soup,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(soup, inner, max_size=3),
    max_leaves=8,
)
descriptor = {"mediaType": "a/b", "digest": KNOWN, "size": len(BLOB)}
descriptors = st.dictionaries(
    st.sampled_from([*descriptor, "urls", "annotations", "artifactType"]), JSON, max_size=1
).map(lambda changes: descriptor | changes)
annotations = st.dictionaries(soup, soup, max_size=3)
images = st.fixed_dictionaries(
    {
        "schemaVersion": st.just(2),
        "mediaType": st.just(MANIFEST),
        "config": descriptors,
        "layers": st.lists(descriptors, max_size=2),
    },
    optional={
        "subject": descriptors,
        "artifactType": types,
        "annotations": annotations,
    },
)
indexes = st.fixed_dictionaries(
    {"schemaVersion": st.just(2), "mediaType": st.just(INDEX), "manifests": st.lists(descriptors, max_size=2)},
    optional={"subject": descriptors, "artifactType": types, "annotations": annotations},
)
fields = [
    "schemaVersion",
    "mediaType",
    "config",
    "layers",
    "manifests",
    "subject",
    "artifactType",
    "annotations",
    "fsLayers",
]
manifests = mostly(
    images | indexes,
    st.tuples(images | indexes, st.dictionaries(st.sampled_from(fields), JSON)).map(lambda two: two[0] | two[1]),
).map(lambda body: json.dumps(body).encode())
bodies = st.one_of(st.just(b""), st.binary(max_size=50), st.just(BLOB), manifests)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, dict[str, str], bytes, bool]:
    """Method, target, headers, body, and whether the body goes in chunks."""
    ending = draw(st.sampled_from(sorted(ENDINGS)))
    reference = draw(ENDINGS[ending])
    path = draw(names) + ending + reference
    safe = draw(mostly(st.just("/:"), st.sampled_from(["/:%", "/", "/:-._~!$&'()*+,;=@"])))
    target = "/v2/" + quote(path, safe=safe).replace("%7Bupload%7D", "{upload}")
    pairs = [(key, draw(QUERY[key])) for key in draw(st.lists(st.sampled_from(sorted(QUERY)), max_size=4))]
    if pairs:
        target += "?" + "&".join(f"{key}={quote(value, safe=safe)}" for key, value in pairs)
    chosen = draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=4, unique=True))
    headers = {key: _header(draw(HEADERS[key])) for key in chosen}
    method = draw(st.sampled_from(METHODS))
    body = draw(bodies) if method in ("PUT", "POST", "PATCH") else b""
    return method, target, headers, body, draw(st.booleans())


def _header(value: str) -> str:
    """What HTTP lets stand in a field value (RFC 9110 section 5.5)."""
    return re.sub(r"[^\x21-\x7e\xa0-\xff \t]", "?", value).strip()


def told(status: int, body: bytes, headers: Any, method: str) -> None:
    """What every refusal looks like."""
    assert status < 500, body
    if status < 400 or method == "HEAD":
        return
    assert headers["content-type"] == "application/json"
    for error in json.loads(body)["errors"]:
        assert error["code"] in CODES
        assert error["message"]


@pytest.fixture(scope="module")
def target(registry: Registry) -> Registry:
    """A repository v2/fuzz with something in it."""
    registry.blob("v2/fuzz", BLOB)
    pushed(registry, "v2/fuzz", "index", index(pushed(registry, "v2/fuzz", "v1", registry.image("v2/fuzz"))))
    return registry


@much
@given(request=requests())
def test_any_request(target: Registry, request: tuple[str, str, dict[str, str], bytes, bool]) -> None:
    method, address, headers, body, chunked = request
    if "{upload}" in address:
        address = address.replace("{upload}", target.upload("v2/fuzz").rpartition("/")[2])
    sent: Any = iter([body[:3], body[3:]] if body else []) if chunked and method in ("PUT", "POST", "PATCH") else body
    answer = target.send(method, address, sent, headers)
    told(answer.status, answer.body, answer.headers, method)


@settings(max_examples=2 * settings().max_examples, suppress_health_check=[HealthCheck.too_slow])
@given(request=requests(), user=st.sampled_from(["ann", "eve", "admin", ""]))
def test_any_request_to_a_registry_with_accounts(
    door: Registry, request: tuple[str, str, dict[str, str], bytes, bool], user: str
) -> None:
    method, address, headers, body, _ = request
    headers.pop("Authorization", None)  # guessing would slow everybody down: tests/registry/access has that
    answer = (door.by(user) if user else door).send(method, address.replace("{upload}", "x"), body, headers)
    told(answer.status, answer.body, answer.headers, method)
    if user in ("eve", "") and b"NAME_INVALID" not in answer.body and answer.status in (200, 201, 202):
        assert "open/" in address or (address.startswith(("/v2/?", "/v2/_", "/v2")) and user), address


@much
@given(raw=manifests, kind=mostly(st.none(), st.sampled_from([MANIFEST, INDEX])), cut=st.integers(0, 400))
def test_any_manifest(target: Registry, raw: bytes, kind: str | None, cut: int) -> None:
    for body in (raw, raw[:cut]):
        answer = target.put("v2/fuzz", "any", body, kind)
        told(answer.status, answer.body, answer.headers, "PUT")
        assert answer.status in (201, 400, 404)
        if answer.status == 201:
            assert target.send("GET", "/v2/v2/fuzz/manifests/any").body == body


TEMPLATES = [
    "GET /v2/v2/fuzz/manifests/v1 HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
    f"GET /v2/v2/fuzz/blobs/{KNOWN} HTTP/1.1\r\nHost: {{host}}\r\nRange: bytes=1-5\r\nConnection: close\r\n\r\n",
    "PUT /v2/v2/fuzz/manifests/x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}",
    f"POST /v2/v2/fuzz/blobs/uploads/?digest={KNOWN} HTTP/1.1\r\nHost: {{host}}\r\nTransfer-Encoding: chunked\r\n"
    f"Connection: close\r\n\r\n64\r\n{BLOB.decode()}\r\n0\r\n\r\n",
]
edits = st.lists(
    st.tuples(
        st.integers(0, 400), st.integers(0, 8), st.binary(max_size=6) | st.sampled_from([b"\r\n", b"\0", b"%", b" "])
    ),
    min_size=1,
    max_size=4,
)


@much
@given(template=st.sampled_from(TEMPLATES), changes=edits)
def test_any_bytes(target: Registry, template: str, changes: list[tuple[int, int, bytes]]) -> None:
    """Requests with damage anywhere: an answer below 500 (or 501, 505: RFC 9110) or none, and the connection ends."""
    raw = template.format(host=target.host).encode()
    for at, dropped, added in changes:
        raw = raw[:at] + added + raw[at + dropped :]
    host, port = target.host.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(raw)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := client.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass  # it was cut off with bytes unread
    for status in re.findall(rb"^HTTP/1\.1 (\d+)", answer):
        assert int(status) < 500 or status in (b"501", b"505"), (raw, answer)


@given(data=st.binary(max_size=40))
def test_any_path_bytes(target: Registry, data: bytes) -> None:
    for path in (f"/v2/{quote_from_bytes(data, safe='/%')}", f"/v2/v2/fuzz/blobs/{quote_from_bytes(data)}"):
        answer = target.send("GET", path)
        told(answer.status, answer.body, answer.headers, "GET")


LONG = ["&" * 1500, "a&" * 1200, "a=1&" * 1000, "n=" + "9" * 5000, "last=" + "a" * 6000, "=", "%", "%%%"]


@pytest.mark.parametrize("query", LONG, ids=lambda query: query[:9])
@pytest.mark.parametrize(
    "path", ["_catalog", "v2/fuzz/tags/list", f"v2/fuzz/referrers/{KNOWN}", "v2/fuzz/blobs/uploads/"]
)
def test_long_and_many(target: Registry, path: str, query: str) -> None:
    method = "POST" if path.endswith("uploads/") else "GET"
    answer = target.send(method, f"/v2/{path}?{query}")
    told(answer.status, answer.body, answer.headers, method)
    assert PASSWORD.encode() not in answer.body
