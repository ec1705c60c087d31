"""Reading an object from a store over HTTP: pieces as they come, and again from where a connection broke."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from types import TracebackType
from typing import Any, Final

from .base import DriverError, Unavailable

STEP: Final = 1024 * 1024
TRIES: Final = 3
"""Connections that one reading may lose."""
PAUSE: Final = 0.2
"""Seconds before the first of them is made again, doubled for each next."""


class Stream(AsyncGenerator[bytes, None]):
    """Bytes [start, stop) of an answer's body (with `read` and `close`; None: there are none). A class and not a
    generator function: aclose of a generator that never started runs nothing, and the connection would stay."""

    def __init__(
        self, body: Any, start: int, stop: int, again: Callable[[int, int], Awaitable[Any]] | None = None
    ) -> None:
        self._body = body
        self._at, self._stop = start, stop
        self._again = again
        self._lost = 0

    async def asend(self, value: None) -> bytes:
        """The next piece."""
        while self._body is not None and self._at < self._stop:
            try:
                piece = await self._body.read(STEP)
            except asyncio.CancelledError:
                self.close()
                raise
            except Exception as error:  # whatever a client library calls a connection that broke
                await self._resume(error)
                continue
            if not piece:
                await self._resume(None)
                continue
            self._at += len(piece)
            if self._at >= self._stop:
                self.close()
            return bytes(piece)
        self.close()
        raise StopAsyncIteration

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Any:
        """Close, and raise what is thrown in; aclose comes here."""
        self.close()
        raise typ

    def close(self) -> None:
        """Give the connection back, or end it where not all was read."""
        if self._body is not None:
            body, self._body = self._body, None
            body.close()

    def __del__(self) -> None:
        self.close()

    async def _resume(self, error: Exception | None) -> None:
        said = f"the store ended an answer {self._stop - self._at} bytes early" + (f": {error}" if error else "")
        self.close()
        self._lost += 1
        if self._again is None or self._lost > TRIES:
            raise Unavailable(said) from error
        await asyncio.sleep(PAUSE * 2 ** (self._lost - 1))
        try:
            self._body = await self._again(self._at, self._stop)
        except DriverError as failed:
            raise Unavailable(f"{said}; and again: {failed}") from failed
