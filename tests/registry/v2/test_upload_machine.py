"""An upload under any order of requests answers as a model of five lines says."""

import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from .conftest import Registry, sha256

PIECES = st.binary(max_size=20) | st.integers(0, 255).map(lambda n: bytes([n]) * 9000)


class Upload(RuleBasedStateMachine):
    """`data` is what the upload holds; `ended` is None, the digest it was closed with, or "" once cancelled."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self.registry = registry
        self.data = b""
        self.ended: str | None = None
        self.name = f"v2/machine-{uuid.uuid4().hex}"
        self.location = ""

    @initialize()
    def start(self) -> None:
        self.location = self.registry.upload(self.name)

    def _check(self, answer: Any, status: int) -> None:
        expected = status if self.ended is None else 404
        assert answer.status == expected, answer.body
        if expected in (202, 204, 416):
            assert answer.headers["location"] == self.location
            empty = "0-0" if expected == 202 else "0--1"
            assert answer.headers["range"] == (f"0-{len(self.data) - 1}" if self.data else empty)

    @rule(piece=PIECES, said=st.booleans())
    def append(self, piece: bytes, said: bool) -> None:
        at = len(self.data)
        headers = {"Content-Range": f"{at}-{at + len(piece) - 1}"} if said and piece else {}
        answer = self.registry.send("PATCH", self.location, piece, headers)
        if self.ended is None:
            self.data += piece
        self._check(answer, 202)

    @rule(piece=st.binary(min_size=1, max_size=20), at=st.integers(0, 30000), close=st.booleans())
    def elsewhere(self, piece: bytes, at: int, close: bool) -> None:
        if at == len(self.data):
            return
        query = f"?digest={sha256(self.data + piece)}" if close else ""
        if close and self.ended == sha256(self.data + piece):
            return
        span = {"Content-Range": f"{at}-{at + len(piece) - 1}"}
        self._check(self.registry.send("PUT" if close else "PATCH", self.location + query, piece, span), 416)

    @rule(piece=PIECES)
    def close_wrongly(self, piece: bytes) -> None:
        answer = self.registry.send("PUT", f"{self.location}?digest={sha256(self.data + piece + b'!')}", piece)
        self._check(answer, 400)

    @rule()
    def look(self) -> None:
        self._check(self.registry.send("GET", self.location), 204)

    @rule(piece=PIECES)
    def close(self, piece: bytes) -> None:
        digest = sha256(self.data + piece)
        answer = self.registry.send("PUT", f"{self.location}?digest={digest}", piece)
        again = self.ended == digest
        assert answer.status == (201 if self.ended is None or again else 404)
        if self.ended is None:
            self.ended = digest
            self.data += piece
            assert self.registry.send("GET", f"/v2/{self.name}/blobs/{digest}").body == self.data

    @precondition(lambda self: self.ended)
    @rule()
    def close_again(self) -> None:
        assert self.registry.send("PUT", f"{self.location}?digest={self.ended}").status == 201

    @rule()
    def cancel(self) -> None:
        answer = self.registry.send("DELETE", self.location)
        assert answer.status == (204 if self.ended is None else 404)
        self.ended = self.ended or ""


def test_any_order_of_requests(registry: Registry) -> None:
    run_state_machine_as_test(
        lambda: Upload(registry),
        settings=settings(
            max_examples=max(settings().max_examples // 2, 1),
            stateful_step_count=15,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("size", [0, 3, 9000])
def test_the_model_by_hand(registry: Registry, name: str, size: int) -> None:
    """The same walk without chance, so that a machine that looks at nothing would show."""
    location, data = registry.upload(name), b"d" * size
    assert registry.send("PATCH", location, data).status == 202
    assert registry.send("PUT", f"{location}?digest={sha256(data + b'!')}").status == 400
    assert registry.send("PUT", f"{location}?digest={sha256(data)}").status == 201
    assert registry.send("GET", location).status == 404
