"""A driver before another one: blobs that are read again lie on a local disk too.

The second read of a blob that is not there has it fetched, whole and apart from the read itself, which is answered by
the store as it would be without a cache. What came is kept if its hash is the one of its key. Nothing that goes wrong
with the disk reaches a reader: the store has the bytes.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any, Final, Protocol

from .base import Driver, DriverError, Hash, Space, Staging, Stat, Unavailable, check_key
from .cache_folder import CacheFolder, Damaged, Draft, Entry
from .threads import Threads

THREADS: Final = 8
FILLS: Final = 2
"""Blobs that are fetched at once; the rest wait."""
WAITING: Final = 64
"""Most that wait: beyond, a blob is fetched after another read of it."""
REMEMBERED: Final = 8192
"""Keys of which is known that they were read once."""


class Checked(Hash, Protocol):
    """A running hash that can be compared."""

    def hexdigest(self) -> str:
        """Of all bytes so far."""
        ...


HashOf = Callable[[str], tuple[Checked, str] | None]
"""A fresh hash for the bytes at a key and what it must come to; None for a key that is not named by its bytes."""
Note = Callable[[str, int], None]
"""What happened (`hit`, `miss`, `filled`, `failed`, `damaged`), and to how many bytes, 0 where it is not known."""


class Cached:
    """See Driver. Only reads look into the folder."""

    def __init__(self, driver: Driver, folder: CacheFolder, hash_of: HashOf, note: Note) -> None:
        self._driver, self._folder, self._hash_of, self.note = driver, folder, hash_of, note
        self._threads = Threads(THREADS)
        self._once: dict[str, None] = {}
        self._fills: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(FILLS)

    async def open(self, key: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """See Driver.open."""
        if self._hash_of(check_key(key)) is None:
            return await self._driver.open(key, start, stop)
        entry = await self._found(key)
        if entry is not None:
            return _Reading(self, key, entry, max(0, start), entry.size if stop is None else min(stop, entry.size))
        self.note("miss", 0)
        opened = await self._driver.open(key, start, stop)
        self._heat(key)
        return opened

    async def read(self, staging: Staging) -> AsyncGenerator[bytes, None]:
        """See Driver.read."""
        return await self._driver.read(staging)

    async def put(self, key: str, data: AsyncIterable[bytes], size: int | None = None) -> int:
        """See Driver.put."""
        return await self._driver.put(key, data, size)

    async def put_many(self, contents: Mapping[str, bytes]) -> None:
        """See Driver.put_many."""
        await self._driver.put_many(contents)

    async def stat(self, key: str) -> Stat:
        """See Driver.stat."""
        return await self._driver.stat(key)

    async def delete(self, key: str) -> None:
        """See Driver.delete."""
        await self.delete_many([key])

    async def delete_many(self, keys: Iterable[str]) -> None:
        """See Driver.delete_many. Folders of other machines keep what they have until it is evicted."""
        gone = list(keys)
        await self._driver.delete_many(gone)
        for key in gone:
            await self.drop(key)

    def list(self, prefix: str = "", after: str = "") -> AsyncIterator[Stat]:
        """See Driver.list."""
        return self._driver.list(prefix, after)

    async def begin(self, size: int | None = None, scope: str = "") -> Staging:
        """See Driver.begin."""
        return await self._driver.begin(size, scope)

    async def append(self, staging: Staging, data: AsyncIterable[bytes], digester: Hash | None = None) -> Staging:
        """See Driver.append."""
        return await self._driver.append(staging, data, digester)

    async def commit(self, staging: Staging, key: str) -> None:
        """See Driver.commit."""
        await self._driver.commit(staging, key)

    async def fork(self, staging: Staging) -> Staging:
        """See Driver.fork."""
        return await self._driver.fork(staging)

    async def abort(self, staging: Staging) -> None:
        """See Driver.abort."""
        await self._driver.abort(staging)

    def stale(self, before: float, scope: str = "") -> AsyncIterator[Staging]:
        """See Driver.stale."""
        return self._driver.stale(before, scope)

    async def url(self, key: str, seconds: int) -> str | None:
        """See Driver.url."""
        return await self._driver.url(key, seconds)

    async def path(self, key: str, size: int | None = None) -> str | None:
        """See Driver.path."""
        return await self._driver.path(key, size)

    async def check(self) -> None:
        """See Driver.check: of the store. A disk that fails makes reads slower and nothing else."""
        await self._driver.check()

    async def space(self) -> Space | None:
        """See Driver.space."""
        return await self._driver.space()

    async def close(self) -> None:
        """See Driver.close."""
        fills = list(self._fills.values())
        for fill in fills:
            fill.cancel()
        await asyncio.gather(*fills, return_exceptions=True)
        await self._threads.close()
        await self._driver.close()

    async def filled(self) -> None:
        """Wait until nothing is being fetched."""
        while self._fills:
            await asyncio.gather(*self._fills.values(), return_exceptions=True)

    async def piece(self, entry: Entry, start: int, stop: int) -> bytes:
        """Of an entry, on a thread."""
        return await self._threads.run(entry.read, start, stop)

    async def again(self, key: str, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """What a damaged copy should have held, from the store; the copy goes."""
        self.note("damaged", 0)
        await self.drop(key)
        try:
            return await self._driver.open(key, start, stop)
        except DriverError as error:
            raise Unavailable(f"the copy of {key} is damaged, and the store: {error}") from error

    async def drop(self, key: str) -> None:
        """Remove a copy."""
        with suppress(OSError):
            await self._threads.run(self._folder.drop, _name(key))

    async def _found(self, key: str) -> Entry | None:
        try:
            return await self._threads.run(self._folder.open, _name(key))
        except Damaged:
            self.note("damaged", 0)
            await self.drop(key)
        except OSError:
            self.note("failed", 0)
        return None

    def _heat(self, key: str) -> None:
        if key in self._fills or len(self._fills) >= FILLS + WAITING:
            return
        if key not in self._once:
            self._once[key] = None
            if len(self._once) > REMEMBERED:
                del self._once[next(iter(self._once))]
            return
        del self._once[key]
        task = self._fills[key] = asyncio.create_task(self._fill(key))
        task.add_done_callback(lambda _: self._fills.pop(key))

    async def _fill(self, key: str) -> None:
        draft: Draft | None = None
        try:
            async with self._room:
                size = (await self._driver.stat(key)).size
                draft = await self._threads.run(self._folder.reserve, _name(key), size)
                if draft is not None:
                    await self._fetch(key, draft)
                    self.note("filled", size)
        except (DriverError, OSError, Damaged):
            self.note("failed", 0)
        finally:
            if draft is not None:
                with suppress(OSError):
                    await self._threads.run(draft.discard)

    async def _fetch(self, key: str, draft: Draft) -> None:
        known = self._hash_of(key)
        assert known is not None
        digester, expected = known

        def write(piece: bytes) -> None:
            digester.update(piece)
            draft.write(piece)

        async with aclosing(await self._driver.open(key)) as body:
            async for piece in body:
                await self._threads.run(write, piece)
        if digester.hexdigest() != expected:
            raise Damaged
        await self._threads.run(draft.keep)


class _Reading(AsyncGenerator[bytes, None]):
    """Bytes [start, stop) of a copy, the rest of them from the store where it turns out to be damaged. A class and not
    a generator function: aclose of a generator that never started runs nothing, and the descriptor would stay open."""

    def __init__(self, cached: Cached, key: str, entry: Entry, start: int, stop: int) -> None:
        self._cached, self._key, self._entry = cached, key, entry
        self._at, self._stop = start, stop
        self._rest: AsyncGenerator[bytes, None] | None = None
        self._running = False
        cached.note("hit", max(0, stop - start))

    async def asend(self, value: None) -> bytes:
        """The next piece."""
        if self._rest is None and self._at < self._stop:
            self._running = True
            try:
                piece = await self._cached.piece(self._entry, self._at, self._stop)
            except (Damaged, OSError):
                self._entry.close()
                self._rest = await self._cached.again(self._key, self._at, self._stop)
            else:
                self._at += len(piece)
                return piece
            finally:
                self._running = False
        self._entry.close()
        if self._rest is None:
            raise StopAsyncIteration
        return await anext(self._rest)

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
        self._entry.close()
        self._at = self._stop
        if self._rest is not None:
            rest, self._rest = self._rest, None
            await rest.aclose()
        raise typ


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
