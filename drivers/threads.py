"""Blocking calls on threads of the driver's own, in as few hops as the work allows.

Why not aiofiles, which hops once per call: a small durable put is some twenty file calls, and one hop for all of them
makes it 1.5 to 2 times as fast, a 64 KiB read 1.6 times, a 64 MiB append with its hash 1.1 to 1.3 times
(bench/drivers.py, 2 cores, ext4). And when a task is cancelled, its thread goes on: a descriptor closed meanwhile may
be given to another file, which that thread would then write to. So here a cancelled task waits for its thread.
"""

import asyncio
from collections.abc import AsyncIterable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import ParamSpec, TypeVar

from .pieces import gather

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A small pool of threads for file calls, apart from the event loop's default one (name look-ups use that)."""

    def __init__(self, most: int) -> None:
        self._executor = ThreadPoolExecutor(most, thread_name_prefix="files")

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What call returns, run on a thread. When cancelled, ends only after the thread has."""
        future = self._start(call, *args, **kwargs)
        try:
            return await asyncio.shield(future)
        finally:
            await _ended(future)

    async def feed(self, data: AsyncIterable[bytes], step: Callable[[list[bytes], bool], None]) -> None:
        """Call step(piece, last) on a thread for the pieces of data in order, gathering the next one meanwhile.
        Ends, also by an error of data or by being cancelled, only when no step is running."""
        behind: asyncio.Future[None] | None = None
        try:
            async with aclosing(gather(data)) as pieces:
                async for piece, last in pieces:
                    if behind is not None:
                        await asyncio.shield(behind)
                    behind = self._start(step, piece, last)
            if behind is not None:
                await asyncio.shield(behind)
        finally:
            if behind is not None:
                await _ended(behind)

    async def close(self) -> None:
        """Wait for the threads to end."""
        await asyncio.to_thread(self._executor.shutdown)

    def _start(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._executor, lambda: call(*args, **kwargs))


async def _ended(future: asyncio.Future[T]) -> None:
    """Wait until future is done, however often this task is cancelled meanwhile; then let the cancellation pass."""
    cancelled = False
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            cancelled = True
    # Looked at here, lest asyncio report an error that nobody awaited: the task ends with its own.
    future.exception()
    if cancelled:
        raise asyncio.CancelledError
