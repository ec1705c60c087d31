"""Request bodies that do not come, and those nobody reads.

A body that stalls for `http.stall` seconds, or comes slower than `http.min_rate` once it was waited for longer than
`http.min_rate_after`, ends: the application is told that the client left, the client gets 408.

An answer given before the body was read must reach clients that look for it only after they have sent everything (all
that are built on http.client), and closing a socket with unread bytes destroys what was sent on it. So a small rest
(SMALL) is read before the answer, and the connection stays usable; a larger one behind the answer, until the client
stops sending for REST_SECONDS or `http.linger` is over. An engine that cannot answer while a body comes in (it does not
offer EARLY_ANSWER) answers after it.

A body that ends too early, or whose chunks cannot be read, is answered 400 in case the client still listens: an engine
that is left without an answer may make one of its own, a 500.
"""

import asyncio
import time
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .engines.inflight import EARLY_ANSWER
from .middleware import answer, header
from .sections import Http

REST_SECONDS = 2.0
SMALL = 1 << 20, REST_SECONDS
UNBOUNDED = 1 << 62
DISCONNECT: Message = {"type": "http.disconnect"}


class Limits:
    """Plain ASGI middleware; requests without a body pass untouched."""

    def __init__(self, app: ASGIApp, http: Http) -> None:
        self._app, self._http = app, http

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """The application's own call where there is no body, so that it costs nothing."""
        if scope["type"] != "http" or not has_body(scope["headers"]):
            return self._app(scope, receive, send)
        return self._limited(scope, receive, send)

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(self._http, scope["headers"], receive)
        started, early = False, EARLY_ANSWER in scope.get("extensions", {})

        async def limited_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                await body.drop(*(SMALL if early else (UNBOUNDED, self._http.linger)))
            elif message["type"] == "http.response.body" and not message.get("more_body") and body.unread:
                await send(dict(message) | {"more_body": True})
                await body.drop(UNBOUNDED, self._http.linger)
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        try:
            await self._app(scope, body.receive, limited_send)
        except Exception:
            if not body.cut:
                raise
        if body.cut and not started:
            await answer(send, 408, "SIZE_INVALID", "the body stalled or came too slowly; send it again")
        elif body.broken and not started:
            with suppress(OSError):
                await answer(send, 400, "SIZE_INVALID", "the body ended before it was whole; send it again")


def has_body(headers: Any) -> bool:
    """Whether a request has a body (RFC 9112 section 6)."""
    for name, value in headers:  # noqa: SIM110 a generator would be a tenth of what a pull costs here
        if (name == b"content-length" and value != b"0") or name == b"transfer-encoding":
            return True
    return False


class _Body:
    """The body of one request: how much came and how long we waited for it."""

    def __init__(self, http: Http, headers: Any, receive: Receive) -> None:
        self._http, self._receive = http, receive
        length = header(headers, b"content-length")
        self._length = int(length) if length and length.isdigit() else None
        self._held_back = b"100-continue" in (header(headers, b"expect") or b"").lower()
        self._received, self._waited, self._over = 0, 0.0, False
        self.cut = self.broken = False

    async def receive(self) -> Message:
        """What the application receives."""
        if self._over:
            return DISCONNECT if self.cut else await self._receive()
        self._held_back = False
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._http.stall):
                message = await self._receive()
        except TimeoutError:
            return self._end()
        self._waited += time.monotonic() - started
        self._count(message)
        slow = self._received < self._http.min_rate * self._waited
        return self._end() if slow and self._waited > self._http.min_rate_after and not self._over else message

    def _count(self, message: Message) -> None:
        self._received += len(message.get("body", b""))
        self.broken = message["type"] != "http.request"
        self._over = self.broken or not message.get("more_body", False)

    def _end(self) -> Message:
        self._over = self.cut = True
        return DISCONNECT

    @property
    def unread(self) -> bool:
        """Whether the client is still sending; one that waits for 100 Continue is not."""
        return not self._over and not self._held_back

    async def drop(self, most: int, seconds: float) -> None:
        """Read and drop the rest if it is at most so many bytes, for so long, while it comes."""
        limit = self._received + most
        if self._length is not None and self._length > limit:
            return
        try:
            async with asyncio.timeout(seconds):
                while self.unread and self._received <= limit:
                    async with asyncio.timeout(REST_SECONDS):
                        self._count(await self._receive())
        except TimeoutError:
            pass
