"""Calls of a store within a deadline, made again where that may help: what clients do themselves has no end to it."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

DEADLINE: Final = 120.0
"""Seconds a call may take with its tries, and as long again for each GiB that it sends or that the store copies."""
PAUSES: Final = (0.2, 0.4, 0.8, 1.6)
"""Seconds before a call is made again, give or take a half."""
T = TypeVar("T")


@asynccontextmanager
async def within_deadline(size: int = 0) -> AsyncIterator[None]:
    """TimeoutError where what is done here takes longer than a call of so many bytes may."""
    limit = asyncio.timeout(DEADLINE * (1 + size / 1024**3))
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise TimeoutError("no answer within the time it may take") from None
        raise


async def tried(once: Callable[[], Awaitable[T]], passes: Callable[[Exception], bool], size: int = 0) -> T:
    """What it gives, at last; the error of the last try, or of the first that will not pass."""
    async with within_deadline(size):
        for pause in PAUSES:
            try:
                return await once()
            except Exception as error:
                if not passes(error):
                    raise
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
        return await once()
