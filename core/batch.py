"""Batched statements: requests that arrive while one runs wait for the next one, which answers them all.

Every answer comes from a query that began after its request arrived, so a tag that moved is seen at once: no
invalidation, no staleness. When idle it costs nothing: the first request starts its query right away. Writes that wait
together share a transaction, so one wait for the disk and one lock of what they all touch (see `apart`): one at once,
since a second would only wait for the first one's locks.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from .oci.errors import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
S = TypeVar("S")

LARGEST = 256


class Batch(Generic[S, K, V]):
    """Calls `ask` with the distinct keys that wait, at most 256 at a time, on a session (a connection) that is kept
    while somebody waits: taking one from a pool costs as much as the query. One query is under way at a time: two at
    once share the same keys among twice the queries, and cost a process 1.3 times the CPU. An answer that is an
    exception is raised to those who asked for its key."""

    def __init__(
        self,
        session: Callable[[], AbstractAsyncContextManager[S]],
        ask: Callable[[S, Sequence[K]], Awaitable[Sequence[V | Exception]]],
    ) -> None:
        self._session = session
        self._ask = ask
        self._waiting: dict[K, list[asyncio.Future[V]]] = {}
        self._task: asyncio.Task[None] | None = None
        self._running = False

    async def get(self, key: K) -> V:
        """The answer for key, or the error its query ended with."""
        future: asyncio.Future[V] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.append(future)
            return await future
        self._waiting[key] = [future]
        if not self._running:
            self._running = True
            self._task = asyncio.create_task(self._run())  # kept: the loop alone would let it be collected
        return await future

    async def _run(self) -> None:
        while self._waiting:
            asked: list[list[asyncio.Future[V]]] = []
            try:
                async with self._session() as session:
                    while self._waiting:
                        keys = list(self._waiting)[:LARGEST]
                        asked = [self._waiting.pop(key) for key in keys]
                        for futures, answer in zip(asked, await self._ask(session, keys), strict=True):
                            _tell(futures, answer)
            except Exception as error:
                if not asked:  # no session: nobody who waits can be asked for
                    asked = list(self._waiting.values())
                    self._waiting.clear()
                for futures in asked:
                    _tell(futures, error)
        self._running = False  # here and not when the task is done: a key that comes in between would wait for nobody


def _tell(futures: list[asyncio.Future[V]], answer: V | Exception) -> None:
    for future in futures:
        if future.done():  # its request was cancelled, or it was told before its query's session broke
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)


def apart(
    ask: Callable[[Sequence[K]], Awaitable[Sequence[V]]],
) -> Callable[[Sequence[K]], Awaitable[Sequence[V | Exception]]]:
    """`ask`, where one transaction does what all keys want: one that is refused takes the others down with it, so then
    all are asked again, one by one. What ends in Unavailable is not: nobody knows whether it was committed."""

    async def alone(key: K) -> V | Exception:
        try:
            return (await ask([key]))[0]
        except Exception as error:
            return error

    async def asked(keys: Sequence[K]) -> Sequence[V | Exception]:
        try:
            return await ask(keys)
        except Unavailable:
            raise
        except Exception:
            if len(keys) == 1:
                raise
            return [await alone(key) for key in keys]

    return asked
