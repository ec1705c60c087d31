"""The memory driver: bytes in dictionaries, for tests and trials. Nothing survives the process."""

import time
from bisect import bisect_right
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Final
from uuid import uuid4

from .base import Hash, NotFound, Space, Staging, StagingLost, Stat, check_key, check_staging

PIECE: Final = 1024 * 1024


class MemoryDriver:
    """Bytes in this process; memory is its only limit."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[bytes, float]] = {}
        self._stagings: dict[str, tuple[bytearray, float]] = {}

    async def put(self, key: str, data: AsyncIterable[bytes], size: int | None = None) -> int:
        """See Driver.put."""
        check_key(key)
        content = b"".join([chunk async for chunk in data])
        self._keys[key] = content, time.time()
        return len(content)

    async def put_many(self, contents: Mapping[str, bytes]) -> None:
        """See Driver.put_many."""
        for key in contents:
            check_key(key)
        self._keys |= {key: (content, time.time()) for key, content in contents.items()}

    async def open(self, key: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """See Driver.open."""
        content, _ = self._find(key)
        return _pieces(content, start, len(content) if stop is None else min(stop, len(content)))

    async def stat(self, key: str) -> Stat:
        """See Driver.stat."""
        content, modified = self._find(key)
        return Stat(key, len(content), modified)

    async def delete(self, key: str) -> None:
        """See Driver.delete."""
        self._keys.pop(check_key(key), None)

    async def delete_many(self, keys: Iterable[str]) -> None:
        """See Driver.delete_many."""
        for key in [check_key(key) for key in keys]:
            self._keys.pop(key, None)

    async def list(self, prefix: str = "", after: str = "") -> AsyncIterator[Stat]:
        """See Driver.list."""
        keys = sorted(self._keys)
        for key in keys[bisect_right(keys, after) :]:
            if key.startswith(prefix) and key in self._keys:
                yield await self.stat(key)

    async def begin(self, size: int | None = None, scope: str = "") -> Staging:
        """See Driver.begin."""
        return Staging(check_staging(f"{scope}{uuid4().hex}"))

    async def append(self, staging: Staging, data: AsyncIterable[bytes], digester: Hash | None = None) -> Staging:
        """See Driver.append."""
        content = self._staged(staging)
        del content[staging.size :]
        self._stagings[staging.id] = content, time.time()
        async for chunk in data:
            content += chunk
            if digester is not None:
                digester.update(chunk)
        return Staging(staging.id, len(content), staging.state)

    async def commit(self, staging: Staging, key: str) -> None:
        """See Driver.commit."""
        if check_key(key) not in self._keys:
            self._keys[key] = bytes(self._staged(staging)[: staging.size]), time.time()

    async def fork(self, staging: Staging) -> Staging:
        """See Driver.fork."""
        scope = staging.id[: -len(uuid4().hex)]
        copied = Staging(f"{scope}{uuid4().hex}", staging.size, staging.state)
        self._stagings[copied.id] = self._staged(staging)[: staging.size], time.time()
        return copied

    async def read(self, staging: Staging) -> AsyncGenerator[bytes, None]:
        """See Driver.read."""
        return _pieces(bytes(self._staged(staging)), 0, staging.size)

    async def abort(self, staging: Staging) -> None:
        """See Driver.abort."""
        self._stagings.pop(check_staging(staging.id), None)

    async def stale(self, before: float, scope: str = "") -> AsyncIterator[Staging]:
        """See Driver.stale."""
        for name, (content, modified) in sorted(self._stagings.items()):
            if modified < before and name.startswith(scope):
                yield Staging(name, len(content))

    async def url(self, key: str, seconds: int) -> str | None:
        """None: memory has no address."""
        check_key(key)
        return None

    async def path(self, key: str, size: int | None = None) -> str | None:
        """None: memory has no files."""
        check_key(key)
        return None

    async def check(self) -> None:
        """Memory takes bytes, or the process ends."""

    async def space(self) -> Space | None:
        """As much as the process may have, which it does not know."""
        return None

    async def close(self) -> None:
        """Nothing to give back."""

    def _find(self, key: str) -> tuple[bytes, float]:
        try:
            return self._keys[check_key(key)]
        except KeyError:
            raise NotFound(f"nothing is at {key}") from None

    def _staged(self, staging: Staging) -> bytearray:
        content, _ = self._stagings.get(check_staging(staging.id), (bytearray(), 0.0))
        if len(content) < staging.size:
            raise StagingLost(f"staging {staging.id} holds {len(content)} bytes, {staging.size} were staged")
        return content


async def _pieces(content: bytes, start: int, stop: int) -> AsyncGenerator[bytes, None]:
    for offset in range(max(start, 0), stop, PIECE):
        yield content[offset : min(offset + PIECE, stop)]
