"""A registry that a fuzz may do anything to: one of its own, with something behind every kind of path."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ..management.harbor import PREFIX
from ..v2.conftest import PASSWORD, Answer, Registry, running

EXAMPLES = int(os.environ.get("FUZZ", "0"))
"""How many examples of each property, 0: the few of CI. `FUZZ=500 make test ARGS=...` for long runs."""
PROJECT, REPOSITORY = "wells", "a%252Fb"
KNOWN = {
    "project_name": [PROJECT, "open"],
    "project_name_or_id": [PROJECT, "open", "1", "2"],
    "repository_name": [REPOSITORY],
    "reference": ["v1"],
    "tag_name": ["v1"],
    "meta_name": ["public", "severity"],
    "addition": ["header"],
    "user_id": ["1", "3"],
}
"""What the parameters of paths may name; all others are ids, which begin at 1."""
IDS = ["1", "2", "3"]
"""What was there first is never deleted, or there would soon be nothing behind any path."""


@dataclass(frozen=True)
class Fuzzed:
    """The registry, whoever asks (None is nobody), and what it answered."""

    registry: Registry
    statuses: Counter[int] = field(default_factory=Counter)

    def by(self, user: str | None) -> Registry:
        return self.registry.by(user) if user else self.registry

    def send(self, user: str | None, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        """One request; 5xx and errors without an envelope are failures."""
        answer = self.by(user).send(method, PREFIX + path, body, headers)
        self.statuses[answer.status] += 1
        told = (user, method, path, body, headers, answer.status, answer.body)
        assert answer.status < 500, told
        if answer.status >= 400 and method != "HEAD" and "json" in answer.headers.get("content-type", ""):
            assert answer.code and answer.body.count(b'"errors"'), told
        return answer

    def normal(self) -> None:
        """Whatever mode a fuzz set is over, and no row is forwarded."""
        body = json.dumps({"read_only": False, "audit_log_forward_endpoint": ""}).encode()
        assert self.registry.by("admin").send("PUT", f"{PREFIX}/configurations", body).status == 200


@pytest.fixture(scope="session")
def fuzz() -> Iterator[Fuzzed]:
    """The registry; when all is done its records, store and log are looked at."""
    with running("--engine", "hypercorn", password=PASSWORD) as registry:
        _fill(registry.by("admin"))
        fuzz = Fuzzed(registry)
        yield fuzz
        print(f"fuzz: {fuzz.statuses.total()} requests, by status {dict(sorted(fuzz.statuses.items()))}")


def _fill(admin: Registry) -> None:
    def make(path: str, body: Any) -> None:
        answer = admin.send("POST", PREFIX + path, json.dumps(body).encode())
        assert answer.status in (200, 201), (path, answer)

    for user in ("ann", "bob"):  # bob is there to be done things to
        make("/users", {"username": user, "password": PASSWORD})
    make("/usergroups", {"group_name": "team"})
    for name, public in ((PROJECT, "false"), ("open", "true")):
        make("/projects", {"project_name": name, "metadata": {"public": public}})
        make(f"/projects/{name}/members", {"role_id": 1, "member_user": {"username": "ann"}})
        assert admin.put(f"{name}/a/b", "v1", admin.image(f"{name}/a/b")).status == 201
    make("/labels", {"name": "l", "scope": "g"})
    make("/labels", {"name": "p", "scope": "p", "project_id": 1})
    selectors = {"tag_selectors": [{"decoration": "matches", "pattern": "x*"}]}
    make(f"/projects/{PROJECT}/immutabletagrules", selectors)
    rule = {"action": "retain", "template": "always", **selectors}
    scope = {"scope": {"level": "project", "ref": 1}}
    make("/retentions", {"algorithm": "or", "rules": [rule], "trigger": {"kind": "Event"}, **scope})
    access = [{"resource": "repository", "action": "pull"}]
    permissions = [{"kind": "project", "namespace": PROJECT, "access": access}]
    make("/robots", {"name": "r", "level": "project", "duration": -1, "permissions": permissions})
