"""Ranges: rows G8 to G10 and decision (k), and the reading of any Range header at all."""

import email
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.oci.errors import RangeNotSatisfiable
from dataforge_registry.registry.ranges import MOST, parse_range

from .conftest import Answer, Registry

SIZES = [2048, 100_000]
"""One rides in memory, one is streamed."""


def get(registry: Registry, name: str, size: int, **headers: str) -> tuple[bytes, Answer, str]:
    data = os.urandom(size)
    digest = registry.blob(name, data)["digest"]
    sent = {key.replace("_", "-"): value.format(digest=digest) for key, value in headers.items()}
    return data, registry.send("GET", f"/v2/{name}/blobs/{digest}", headers=sent), digest


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=500-1499", 500, 1500),
        ("bytes=500-", 500, None),
        ("bytes=-500", -500, None),
        ("bytes=0-0", 0, 1),
        ("bytes=2000-999999", 2000, None),
        ("bytes=-999999", 0, None),
        ("BYTES = 1-2", 1, 3),
        ("bytes=,1-2,", 1, 3),
        ("bytes=999999-, 3-4", 3, 5),
    ],
)
def test_one_range(registry: Registry, name: str, size: int, header: str, start: int, stop: int | None) -> None:
    data, answer, digest = get(registry, name, size, Range=header)
    expected = data[start:stop]
    first = data.index(expected) if start else 0
    assert (answer.status, answer.body) == (206, expected)
    assert answer.headers["content-length"] == str(len(expected))
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(expected) - 1}/{size}"
    assert answer.headers["docker-content-digest"] == digest


@pytest.mark.parametrize("size", [0, *SIZES])
@pytest.mark.parametrize("header", ["bytes=100000-200000", "bytes=500-0", "bytes=-0", "bytes=999999-, -0"])
def test_no_byte_inside(registry: Registry, name: str, size: int, header: str) -> None:
    _, answer, _ = get(registry, name, size, Range=header)
    assert (answer.status, answer.code) == (416, "UNSUPPORTED")
    assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    "header", ["items=0-1", "bytes", "bytes=", "bytes=a-b", "bytes=-", "bytes=1-2;3", "bytes=0-1 2-3", "=", "bytes=--1"]
)
def test_what_is_no_range_gets_all(registry: Registry, name: str, header: str) -> None:
    data, answer, _ = get(registry, name, 2048, Range=header)
    assert (answer.status, answer.body) == (200, data)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [2, 3, MOST])
def test_several_ranges(registry: Registry, name: str, size: int, count: int) -> None:
    spans = [(100 * n, 100 * n + 10 + n) for n in range(count)][::-1]
    header = ", ".join(f"{start}-{stop - 1}" for start, stop in spans)
    data, answer, _ = get(registry, name, size, Range=f"bytes={header}")
    assert answer.status == 206
    assert "content-range" not in answer.headers
    assert answer.headers["content-length"] == str(len(answer.body))
    head = f"Content-Type: {answer.headers['content-type']}\r\n\r\n".encode("ascii")
    message = email.message_from_bytes(head + answer.body)
    assert message.get_content_type() == "multipart/byteranges"
    parts = message.get_payload()
    assert isinstance(parts, list)
    found = []
    for part in parts:
        assert part["Content-Type"] == "application/octet-stream"
        found.append(part["Content-Range"])
    assert found == [f"bytes {start}-{stop - 1}/{size}" for start, stop in spans]
    boundary = answer.headers["content-type"].partition("boundary=")[2]
    bodies = [piece.split(b"\r\n\r\n", 1)[1][:-2] for piece in answer.body.split(b"--" + boundary.encode())[1:-1]]
    assert bodies == [data[start:stop] for start, stop in spans]


@pytest.mark.parametrize("header", ["bytes=0-1999,1-2000", "bytes=" + ",".join(f"{n}-{n}" for n in range(MOST + 1))])
def test_too_many_or_more_than_all_gets_all(registry: Registry, name: str, header: str) -> None:
    data, answer, _ = get(registry, name, 2048, Range=header)
    assert (answer.status, answer.body) == (200, data)


@pytest.mark.parametrize(
    ("condition", "status"),
    [('"{digest}"', 206), ('W/"{digest}"', 200), ('"other"', 200), ("Mon, 23 Nov 2026 00:00:00 GMT", 200)],
)
def test_if_range(registry: Registry, name: str, condition: str, status: int) -> None:
    data, answer, _ = get(registry, name, 2048, Range="bytes=1-4", If_Range=condition)
    assert (answer.status, answer.body) == (status, data if status == 200 else data[1:5])


def test_head_ignores_ranges(registry: Registry, name: str) -> None:
    digest = registry.blob(name, b"0123456789")["digest"]
    answer = registry.send("HEAD", f"/v2/{name}/blobs/{digest}", headers={"Range": "bytes=1-2"})
    assert (answer.status, answer.headers["content-length"]) == (200, "10")


numbers = st.integers(0, 50) | st.integers(0, 10**30)
specs = st.one_of(
    st.builds("{}-{}".format, numbers, numbers), st.builds("{}-".format, numbers), st.builds("-{}".format, numbers)
)


@given(st.lists(specs, min_size=1, max_size=20), st.integers(0, 40))
def test_spans_are_inside_and_in_order(parts: list[str], size: int) -> None:
    try:
        spans = parse_range("bytes=" + ",".join(parts), size)
    except RangeNotSatisfiable as error:
        assert error.headers == {"content-range": f"bytes */{size}"}
        assert all(not _bytes(part, size) for part in parts)
        return
    for span in spans:
        assert 0 <= span.start < span.stop <= size == span.size
    if spans:
        assert [range(span.start, span.stop) for span in spans] == [
            found for part in parts if (found := _bytes(part, size))
        ]


def _bytes(part: str, size: int) -> range:
    """The positions a range names, by the words of RFC 9110 section 14.1.2."""
    first, _, last = part.partition("-")
    if not first:
        return range(max(size - int(last), 0), size)
    return range(int(first), min(int(last) + 1 if last else size, size))


@given(st.text(max_size=60) | st.from_regex(r"bytes=[0-9,\- ]{0,40}", fullmatch=True), st.integers(0, 2**40))
def test_any_header_is_read(header: str, size: int) -> None:
    try:
        spans = parse_range(header, size)
    except RangeNotSatisfiable:
        return
    assert len(spans) <= MOST
    assert all(0 <= span.start < span.stop <= size for span in spans)
    assert len(spans) < 2 or sum(span.stop - span.start for span in spans) <= size
