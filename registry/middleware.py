"""What stands around the application, as plain ASGI: access log with request ids, last resort for errors.

`scope["state"]` is each request's own dict. The log reads from it what only the application knows: `actor` (who asked)
and `endpoint` (the route's name, for metrics); it puts `request_id` there.
"""

import json
import logging
import os
import re
import secrets
import time
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .logs import access, clip

REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
QUIET = ("/health", "/metrics")
"""Paths asked for all day long by machines: logged at debug."""


def header(headers: Any, name: bytes) -> bytes | None:
    """The first value of a header (name in lower case), or None."""
    return next((value for key, value in headers if key == name), None)


def request_id(headers: Any) -> str:
    """The client's X-Request-Id where it is harmless, else a random one."""
    given = header(headers, b"x-request-id")
    return given.decode() if given and REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def body_size(message: Message) -> int:
    """The bytes of an answer that one message sends; a file's are sent by the engine itself (ASGI pathsend)."""
    if message["type"] == "http.response.pathsend":
        return os.path.getsize(message["path"])
    return len(message.get("body", b""))


class AccessLog:
    """One log line a request: method, path, status, bytes in and out, seconds, client, actor, digest. Queries and
    headers are never logged: they carry secrets. The answer gets an X-Request-Id; all lines of the request carry it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = request_id(scope["headers"])
        state = scope.setdefault("state", {})
        state["request_id"] = name
        seen = {"status": 0, "bytes_in": 0, "bytes_out": 0}
        digest = b""

        async def counted_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                seen["bytes_in"] += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal digest
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                digest = header(message.get("headers", ()), b"docker-content-digest") or b""
                message = dict(message) | {"headers": [*message.get("headers", ()), (b"x-request-id", name.encode())]}
            else:
                seen["bytes_out"] += body_size(message)
            await send(message)

        started = time.perf_counter()
        structlog.contextvars.bind_contextvars(request_id=name)  # a request is a task, with a context of its own
        try:
            await self._app(scope, counted_receive, counted_send)
        finally:
            self._write(scope, seen, digest, time.perf_counter() - started)

    def _write(self, scope: Scope, seen: dict[str, int], digest: bytes, seconds: float) -> None:
        path = clip(scope.get("raw_path", scope["path"].encode()).decode("ascii", "backslashreplace"))
        state = scope["state"]
        facts: dict[str, Any] = {
            "method": clip(ascii(scope["method"])[1:-1]),
            "path": path,
            **seen,
            "seconds": round(seconds, 6),
        }
        if scope.get("client"):
            facts["client"] = scope["client"][0]
        if state.get("actor"):
            facts["actor"] = clip(ascii(state["actor"])[1:-1])
        if digest:
            facts["digest"] = digest.decode("ascii", "backslashreplace")
        facts["request_id"] = state["request_id"]
        access(facts, logging.DEBUG if path.startswith(QUIET) else logging.INFO)


class ServerErrors:
    """An exception nobody expected: its traceback goes to the log, the client gets a bare OCI 500 UNKNOWN. Where the
    answer had begun the connection is cut instead; where the client had left it is no error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = structlog.get_logger("errors")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = left = False

        async def watched_receive() -> Message:
            nonlocal left
            message = await receive()
            left = left or message["type"] == "http.disconnect"
            return message

        async def watched_send(message: Message) -> None:
            nonlocal started, left
            started = started or message["type"] == "http.response.start"
            try:
                await send(message)
            except OSError:
                left = True
                raise

        try:
            await self._app(scope, watched_receive, watched_send)
        except Exception as error:
            if left:
                self._log.debug("the client left", error=type(error).__name__)
                return
            self._log.exception("unexpected error", method=scope["method"])
            if started:
                raise
            await answer(send, 500, "UNKNOWN", "the server failed; its log knows more under the request id")


async def answer(send: Send, status: int, code: str, message: str, headers: Any = ()) -> None:
    """Send a whole OCI error answer."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
