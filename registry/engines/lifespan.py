"""The ASGI lifespan: start-up before the first request, shut-down after the last, on every engine alike."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


class StartFailed(Exception):
    """The application could not start; the message is its own."""


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    """The application started, its state as the value; shut down on leaving. An exception of its start-up passes
    through as it is, `lifespan.startup.failed` becomes StartFailed."""
    state: dict[str, Any] = {}
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"spec_version": "2.0", "version": "3.0"}, "state": state}
    task = asyncio.create_task(app(scope, inbox.get, outbox.put))

    async def ask(event: str) -> None:
        inbox.put_nowait({"type": f"lifespan.{event}"})
        answer = asyncio.create_task(outbox.get())
        await asyncio.wait({answer, task}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done() and answer.result()["type"].endswith(".complete"):
            return
        await asyncio.wait({task})
        failure = None if task.cancelled() else task.exception()
        if failure is not None:
            raise failure
        message = answer.result().get("message") if answer.done() else None
        answer.cancel()
        raise StartFailed(message or f"the application ended during {event}")

    try:
        await ask("startup")
        yield state
        await ask("shutdown")
        await task
    finally:
        task.cancel()
