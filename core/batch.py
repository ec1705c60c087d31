"""Batched look-ups: requests that arrive while a query runs wait for the next one, which answers them all.

Every answer comes from a query that began after its request arrived, so a tag that moved is seen at once: no
invalidation, no staleness. When idle it costs nothing: the first request starts its query right away.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
S = TypeVar("S")

LARGEST = 256
AT_ONCE = 2


class Batch(Generic[S, K, V]):
    """Calls `ask` with the distinct keys that wait, at most 256 at a time and two queries at once, on a session (a
    connection) that is kept while somebody waits: taking one from a pool costs as much as the query."""

    def __init__(
        self,
        session: Callable[[], AbstractAsyncContextManager[S]],
        ask: Callable[[S, Sequence[K]], Awaitable[Sequence[V]]],
    ) -> None:
        self._session = session
        self._ask = ask
        self._waiting: dict[K, list[asyncio.Future[V]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = 0

    async def get(self, key: K) -> V:
        """The answer for key, or the error its query ended with."""
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(future)
            return await future
        self._waiting[key] = [future]
        if self._running < AT_ONCE:
            self._running += 1
            task = asyncio.create_task(self._run())
            self._tasks.add(task)  # the loop alone would let it be collected
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _run(self) -> None:
        while self._waiting:
            asked: list[list[asyncio.Future[V]]] = []
            try:
                async with self._session() as session:
                    while self._waiting:
                        keys = list(self._waiting)[:LARGEST]
                        asked = [self._waiting.pop(key) for key in keys]
                        answers = await self._ask(session, keys)
                        for futures, answer in zip(asked, answers, strict=True):
                            for future in futures:
                                if not future.done():  # its request may have been cancelled
                                    future.set_result(answer)
            except Exception as error:
                self._fail(asked, error)
        self._running -= 1  # here and not when the task is done: a key that comes in between would wait for nobody

    def _fail(self, asked: list[list[asyncio.Future[V]]], error: Exception) -> None:
        """Those whose query failed; all who wait where there was no session to ask on."""
        if not asked:
            asked = list(self._waiting.values())
            self._waiting.clear()
        for future in [future for futures in asked for future in futures if not future.done()]:
            future.set_exception(error)
