"""Drivers around a driver: Prefix (one store, many registries) and Faulty (fails on command, for tests)."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import NamedTuple, TypeVar
from urllib.parse import quote

from .base import Driver, Hash, Space, Staging, Stat, check_key

T = TypeVar("T")


class Prefix:
    """The keys of driver below prefix (`registries/north`), and none of its others.

    The stagings it lists are its own too: the sweeper of one registry never meets another's uploads.
    """

    def __init__(self, driver: Driver, prefix: str) -> None:
        self._driver = driver
        self._prefix = check_key(prefix.strip("/")) + "/"
        # quote leaves no comma and no slash, so no scope is the beginning of another.
        self._scope = quote(self._prefix[:-1], safe="") + ","
        check_key(f"{self._scope}{'0' * 64}")  # the longest id must still be one segment

    def _key(self, key: str) -> str:
        return check_key(self._prefix + check_key(key))

    async def put(self, key: str, data: AsyncIterable[bytes], size: int | None = None) -> int:
        """See Driver.put."""
        return await self._driver.put(self._key(key), data, size)

    async def put_many(self, contents: Mapping[str, bytes]) -> None:
        """See Driver.put_many."""
        await self._driver.put_many({self._key(key): content for key, content in contents.items()})

    async def open(self, key: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """See Driver.open."""
        return await self._driver.open(self._key(key), start, stop)

    async def stat(self, key: str) -> Stat:
        """See Driver.stat."""
        return self._outer(await self._driver.stat(self._key(key)))

    async def delete(self, key: str) -> None:
        """See Driver.delete."""
        await self._driver.delete(self._key(key))

    async def delete_many(self, keys: Iterable[str]) -> None:
        """See Driver.delete_many."""
        await self._driver.delete_many([self._key(key) for key in keys])

    async def list(self, prefix: str = "", after: str = "") -> AsyncIterator[Stat]:
        """See Driver.list."""
        async for stat in self._driver.list(self._prefix + prefix, self._prefix + after):
            yield self._outer(stat)

    async def begin(self, size: int | None = None, scope: str = "") -> Staging:
        """See Driver.begin."""
        return await self._driver.begin(size, self._scope + scope)

    async def append(self, staging: Staging, data: AsyncIterable[bytes], digester: Hash | None = None) -> Staging:
        """See Driver.append."""
        return await self._driver.append(staging, data, digester)

    async def commit(self, staging: Staging, key: str) -> None:
        """See Driver.commit."""
        await self._driver.commit(staging, self._key(key))

    async def fork(self, staging: Staging) -> Staging:
        """See Driver.fork."""
        return await self._driver.fork(staging)

    async def read(self, staging: Staging) -> AsyncGenerator[bytes, None]:
        """See Driver.read."""
        return await self._driver.read(staging)

    async def abort(self, staging: Staging) -> None:
        """See Driver.abort."""
        await self._driver.abort(staging)

    def stale(self, before: float, scope: str = "") -> AsyncIterator[Staging]:
        """See Driver.stale."""
        return self._driver.stale(before, self._scope + scope)

    async def url(self, key: str, seconds: int) -> str | None:
        """See Driver.url."""
        return await self._driver.url(self._key(key), seconds)

    async def path(self, key: str, size: int | None = None) -> str | None:
        """See Driver.path."""
        return await self._driver.path(self._key(key), size)

    async def check(self) -> None:
        """See Driver.check."""
        await self._driver.check()

    async def space(self) -> Space | None:
        """See Driver.space."""
        return await self._driver.space()

    async def close(self) -> None:
        """See Driver.close."""
        await self._driver.close()

    def _outer(self, stat: Stat) -> Stat:
        return Stat(stat.key.removeprefix(self._prefix), stat.size, stat.modified)


class _Fault(NamedTuple):
    error: Exception
    after: bool


class Faulty:
    """A driver that works until told to fail. `calls` counts the calls of each method by its name."""

    def __init__(self, driver: Driver) -> None:
        self.calls: Counter[str] = Counter()
        self._driver = driver
        self._faults: dict[tuple[str, int], _Fault] = {}
        self._cut: tuple[int, Exception] | None = None

    def fail(self, method: str, error: Exception, nth: int = 1, *, after: bool = False) -> None:
        """The nth call of method from now on raises error: before anything is done, or after all of it is."""
        self._faults[method, self.calls[method] + nth] = _Fault(error, after)

    def cut(self, size: int, error: Exception) -> None:
        """The next append or put gets size bytes of its data, then error in place of the rest."""
        self._cut = size, error

    async def put(self, key: str, data: AsyncIterable[bytes], size: int | None = None) -> int:
        """See Driver.put."""
        return await self._call("put", lambda: self._driver.put(key, self._maybe_cut(data), size))

    async def put_many(self, contents: Mapping[str, bytes]) -> None:
        """See Driver.put_many."""
        await self._call("put_many", lambda: self._driver.put_many(contents))

    async def open(self, key: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """See Driver.open."""
        return await self._call("open", lambda: self._driver.open(key, start, stop))

    async def stat(self, key: str) -> Stat:
        """See Driver.stat."""
        return await self._call("stat", lambda: self._driver.stat(key))

    async def delete(self, key: str) -> None:
        """See Driver.delete."""
        await self._call("delete", lambda: self._driver.delete(key))

    async def delete_many(self, keys: Iterable[str]) -> None:
        """See Driver.delete_many."""
        await self._call("delete_many", lambda: self._driver.delete_many(keys))

    async def list(self, prefix: str = "", after: str = "") -> AsyncIterator[Stat]:
        """See Driver.list."""
        fault = self._count("list")
        async for stat in self._driver.list(prefix, after):
            yield stat
        if fault:
            raise fault.error

    async def begin(self, size: int | None = None, scope: str = "") -> Staging:
        """See Driver.begin."""
        return await self._call("begin", lambda: self._driver.begin(size, scope))

    async def append(self, staging: Staging, data: AsyncIterable[bytes], digester: Hash | None = None) -> Staging:
        """See Driver.append."""
        return await self._call("append", lambda: self._driver.append(staging, self._maybe_cut(data), digester))

    async def commit(self, staging: Staging, key: str) -> None:
        """See Driver.commit."""
        await self._call("commit", lambda: self._driver.commit(staging, key))

    async def fork(self, staging: Staging) -> Staging:
        """See Driver.fork."""
        return await self._call("fork", lambda: self._driver.fork(staging))

    async def read(self, staging: Staging) -> AsyncGenerator[bytes, None]:
        """See Driver.read."""
        return await self._call("read", lambda: self._driver.read(staging))

    async def abort(self, staging: Staging) -> None:
        """See Driver.abort."""
        await self._call("abort", lambda: self._driver.abort(staging))

    async def stale(self, before: float, scope: str = "") -> AsyncIterator[Staging]:
        """See Driver.stale."""
        fault = self._count("stale")
        async for staging in self._driver.stale(before, scope):
            yield staging
        if fault:
            raise fault.error

    async def url(self, key: str, seconds: int) -> str | None:
        """See Driver.url."""
        return await self._call("url", lambda: self._driver.url(key, seconds))

    async def path(self, key: str, size: int | None = None) -> str | None:
        """See Driver.path."""
        return await self._call("path", lambda: self._driver.path(key, size))

    async def check(self) -> None:
        """See Driver.check."""
        await self._call("check", self._driver.check)

    async def space(self) -> Space | None:
        """See Driver.space."""
        return await self._call("space", self._driver.space)

    async def close(self) -> None:
        """See Driver.close."""
        await self._call("close", self._driver.close)

    def _count(self, method: str) -> _Fault | None:
        """The fault of this call if it comes after the work; one that comes before is raised."""
        self.calls[method] += 1
        fault = self._faults.pop((method, self.calls[method]), None)
        if fault and not fault.after:
            raise fault.error
        return fault

    async def _call(self, method: str, call: Callable[[], Awaitable[T]]) -> T:
        fault = self._count(method)
        result = await call()
        if fault is None:
            return result
        if isinstance(result, AsyncGenerator):
            await result.aclose()
        raise fault.error

    def _maybe_cut(self, data: AsyncIterable[bytes]) -> AsyncIterable[bytes]:
        if self._cut is None:
            return data
        (size, error), self._cut = self._cut, None
        return _cut(data, size, error)


async def _cut(data: AsyncIterable[bytes], size: int, error: Exception) -> AsyncIterator[bytes]:
    async for chunk in data:
        yield chunk[:size]
        size -= len(chunk)
        if size <= 0:
            break
    raise error
