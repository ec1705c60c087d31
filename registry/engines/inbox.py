"""What an ASGI call receives, and the task it runs in.

Hypercorn hands body pieces to the app through a bounded queue and puts `http.disconnect` into the same queue from the
app's own `send`: when the app answers before it has read a large body, that put waits for a reader that will never come
and the connection hangs for good. Here a disconnect never waits and releases whoever does.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from hypercorn.asyncio.task_group import TaskGroup

Event = Any
DISCONNECT: Event = {"type": "http.disconnect"}
PATHSEND = "http.response.pathsend"
"""ASGI extension: a message that names a file whose bytes are the body of the answer."""
CAPACITY = 8
"""Body pieces that wait for the app; the socket is not read meanwhile (back-pressure)."""


class ClientGone(ConnectionError):
    """The client's connection is lost: what an app gets from `send` (ASGI 2.4 asks for an OSError)."""


class AnswerCut(Exception):
    """An answer that began cannot be finished: the connection is cut, so that the client sees that it is not whole."""


class Inbox:
    """The events of one request, first in first out. After close(), what is queued is still read, then disconnects."""

    def __init__(self, first_read: Callable[[], Awaitable[None]]) -> None:
        self._events: deque[Event] = deque()
        self._closed = False
        self._first_read: Callable[[], Awaitable[None]] | None = first_read
        self._reader: asyncio.Future[None] | None = None
        self._writer: asyncio.Future[None] | None = None

    async def put(self, event: Event) -> None:
        """Queue an event; waits while CAPACITY pieces are unread. A disconnect closes the inbox and never waits."""
        if event["type"] == "http.disconnect":
            self.close()
            return
        while len(self._events) >= CAPACITY and not self._closed:
            self._writer = asyncio.get_running_loop().create_future()
            await self._writer
        if not self._closed:
            self._events.append(event)
            _wake(self._reader)

    async def get(self) -> Event:
        """The next event; `http.disconnect` for ever once closed and empty."""
        if self._first_read is not None:
            first_read, self._first_read = self._first_read, None
            await first_read()
        while not self._events:
            if self._closed:
                return DISCONNECT
            self._reader = asyncio.get_running_loop().create_future()
            await self._reader
        event = self._events.popleft()
        _wake(self._writer)
        return event

    def close(self) -> None:
        """No more events will come."""
        self._closed = True
        _wake(self._reader)
        _wake(self._writer)


def _wake(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


class AppTasks(TaskGroup):
    """Hypercorn's task group with our inbox: `first_read` is awaited when the app asks for the body's first piece."""

    first_read: Callable[[], Awaitable[None]]
    send_file: Callable[[str], Awaitable[None]] | None = None
    """What sends a file as the body of the answer, where the connection can."""

    async def spawn_app(self, app: Any, config: Any, scope: Any, send: Callable[[Any], Awaitable[None]]) -> Any:
        """Run the app on a scope; returns where its events go."""
        inbox, send_file = Inbox(self.first_read), self.send_file
        if send_file is not None:
            scope["extensions"][PATHSEND] = {}

        async def sending(message: Any) -> None:
            if message is not None and message["type"] == PATHSEND and send_file is not None:
                await send_file(message["path"])
                message = {"type": "http.response.body", "body": b""}
            await send(message)

        self.spawn(_call, app, scope, inbox, sending, self._loop)
        return inbox.put


async def _call(app: Any, scope: Any, inbox: Inbox, send: Any, loop: asyncio.AbstractEventLoop) -> None:
    try:
        await app(scope, inbox.get, send, partial(loop.run_in_executor, None), None)
    except (ClientGone, AnswerCut):
        pass
    except Exception:
        structlog.get_logger().exception("request failed", path=str(scope.get("raw_path"))[:256])
    finally:
        inbox.close()
        with suppress(ClientGone):
            await send(None)
