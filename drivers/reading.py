"""Reading a file in pieces: the first with the opening, the next as they are asked for."""

import os
import threading
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Any, Final

from .base import NotFound, Unavailable
from .threads import Threads
from .tree import Tree, driver_error

FIRST: Final = 256 * 1024
"""Bytes read together with opening the file, so that a small one costs a single hop."""
NEXT: Final = 1024 * 1024
"""Most bytes of each later piece: fewer, larger pieces cost less."""
LEAST: Final = 64 * 1024
"""Fewest bytes of each later piece, however many are reading."""
HELD: Final = 16 * 1024 * 1024
"""Bytes that the pieces of all who are reading share: a reader that does not go on holds its piece in memory."""


class Readers:
    """How many files of a driver are being read, and so how large a piece each may hold: 500 slow readers must not take
    500 times what one fast reader is given."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.open = 0

    def come(self) -> None:
        """One more."""
        with self._lock:
            self.open += 1

    def go(self) -> None:
        """One less."""
        with self._lock:
            self.open -= 1

    def piece(self, most: int = NEXT) -> int:
        """Bytes of the next piece."""
        return min(most, max(LEAST, HELD // max(1, self.open)))


class Reading(AsyncGenerator[bytes, None]):
    """Bytes [start, stop) of a key. A class and not a generator function: aclose of a generator that never started runs
    nothing, and the descriptor of an answer that nobody fetched would stay open."""

    def __init__(self, readers: Readers, threads: Threads, tree: Tree, key: str, start: int, stop: int | None) -> None:
        self._readers, self._threads, self._tree, self._key = readers, threads, tree, key
        self._offset = max(start, 0)
        self._wanted = stop
        self.stop = 0
        """Where the reading ends, once it has started: at the stop asked for, or at the key's end before that."""
        self._descriptor = -1
        self._first = b""
        self._running = False

    def start(self) -> None:
        """Open the file and read the first piece, on a thread. NotFound where nothing is at the key."""
        try:
            self._descriptor = self._tree.open(self._key, os.O_RDONLY)
            self._readers.come()
            size = os.fstat(self._descriptor).st_size
            self.stop = size if self._wanted is None else min(self._wanted, size)
            if self._offset < self.stop:
                self._first = self._read(self._readers.piece(FIRST))
            else:
                self.close()
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(f"nothing is at {self._tree.path(self._key)}") from None
        except OSError as error:
            raise driver_error(error, self._tree.path(self._key)) from error

    def close(self) -> None:
        """Give the descriptor back."""
        self._first = b""
        self._let_go()

    async def asend(self, value: None) -> bytes:
        """The next piece."""
        if self._first:
            piece, self._first = self._first, b""
            return piece
        if self._descriptor < 0:
            raise StopAsyncIteration
        self._running = True
        try:
            return await self._threads.run(self._next)
        except BaseException:
            self.close()
            raise
        finally:
            self._running = False

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Any:
        """Close, and raise what is thrown in; aclose comes here."""
        if self._running:  # as a generator function has it; the descriptor is in use on a thread
            raise RuntimeError("a piece is being read")
        self.close()
        raise typ

    def __del__(self) -> None:
        self.close()

    def _next(self) -> bytes:
        try:
            return self._read(self._readers.piece())
        except OSError as error:
            raise driver_error(error, self._tree.path(self._key)) from error

    def _read(self, most: int) -> bytes:
        """The next bytes, at most that many; the last of them close the file."""
        piece = os.pread(self._descriptor, min(most, self.stop - self._offset), self._offset)
        if not piece:
            raise Unavailable(f"{self._tree.path(self._key)} ended at {self._offset}, {self.stop} were there")
        self._offset += len(piece)
        if self._offset >= self.stop:
            self._let_go()
        return piece

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            self._readers.go()
            os.close(descriptor)
