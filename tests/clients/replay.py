"""Requests as foreign clients send them: exact statuses, and each answer held against Harbor's own description."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from ..registry.management.harbor import PREFIX, description
from .server import Server


@dataclass(frozen=True)
class Sender:
    """A client: `headers` go with each request, `empty` is the body of a request that has none."""

    server: Server
    headers: Mapping[str, str]
    empty: bytes | None = None
    login: tuple[str, str] | None = None
    sent: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> requests.Response:
        """One request to a path below the prefix; AssertionError where the status is another."""
        raw = self.empty if body is None else json.dumps(body).encode() + b"\n"
        named = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        url = self.server.url + PREFIX + path
        answer = requests.request(method, url, data=raw, headers=named, auth=self.login, timeout=30)
        self.sent.append(f"{method} {path}")
        assert answer.status_code == status, (method, path, answer.status_code, answer.text)
        if harbor := description():
            kind = answer.headers.get("content-type", "")
            parsed = answer.json() if answer.content and "json" in kind else None
            harbor.check(method, PREFIX + path.rstrip("/"), answer.status_code, kind, parsed)
        return answer
