"""Requests and answers of /v2/, as thin as ASGI allows: these paths are the hot ones."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import NamedTuple
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from ...core.body import BodyBroken
from ...core.oci.errors import QueryInvalid, SizeInvalid

MOST_PARAMETERS = 1000


class Answer(NamedTuple):
    """Status, headers (lower-case names) and a body: bytes, a stream whose length the headers tell, or a path."""

    status: int
    headers: Mapping[str, str] = {}
    body: bytes | AsyncGenerator[bytes, None] = b""
    path: str | None = None

    async def send(self, send: Send, head: bool = False) -> None:
        """Write it out; HEAD gets the head alone."""
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        body = self.body
        if isinstance(body, bytes):
            if self.path is None and "content-length" not in self.headers and self.status not in (204, 304):
                headers.append((b"content-length", b"%d" % len(body)))
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            if self.path is not None and not head:
                await send({"type": "http.response.pathsend", "path": self.path})
            else:
                await send({"type": "http.response.body", "body": b"" if head else body})
            return
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if not head:
            async with aclosing(body):
                async for piece in body:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


class Request:
    """One request of /v2/: its headers by lower-case name (the first value), its query, its body."""

    __slots__ = ("_headers", "_query", "_receive", "method", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self._receive = receive
        self._headers: dict[str, str] | None = None
        self._query: dict[str, list[str]] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Header values; where a header comes more than once its values are joined by commas (RFC 9110 section 5.3)."""
        found = self._headers
        if found is None:
            found = self._headers = {}
            for name, value in self.scope["headers"]:
                key, text = name.decode("latin-1"), value.decode("latin-1")
                found[key] = f"{found[key]},{text}" if key in found else text
        return found

    @property
    def query(self) -> dict[str, list[str]]:
        """Query parameters; unknown ones are for nobody. QueryInvalid over 1000 of them."""
        if self._query is None:
            self._query = self._parsed_query()
        return self._query

    def _parsed_query(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        text = self.scope.get("query_string", b"").decode("latin-1")
        if text.count("&") >= MOST_PARAMETERS:
            raise QueryInvalid(f"a query may have at most {MOST_PARAMETERS} parameters")
        for name, value in parse_qsl(text, keep_blank_values=True):
            found.setdefault(name, []).append(value)
        return found

    def one(self, name: str) -> str | None:
        """The one value of a query parameter, or None; QueryInvalid where two differ."""
        values = set(self.query.get(name, ()))
        if len(values) > 1:
            raise QueryInvalid(f"{name} is given twice, with different values")
        return next(iter(values), None)

    @property
    def length(self) -> int | None:
        """Content-Length in bytes; None with chunked coding."""
        text = self.headers.get("content-length")
        if text is None:
            return None if "transfer-encoding" in self.headers else 0
        if not text.isdecimal() or len(text) > 18:
            raise SizeInvalid("Content-Length is not a length")
        return int(text)

    async def body(self) -> AsyncIterator[bytes]:
        """The body in pieces as they come. BodyBroken where the client leaves first."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise BodyBroken
            if piece := message.get("body", b""):
                yield piece
            if not message.get("more_body", False):
                return
