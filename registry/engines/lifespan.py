"""The ASGI lifespan: start-up before the first request, shut-down after the last, on every engine alike."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

SHUTDOWN_SECONDS = 3.0
"""What an application may take to put its things away: a server is gone 30 s after SIGTERM, 25 of them for requests."""
CANCEL_SECONDS = 1.0
log = logging.getLogger(__name__)


class StartFailed(Exception):
    """The application could not start; the message is its own."""


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    """The application started, its state as the value; shut down on leaving, cancelled where that takes too long.

    An exception of its start-up passes through as it is, `lifespan.startup.failed` becomes StartFailed.
    """
    state: dict[str, Any] = {}
    inbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outbox: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"spec_version": "2.0", "version": "3.0"}, "state": state}
    task = asyncio.create_task(app(scope, inbox.get, outbox.put))

    async def ask(event: str) -> None:
        inbox.put_nowait({"type": f"lifespan.{event}"})
        answer = asyncio.create_task(outbox.get())
        try:
            await asyncio.wait({answer, task}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done() and answer.result()["type"].endswith(".complete"):
                return
            await asyncio.wait({task})
            failure = None if task.cancelled() else task.exception()
            if failure is not None:
                raise failure
            message = answer.result().get("message") if answer.done() else None
            raise StartFailed(message or f"the application ended during {event}")
        finally:
            answer.cancel()

    try:
        await ask("startup")
        yield state
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS):
                await ask("shutdown")
        except TimeoutError:
            log.warning("the application did not stop in time, its work is cancelled")
    finally:
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_SECONDS)
