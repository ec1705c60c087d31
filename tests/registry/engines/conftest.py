"""An engine under a small application, and a client that speaks raw bytes."""

import asyncio
import importlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from dataforge_registry.registry.limits import Limits
from dataforge_registry.registry.sections import Http

PIECE = b"x" * (1 << 16)
PATHSEND = "http.response.pathsend"


@dataclass
class App:
    """Paths: /early (401 unread, ?delay), /blob?n (n bytes), /wait (until `release`), else it says how much it got."""

    release: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    ended: list[str] = field(default_factory=list)
    requests: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, how: str) -> None:
        self.ended.append(how)
        self.changed.set()

    async def until(self, how: str) -> None:
        """Return once a request ended so; the test's time limit ends a wait."""
        while how not in self.ended:
            self.changed.clear()
            await self.changed.wait()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        self.requests += 1
        self.arrived.set()
        try:
            await getattr(self, scope["path"].strip("/") or "echo", self.echo)(scope, receive, send)
            self.end("answered")
        except asyncio.CancelledError:
            self.end("cancelled")
            raise
        except OSError:
            self.end("client gone")
            raise

    async def _live(self, receive: Any, send: Any) -> None:
        for event in ("startup", "shutdown"):
            await receive()
            self.end(event)
            await send({"type": f"lifespan.{event}.complete"})

    async def reply(self, send: Any, status: int, body: bytes) -> None:
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def early(self, scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(float(scope["query_string"] or b"0"))
        await self.reply(send, 401, b"who are you?")

    async def blob(self, scope: Any, receive: Any, send: Any) -> None:
        left = int(scope["query_string"])
        headers = [(b"content-length", str(left).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        while left:
            piece = PIECE[:left]
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def file(self, scope: Any, receive: Any, send: Any) -> None:
        """?path&length: pathsend, with a head that tells the length."""
        path, _, length = scope["query_string"].decode().partition("&")
        assert PATHSEND in scope["extensions"]
        headers = [(b"content-length", length.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": PATHSEND, "path": path})

    async def wait(self, scope: Any, receive: Any, send: Any) -> None:
        await self.release.wait()
        await self.reply(send, 200, b"waited")

    async def echo(self, scope: Any, receive: Any, send: Any) -> None:
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.end(f"disconnected after {size}")
                return
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await self.reply(send, 200, f"{scope['method']} {scope['raw_path'].decode()} {size}".encode())


@dataclass
class Running:
    """A server on a port of 127.0.0.1."""

    app: App
    port: int
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def say(self, raw: bytes) -> bytes:
        """Send bytes and return all that comes until the server closes."""
        reader, writer = await self.connect()
        try:
            writer.write(raw)
            return await asyncio.wait_for(reader.read(-1), 20)
        finally:
            await hang_up(writer)


async def ask_and_not_read(server: Running, raw: bytes) -> None:
    """Send a request, read nothing, and return once the server's application found its client gone."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, ("127.0.0.1", server.port))
        await loop.sock_sendall(sock, raw)
        await server.app.until("client gone")


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


Start = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture(params=["hypercorn", "granian"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def start() -> Start:
    """`async with start(engine, stall=..)` serves the small application behind Limits."""

    @asynccontextmanager
    async def serving(engine: str, app: App | None = None, **settings: Any) -> AsyncIterator[Running]:
        http, app = Http(**settings), app or App()
        serve = importlib.import_module(f"dataforge_registry.registry.engines.{engine}").serve
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            sock.listen(100)
            ready, stop = asyncio.Event(), asyncio.Event()
            limited = Limits(app, http)

            async def whole(scope: Any, receive: Any, send: Any) -> None:
                await limited(scope, receive, send)

            task = asyncio.create_task(serve(whole, http, sock, ready.set, stop))
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            try:
                yield Running(app, sock.getsockname()[1], stop, task)
            finally:
                stop.set()
                await asyncio.wait_for(task, 40)

    return serving
