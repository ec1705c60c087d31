"""An application called in this process, as an engine would call it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@asynccontextmanager
async def living(app: ASGIApp) -> AsyncIterator[None]:
    """While the application's lifespan lasts."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    started: asyncio.Queue[Message] = asyncio.Queue()

    async def live() -> None:
        await app({"type": "lifespan", "state": {}}, inbox.get, started.put)

    task = asyncio.create_task(live())
    inbox.put_nowait({"type": "lifespan.startup"})
    first = asyncio.create_task(started.get())
    await asyncio.wait([task, first], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        first.cancel()
        task.result()
    yield
    inbox.put_nowait({"type": "lifespan.shutdown"})
    await task


async def send(app: ASGIApp, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
    """One request; the body arrives in two pieces."""
    url = urlsplit(target)
    named = {"host": "registry", "content-length": str(len(body))}
    named |= {name.replace("_", "-").lower(): value for name, value in headers.items()}
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": url.path,
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
        "state": {},
        "extensions": {},
    }
    half = len(body) // 2
    pieces = [body[:half], body[half:]]

    async def receive() -> Message:
        if not pieces:
            await asyncio.Event().wait()  # the client stays
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    sent: list[Message] = []

    async def take(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, take)
    found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))
