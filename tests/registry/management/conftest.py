"""The closed registry of tests/registry/v2, as clients of Harbor's API see it: each answer is held against Harbor's own
description. One process serves all modules, so each test works on names of its own (`word`)."""

import itertools
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from ..v2.conftest import PASSWORD, Registry, door, with_accounts
from .harbor import PREFIX, description

__all__ = ["door"]
NUMBERS = itertools.count()


@dataclass(frozen=True)
class Answer:
    """Status, headers by lower-case name, the body as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; None where there is none."""
        return json.loads(self.body) if self.body and "json" in self.headers.get("content-type", "") else None

    @property
    def code(self) -> str:
        """The error's code; every error says something."""
        entry = self.json["errors"][0]
        assert entry["message"]
        return str(entry["code"])


@dataclass(frozen=True)
class Api:
    """The API as one user sees it."""

    registry: Registry

    def by(self, user: str | None, password: str = PASSWORD) -> "Api":
        """As a user, or as nobody."""
        return Api(self.registry.by(user, password) if user else replace(self.registry, login={}))

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request to a path below the prefix; body: a JSON value, or bytes as they are."""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {"Content-Type": "application/json"} if raw is not None else {}
        found = self.registry.send(method, PREFIX + path, raw, {**given, **(headers or {})})
        answer = Answer(found.status, found.headers, found.body)
        assert answer.status < 500, (method, path, answer.body)
        if harbor := description():
            harbor.check(method, PREFIX + path, answer.status, answer.headers.get("content-type", ""), answer.json)
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, path: str, body: Any = None) -> Answer:
        return self.send("POST", path, body)

    def put(self, path: str, body: Any = None) -> Answer:
        return self.send("PUT", path, body)

    def patch(self, path: str, body: Any = None) -> Answer:
        return self.send("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", path)


@pytest.fixture(scope="session", params=[pytest.param("hypercorn", marks=pytest.mark.xdist_group("management"))])
def closed_registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    """On one engine: what differs between them is below these routes, and tests/registry/v2 asks both for it."""
    with with_accounts(request.param) as registry:
        yield registry


@pytest.fixture(autouse=True, scope="module")
def no_brakes(door: Registry) -> None:
    """The failed logins of one module hold up no other, though all come from one address."""
    door.records("DELETE FROM login_failure RETURNING 1")


@pytest.fixture
def nobody(door: Registry) -> Api:
    """As nobody. People and projects: see tests/registry/v2/conftest.py `door`; everybody's password is PASSWORD."""
    return Api(door)


@pytest.fixture
def admin(nobody: Api) -> Api:
    """As the system administrator."""
    return nobody.by("admin")


@pytest.fixture
def word() -> str:
    """A name of this test's own: for a project, a user, a label."""
    return f"w{os.getpid()}x{next(NUMBERS)}"
