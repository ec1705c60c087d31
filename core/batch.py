"""Batched look-ups: requests that arrive while a query runs wait for the next one, which answers them all.

Every answer comes from a query that began after its request arrived, so a tag that moved is seen at once: no
invalidation, no staleness. When idle it costs nothing: the first request starts its query right away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LARGEST = 256
AT_ONCE = 2


class Batch(Generic[K, V]):
    """Calls `ask` with the distinct keys that wait, at most 256 at a time and two queries at once."""

    def __init__(self, ask: Callable[[Sequence[K]], Awaitable[Sequence[V]]]) -> None:
        self._ask = ask
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def get(self, key: K) -> V:
        """The answer for key, or the error its query ended with."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
            if len(self._running) < AT_ONCE:
                self._start()
        return await asyncio.shield(future)

    def _start(self) -> None:
        task = asyncio.create_task(self._run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self) -> None:
        while self._waiting:
            keys = list(self._waiting)[:LARGEST]
            futures = [self._waiting.pop(key) for key in keys]
            try:
                answers = await self._ask(keys)
            except Exception as error:
                for future in futures:
                    if not future.done():
                        future.set_exception(error)
                        future.exception()  # a caller that left is no unhandled error
                continue
            for future, answer in zip(futures, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
