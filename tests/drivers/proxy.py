"""A proxy before a store that fails on command, and that may be stricter than the store (s3_proxy.py, gcs_proxy.py)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final, TypeVar

import aiohttp
from aiohttp import web
from yarl import URL

from .stores import free_port

HOP: Final = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Proxy:
    """`faults`: what happens to the next requests, first to last: a status (answered without asking the store), `reset`
    (the connection ends before an answer), `lost` (it ends after the store has done its work), `cut` (in the middle of
    the answer's body), or a number of seconds as `slow:N`. `only`: faults meet these methods only. `copied`: how many
    objects, or parts of them, the store put together itself."""

    target: str
    faults: list[str] = field(default_factory=list)
    only: str = "GET HEAD PUT POST DELETE"
    broken: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    copied: int = 0
    port: int = field(default_factory=free_port)

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request, through or not."""
        self.requests.append(f"{request.method} {request.path_qs}")
        fault = self.faults.pop(0) if self.faults and request.method in self.only else ""
        body = await request.read()
        rule = self.rule(request, body)
        if rule:
            self.broken.append(rule)
            return self.error(400, rule)
        if fault.isdigit():
            return self.error(int(fault), "on command")
        if fault == "reset":
            _end(request)
        if fault.startswith("slow:"):
            await asyncio.sleep(float(fault[5:]))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        url = f"{self.target}{request.raw_path}"
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method,
                URL(url, encoded=True),
                data=BytesIO(body),
                headers=headers,
                skip_auto_headers=("Content-Type",),
            ) as answer,
        ):
            content = await answer.read()
            self.note(request, answer, content, len(body))
            if fault == "lost":
                _end(request)
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
            length = int(answer.headers.get("Content-Length", len(content)))
            response = web.StreamResponse(status=answer.status, headers=kept)
            response.content_length = length
            await response.prepare(request)
            if fault == "cut":
                await response.write(content[: len(content) // 2])
                _end(request)
            if request.method != "HEAD":
                await response.write(content)
            await response.write_eof()
            return response

    def rule(self, request: web.Request, body: bytes) -> str:
        """What the request breaks, or nothing."""
        return ""

    def note(self, request: web.Request, answer: aiohttp.ClientResponse, content: bytes, size: int) -> None:
        """What a store answered to a body of so many bytes."""

    def error(self, status: int, said: str) -> web.Response:
        """An answer as the store has it."""
        return web.Response(status=status, text=said)


def _end(request: web.Request) -> None:
    """End the connection as it is."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("on command")


P = TypeVar("P", bound=Proxy)


@asynccontextmanager
async def proxied(proxy: P) -> AsyncIterator[P]:
    """The proxy, listening on 127.0.0.1."""
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(application, access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", proxy.port).start()
        yield proxy
    finally:
        await runner.cleanup()
