"""Files made on request, kept for the next range of them: small ones in memory, others on disk, both within bounds.

What is kept can be made again, so nothing here outlives the process: files on disk have no name.
"""

import asyncio
import logging
import os
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, Protocol, TypeVar

log = logging.getLogger(__name__)

SMALL = 1 << 20
PIECE = 256 << 10


class MadeFile(Protocol):
    """Bytes that are all there."""

    size: int

    def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Bytes [start, stop)."""


M = TypeVar("M", bound=MadeFile)


class _InMemory:
    def __init__(self, content: bytes) -> None:
        self._content, self.size = content, len(content)

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        yield self._content[start:stop]


class _OnDisk:
    """A file without a name, gone with the last reader that holds it."""

    def __init__(self, content: bytes) -> None:
        descriptor, path = tempfile.mkstemp(prefix="dfr-made-")
        weakref.finalize(self, os.close, descriptor)
        os.unlink(path)
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        self._descriptor, self.size = descriptor, len(content)

    async def read(self, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        for at in range(start, stop, PIECE):
            yield await asyncio.to_thread(os.pread, self._descriptor, min(PIECE, stop - at), at)


class _Shelf(Generic[M]):
    """The files used last, at most `limit` bytes of them."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size = limit, 0
        self._files: OrderedDict[str, M] = OrderedDict()

    def get(self, name: str) -> M | None:
        found = self._files.get(name)
        if found is not None:
            self._files.move_to_end(name)
        return found

    def put(self, name: str, file: M) -> None:
        self._files[name] = file
        self._size += file.size
        while self._size > self._limit:
            self._size -= self._files.popitem(last=False)[1].size


class MadeFiles:
    """memory, disk: the most bytes to keep in each."""

    def __init__(self, memory: int, disk: int) -> None:
        self._memory: _Shelf[_InMemory] = _Shelf(memory)
        self._disk: _Shelf[_OnDisk] = _Shelf(disk)
        self._making: dict[str, asyncio.Task[MadeFile]] = {}

    async def get(self, name: str, make: Callable[[], Awaitable[bytes]]) -> MadeFile:
        """The file of a name that says all of its content; what asks for it at once waits for one making of it.

        A making goes on when its caller leaves: readers that give up come again.
        """
        found = self._memory.get(name) or self._disk.get(name)
        if found is not None:
            return found
        making = self._making.get(name)
        if making is None:
            making = self._making[name] = asyncio.create_task(self._make(name, make))
            making.add_done_callback(lambda task: self._made(name, task))
        return await asyncio.shield(making)

    async def close(self) -> None:
        """Give up what is being made."""
        for task in list(self._making.values()):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _make(self, name: str, make: Callable[[], Awaitable[bytes]]) -> MadeFile:
        content = await make()
        if len(content) > SMALL:
            try:
                file = await asyncio.to_thread(_OnDisk, content)
            except OSError as error:
                log.warning("a file cannot be kept on disk: %s", error)
                return _InMemory(content)
            self._disk.put(name, file)
            return file
        small = _InMemory(content)
        self._memory.put(name, small)
        return small

    def _made(self, name: str, task: "asyncio.Task[MadeFile]") -> None:
        del self._making[name]
        if not task.cancelled():
            task.exception()  # seen: whoever asked may have left
