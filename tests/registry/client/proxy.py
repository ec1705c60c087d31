"""A proxy before a registry that counts what goes through it, and cuts connections when a test wants it."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web

_HOP = {"connection", "transfer-encoding", "keep-alive", "host"}


@dataclass
class Proxy:
    """url: of the proxy. requests: (method, path) of each; sent, received: bytes of bodies as the client sees them.

    cut_after: bytes of a GET's body after which the connection is cut, once for each entry; drop_puts,
    drop_patches: how many of their answers are thrown away, though the registry did what was asked.
    """

    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0
    received: int = 0
    cut_after: list[int] = field(default_factory=list)
    drop_puts: int = 0
    drop_patches: int = 0

    def reset(self) -> None:
        """Count from now."""
        self.requests, self.sent, self.received = [], 0, 0


@asynccontextmanager
async def proxied(target: str) -> AsyncIterator[Proxy]:
    """A proxy before `target`."""
    proxy = Proxy()

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        proxy.requests.append((request.method, request.path))
        proxy.sent += len(body)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        async with session.request(
            request.method,
            target + request.raw_path,
            headers=headers,
            data=io.BytesIO(body) if body else None,
            allow_redirects=False,
        ) as answer:
            content = await answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP}
        cut = request.method == "GET" and proxy.cut_after and len(content) > proxy.cut_after[0]
        if (request.method == "PUT" and proxy.drop_puts) or (request.method == "PATCH" and proxy.drop_patches):
            proxy.drop_puts -= request.method == "PUT"
            proxy.drop_patches -= request.method == "PATCH"
            assert request.transport is not None
            request.transport.abort()
        response = web.StreamResponse(status=answer.status, headers=kept)
        await response.prepare(request)
        if cut:
            content = content[: proxy.cut_after.pop(0)]
        proxy.received += len(content)
        if request.method != "HEAD":
            await response.write(content)
        if cut:
            assert request.transport is not None
            request.transport.close()
        return response

    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(application, access_log=None)
    session = aiohttp.ClientSession(auto_decompress=False)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield proxy
    finally:
        await runner.cleanup()
        await session.close()
