"""Requests that no document describes: wrong types, nulls, huge numbers, NUL, lone surrogates, deep nesting, names said
twice, other content types, `q` and `sort` of every shape, junk in paths and headers. Each has an answer below 500, and
errors come in the envelope."""

import json
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataforge_registry.registry.management.application import OPERATIONS
from dataforge_registry.registry.management.operation import Operation

from .conftest import EXAMPLES, IDS, KNOWN, Fuzzed

pytestmark = pytest.mark.xdist_group("fuzz")
MANY = settings(max_examples=EXAMPLES or 150, deadline=None, suppress_health_check=list(HealthCheck))
# /configurations would stop all the rest (read_only): test_document.py has it
WHO = st.sampled_from(["admin", "admin", "ann", None])
WORDS = [
    *("", "0", "-1", "1", "true", "null", "wells", "open", "admin", "ann", "public", "*", "**", "[", "%", "%00"),
    *("\0", "\ud800", "é" * 300, "x" * 5000, "1e999", str(2**31), str(2**63), "9" * 400, "../../v2/", "a%252Fb", "\\"),
    *("2026-01-02T03:04:05Z", "0000-00-00", "9999-12-31T23:59:59Z", "0 0 0 * * *", "* * * * * *", "0 0 31 2 * *"),
]
TEXTS = st.sampled_from(WORDS) | st.text(max_size=20)
NUMBERS = st.sampled_from([0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, 1.5, 1e308, -0.0])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
JUNK = st.sampled_from(
    [
        *(b"", b"null", b"[]", b"{", b"\xff\xfe", b"[" * 100_000, b'{"a":' * 5_000, b'{"name":1,"name":2}', b"NaN"),
        *(b"1e999", b'{"name":"\\ud800"}', b'{"name":"\\u0000"}', b'"' + b"x" * 70_000 + b'"', b"\xef\xbb\xbf{}"),
        b"-" + b"9" * 5_000,
    ]
)
PART = st.sampled_from([*"=~[]{}(),\"' *1x\\-", "nil", "%3D"])
FIELD = st.sampled_from(["name", "id", "tags", "labels", "creation_time", "op_time", "size", "public", "Level", "é"])
QUERY = st.builds(lambda field, parts: f"{field}={''.join(parts)}", FIELD, st.lists(PART | TEXTS, max_size=5))
SORT = st.lists(st.builds(str.__add__, st.sampled_from(["", "-", "--"]), FIELD), max_size=40).map(",".join)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *(
                "Content-Type",
                "Accept",
                "X-Is-Resource-Name",
                "X-Resource-Name-In-Location",
                "X-Request-Id",
                "If-Match",
            ),
            *("X-Harbor-CSRF-Token", "Cookie", "Origin", "Sec-Fetch-Site", "X-Forwarded-For", "Range"),
        ]
    ),
    st.sampled_from(["", "true", "*/*", "text/xml", "application/json; charset=utf-16", "sid=x", "bytes=0-"])
    | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    max_size=3,
)


def encoded(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"), safe="")


def fields_of(kind: Any) -> list[str]:
    """The names of a Struct's fields, and of those below it."""
    found: list[str] = []
    for each in msgspec.inspect.multi_type_info([kind]) if kind is not None else []:
        waiting = [each]
        while waiting:
            this = waiting.pop()
            if isinstance(this, msgspec.inspect.StructType):
                found += [field.encode_name for field in this.fields]
                waiting += [field.type for field in this.fields]
            waiting += [getattr(this, name) for name in ("item_type", "value_type", "type") if hasattr(this, name)]
            waiting += list(getattr(this, "types", ()))
    return found


@st.composite
def paths(draw: st.DrawFn, operation: Operation) -> str:
    path = operation.path
    for name in operation.parameters:
        ends = operation.method == "DELETE" and name == operation.parameters[-1]
        there = st.sampled_from(["4", "5", "6"] if ends else KNOWN.get(name, IDS))
        junk = TEXTS.filter(bool).map(encoded)
        path = path.replace("{" + name + "}", draw(there | there | junk), 1)
    return path


@st.composite
def bodies(draw: st.DrawFn, operation: Operation) -> bytes | None:
    if operation.body is None and draw(st.booleans()):
        return None
    if draw(st.integers(0, 3)) == 0:
        return draw(JUNK)
    names = st.sampled_from(fields_of(operation.body) or ["name"])
    value = st.recursive(
        VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6), max_leaves=10
    )
    return json.dumps(draw(st.dictionaries(names, value, max_size=8) | value)).encode()


@st.composite
def queries(draw: st.DrawFn, operation: Operation) -> str:
    known = [field.encode_name for field in msgspec.structs.fields(operation.query)]
    pairs = []
    for name in draw(st.lists(st.sampled_from([*known, "q", "sort", "page", "page_size", "x"]), max_size=4)):
        text = draw({"q": QUERY, "sort": SORT}.get(name, TEXTS) | TEXTS)
        pairs.append(f"{name}={encoded(text)}")
    return "?" + "&".join(pairs) if pairs else ""


@MANY
@given(st.data())
def test_any_request_has_an_answer(fuzz: Fuzzed, data: st.DataObject) -> None:
    operation = data.draw(st.sampled_from([each for each in OPERATIONS if each.path != "/configurations"]))
    path = data.draw(paths(operation)) + data.draw(queries(operation))
    body, headers = data.draw(bodies(operation)), data.draw(HEADERS)
    fuzz.send(data.draw(WHO), operation.method, path, body, {"Content-Type": "application/json"} | headers)


@MANY
@given(st.data())
def test_any_query_of_a_list_has_an_answer(fuzz: Fuzzed, data: st.DataObject) -> None:
    lists = [each for each in OPERATIONS if "page" in {field.name for field in msgspec.structs.fields(each.query)}]
    operation = data.draw(st.sampled_from(lists))
    path = operation.path
    for name in operation.parameters:
        path = path.replace("{" + name + "}", KNOWN.get(name, IDS)[0])
    fuzz.send("admin", "GET", path + data.draw(queries(operation)), None, {})


@MANY
@given(st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]), st.lists(TEXTS, max_size=6), WHO)
def test_any_path_has_an_answer(fuzz: Fuzzed, method: str, parts: list[str], user: str | None) -> None:
    path = "".join(f"/{encoded(part)}" for part in parts)
    fuzz.send(user, method, path, b"{}" if method in ("PUT", "POST") else None, {})


@pytest.mark.parametrize("size", [(1 << 20) + 1, 1 << 26])
def test_a_body_that_is_too_long_is_refused(fuzz: Fuzzed, size: int) -> None:
    answer = fuzz.send("admin", "POST", "/labels", b'"' + b"x" * (size - 2) + b'"', {})
    assert answer.status == 400 and b"at most" in answer.body
