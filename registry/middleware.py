"""What stands around the application, as plain ASGI: request ids, access log, metrics, the last resort for errors.

One pair of functions around `receive` and `send` serves all of it, since each costs a call a message. In
`scope["state"]`, each request's own dict, the application leaves `actor` (who asked) and `endpoint` (the route's name),
and finds `request_id` and `exchange`.
"""

import json
import logging
import os
import random
import re
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .engines.inbox import AnswerCut
from .logs import REQUEST, access, clip, wants_access
from .metrics import Metrics

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
SEALED = re.compile(rb"(/links/)[^/]+")
"""A part of a path that is a secret: whoever has it may read."""
QUIET = ("/health", "/metrics")
"""Paths asked for all day long by machines: logged at debug."""


def header(headers: Any, name: bytes) -> bytes | None:
    """The first value of a header (name in lower case), or None."""
    for key, value in headers:
        if key == name:
            found: bytes = value
            return found
    return None


def request_id(headers: Any) -> str:
    """The client's X-Request-Id where it is harmless, else a random one."""
    given = header(headers, b"x-request-id")
    return given.decode() if given and REQUEST_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"


class Exchange:
    """One request and its answer as they pass: bytes both ways, status (0 before the answer), the answer's headers, and
    whether the client `left`."""

    __slots__ = ("_own", "_receive", "_send", "headers", "left", "received", "sent", "status")

    def __init__(self, name: str, receive: Receive, send: Send) -> None:
        self._own, self._receive, self._send = [(b"x-request-id", name.encode())], receive, send
        self.status = self.received = self.sent = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.left = False

    def add(self, name: bytes, value: bytes) -> None:
        """A header for the answer, whatever it will be."""
        self._own.append((name, value))

    async def receive(self) -> Message:
        """What the engine gives."""
        message = await self._receive()
        if message["type"] == "http.request":
            self.received += len(message.get("body", b""))
        else:
            self.left = True
        return message

    async def send(self, message: Message) -> None:
        """On to the engine; the head with our own headers."""
        kind = message["type"]
        if kind == "http.response.start":
            self.status, self.headers = message["status"], [*message.get("headers", ()), *self._own]
            message = {"type": kind, "status": self.status, "headers": self.headers}
        elif kind == "http.response.body":
            self.sent += len(message.get("body", b""))
        elif kind == "http.response.pathsend":  # the engine sends a file itself
            self.sent += _size(message["path"])
        try:
            await self._send(message)
        except OSError:
            self.left = True
            raise


class Observed:
    """Gives each request its id and an Exchange; at its end one log line and its share of the metrics.

    The line tells method, path, status, bytes in and out, seconds, client, actor, digest. Queries, headers and the
    tokens of links are never logged: they are secrets. The answer gets an X-Request-Id; all lines of the request carry
    it.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = request_id(scope["headers"])
        exchange = Exchange(name, receive, send)
        state = scope.setdefault("state", {})
        state["request_id"], state["exchange"] = name, exchange
        REQUEST.set(name)  # a request is a task, with a context of its own
        started = time.perf_counter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        finally:
            seconds = time.perf_counter() - started
            self._metrics.count(
                scope["method"],
                state.get("endpoint", "other"),
                exchange.status,
                seconds,
                exchange.received,
                exchange.sent,
            )
            level = logging.DEBUG if scope["path"].startswith(QUIET) else logging.INFO
            if wants_access(level):
                access(_facts(scope, exchange, seconds), level)
            del state["exchange"]  # else engine, scope and exchange hold each other until the collector comes


def _size(path: str) -> int:
    return os.path.getsize(path)


def _facts(scope: Scope, exchange: Exchange, seconds: float) -> dict[str, Any]:
    state = scope["state"]
    path: bytes = SEALED.sub(rb"\1***", scope.get("raw_path", scope["path"].encode()))
    facts: dict[str, Any] = {
        "method": clip(ascii(scope["method"])[1:-1]),
        "path": clip(path.decode("ascii", "backslashreplace")),
        "status": exchange.status,
        "bytes_in": exchange.received,
        "bytes_out": exchange.sent,
        "seconds": round(seconds, 6),
    }
    if scope.get("client"):
        facts["client"] = scope["client"][0]
    if state.get("actor"):
        facts["actor"] = clip(ascii(state["actor"])[1:-1])
    if digest := header(exchange.headers, b"docker-content-digest"):
        facts["digest"] = digest.decode("ascii", "backslashreplace")
    facts["request_id"] = state["request_id"]
    return facts


class ServerErrors:
    """An exception nobody expected: its traceback goes to the log, the client gets a bare OCI 500 UNKNOWN. Where the
    answer had begun the connection is cut instead; where the client had left it is no error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger("errors")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except AnswerCut as error:
            self._log.error("an answer was cut", reason=str(error))
            raise
        except Exception as error:
            if scope["type"] != "http":
                raise
            exchange: Exchange = scope["state"]["exchange"]
            if exchange.left:
                self._log.debug("the client left", error=type(error).__name__)
                return
            self._log.exception("unexpected error", method=scope["method"])
            if exchange.status:
                raise
            await answer(send, 500, "UNKNOWN", "the server failed; its log knows more under the request id")


async def answer(send: Send, status: int, code: str, message: str, headers: Any = ()) -> None:
    """Send a whole OCI error answer."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
