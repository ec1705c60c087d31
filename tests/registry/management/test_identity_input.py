"""Whatever a body or a query of users, groups, robots and logins holds, the answer is a refusal that says why."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import Api

FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXTS = st.text(max_size=300) | st.sampled_from(["*", "/", "robot$x", "a" * 2000, "wells", "project", "system", "-1"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ACCESS = st.fixed_dictionaries({}, optional={name: VALUES for name in ("resource", "action", "effect")})
PERMISSION = st.fixed_dictionaries(
    {}, optional={"kind": TEXTS, "namespace": TEXTS, "access": st.lists(ACCESS, max_size=2) | VALUES}
)
FIELDS = (
    *("name", "level", "description", "disable", "duration", "secret", "username", "password", "email", "realname"),
    *("comment", "group_name", "group_type", "sysadmin_flag", "new_password", "old_password"),
)
BODIES = VALUES | st.fixed_dictionaries(
    {}, optional={"permissions": st.lists(PERMISSION, max_size=2) | VALUES} | dict.fromkeys(FIELDS, VALUES)
)
CALLS = (
    *(("POST", path) for path in ("/users", "/usergroups", "/robots")),
    *(("PUT", f"/users/987654321{part}") for part in ("", "/sysadmin", "/password", "/cli_secret")),
    *(("PUT", "/usergroups/987654321"), ("PUT", "/robots/987654321"), ("PATCH", "/robots/987654321")),
)


@FEW
@given(st.sampled_from(CALLS), BODIES)
def test_any_body_has_an_answer(admin: Api, call: tuple[str, str], body: Any) -> None:
    answer = admin.send(*call, json.dumps(body).encode())
    assert answer.status in (200, 201, 400, 404, 409)
    if answer.status == 201:
        assert admin.delete(answer.headers["location"].removeprefix("/api/v2.0")).status == 200


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"\xff", b'{"username": "\xff"}', b'{"name": "\xed\xa0\x80"}', b"[" * 5000, b'{"a":' * 5000],
    ids=["empty", "open", "byte", "latin", "surrogate", "lists", "unknown"],
)
def test_what_is_no_json_is_refused(admin: Api, raw: bytes) -> None:
    for method, path in CALLS:
        assert admin.send(method, path, raw).status in (400, 404)  # 404: in a field that is not read


@FEW
@given(
    st.sampled_from(
        ["/users", "/users/search", "/usergroups", "/usergroups/search", "/robots", "/users/current/permissions"]
    ),
    st.dictionaries(
        st.sampled_from(["q", "sort", "page", "page_size", "username", "group_name", "groupname", "scope", "relative"]),
        st.binary(max_size=40) | TEXTS.map(lambda text: text.encode(errors="replace")),
        max_size=3,
    ),
)
def test_any_query_has_an_answer(admin: Api, path: str, query: dict[str, bytes]) -> None:
    text = "&".join(f"{name}=" + "".join(f"%{byte:02x}" for byte in value[:600]) for name, value in query.items())
    assert admin.get(f"{path}?{text}").status in (200, 400, 404)


@FEW
@given(st.binary(max_size=60), st.sampled_from(["cookie", "x-harbor-csrf-token", "origin", "sec-fetch-site"]))
def test_any_header_of_a_browser_has_an_answer(nobody: Api, value: bytes, name: str) -> None:
    text = "".join(chr(byte) for byte in value if 32 < byte < 127 or byte > 160)
    for cookie in ("", "sid=x"):
        headers = {"Cookie": cookie} | {name.title(): text}
        answer = nobody.registry.send("POST", "/api/v2.0/users", b"{}", headers)
        assert answer.status in (400, 401, 403)
