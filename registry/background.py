"""Work beside the requests, for as long as the process lives."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

log = logging.getLogger(__name__)
PAUSE: Final = 5.0


@asynccontextmanager
async def beside(name: str, work: Callable[[], Awaitable[None]], pause: float = PAUSE) -> AsyncIterator[None]:
    """`work`, which runs until cancelled, is done meanwhile, and again `pause` seconds after each failure: nobody waits
    for its end, so an error nobody expected (no thread, no memory, no partition) would end it in silence."""
    task = asyncio.create_task(_again_and_again(name, work, pause))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _again_and_again(name: str, work: Callable[[], Awaitable[None]], pause: float) -> None:
    while True:
        try:
            return await work()
        except Exception:
            log.exception("%s failed; trying again", name)
        await asyncio.sleep(pause)
