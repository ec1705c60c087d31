"""The filesystem driver: a key is a file below the root, a staging a file in `uploads/`.

Durable before it is acknowledged: the bytes, then the name, then the names of new folders. Links are never followed.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Final
from uuid import uuid4

from . import files, many
from .base import STAGINGS, Hash, NotFound, Space, Staging, StagingLost, Stat, check_key, check_staging
from .reading import Readers, Reading
from .threads import Threads
from .tree import Tree
from .walk import walk
from .writing import Appending, Putting

THREADS: Final = 16
"""Threads for file calls. They mostly wait for fsync; waiting together lets the file system merge journal commits."""
DELETING: Final = 4
"""Threads that a call to delete many keys may take: an unlink mostly waits for the file system's journal."""
PART: Final = 50
"""Keys that are worth a thread of their own."""
BATCH: Final = 256
"""Keys listed per thread hop."""


class FilesystemDriver:
    """Files below root, which is made where it is missing. Unavailable where root cannot be used."""

    def __init__(self, root: str, threads: int = THREADS) -> None:
        self._tree = Tree(root)
        self._threads = Threads(threads)
        self._readers = Readers()
        self._sync_all = many.sync_all(self._tree.root)

    async def put(self, key: str, data: AsyncIterable[bytes], size: int | None = None) -> int:
        """See Driver.put. A body under 1 MiB costs one hop."""
        putting = Putting(self._tree, check_key(key), files.new_draft())
        try:
            await self._threads.feed(data, putting.step)
        except BaseException:
            await self._threads.run(putting.drop)
            raise
        return putting.size

    async def put_many(self, contents: Mapping[str, bytes]) -> None:
        """See Driver.put_many."""
        checked = {check_key(key): content for key, content in contents.items()}
        await self._threads.run(many.put_many, self._tree, checked, self._sync_all)

    async def open(self, key: str, start: int = 0, stop: int | None = None) -> Reading:
        """See Driver.open. Up to 256 KiB cost one hop."""
        return await self._reading(check_key(key), start, stop)

    async def stat(self, key: str) -> Stat:
        """See Driver.stat."""
        return await self._threads.run(files.file_stat, self._tree, check_key(key))

    async def delete(self, key: str) -> None:
        """See Driver.delete."""
        await self.delete_many([key])

    async def delete_many(self, keys: Iterable[str]) -> None:
        """See Driver.delete_many. Many keys go on several threads, each with one sync per folder or one for all."""
        checked = [check_key(key) for key in keys]
        parts = max(1, min(DELETING, len(checked) // PART))
        hops = [self._threads.run(files.delete, self._tree, checked[n::parts], self._sync_all) for n in range(parts)]
        for error in await asyncio.gather(*hops, return_exceptions=True):
            if error is not None:
                raise error

    async def list(self, prefix: str = "", after: str = "") -> AsyncIterator[Stat]:
        """See Driver.list. Reads one folder at a time."""
        found = walk(self._tree, prefix, after)
        while batch := await self._threads.run(files.batch, self._tree, found, BATCH):
            for status in batch:
                yield status

    async def begin(self, size: int | None = None, scope: str = "") -> Staging:
        """See Driver.begin."""
        staging = Staging(f"{scope}{uuid4().hex}")
        staging_key(staging)
        return staging

    async def append(self, staging: Staging, data: AsyncIterable[bytes], digester: Hash | None = None) -> Staging:
        """See Driver.append. A body under 1 MiB costs one hop."""
        appending = Appending(self._tree, staging_key(staging), staging, digester)
        try:
            await self._threads.feed(data, appending.step)
        except BaseException:
            await self._threads.run(appending.drop)
            raise
        return Staging(staging.id, appending.size, staging.state)

    async def commit(self, staging: Staging, key: str) -> None:
        """See Driver.commit. A hard link, so no byte is copied."""
        await self._threads.run(files.commit, self._tree, staging_key(staging), staging.size, check_key(key))

    async def fork(self, staging: Staging) -> Staging:
        """See Driver.fork."""
        scope = staging.id[: -len(uuid4().hex)]
        copied = Staging(f"{scope}{uuid4().hex}", staging.size, staging.state)
        if staging.size:
            await self._threads.run(files.fork, self._tree, staging_key(staging), staging.size, staging_key(copied))
        return copied

    async def read(self, staging: Staging) -> Reading:
        """See Driver.read."""
        try:
            reading = await self._reading(staging_key(staging), 0, staging.size)
        except NotFound:
            if staging.size:
                raise StagingLost(f"staging {staging.id} is gone ({staging.size} bytes were staged)") from None
            return Reading(self._readers, self._threads, self._tree, staging_key(staging), 0, 0)
        if reading.stop < staging.size:
            reading.close()
            raise StagingLost(f"staging {staging.id} holds {reading.stop} bytes, {staging.size} were staged")
        return reading

    async def abort(self, staging: Staging) -> None:
        """See Driver.abort."""
        await self._threads.run(files.abort, self._tree, staging_key(staging))

    async def stale(self, before: float, scope: str = "") -> AsyncIterator[Staging]:
        """See Driver.stale."""
        for entry in await self._threads.run(files.stagings, self._tree):
            if entry.modified < before and entry.name.startswith((scope, files.DRAFT)):
                yield Staging(entry.name, entry.size)

    async def url(self, key: str, seconds: int) -> str | None:
        """None: files have no address."""
        check_key(key)
        return None

    async def path(self, key: str, size: int | None = None) -> str | None:
        """See Driver.path."""
        found = await self.stat(key)
        return self._tree.path(key) if size in (None, found.size) else None

    async def check(self) -> None:
        """See Driver.check: writes a probe, links it as commit does, and removes both."""
        await self._threads.run(files.check, self._tree)

    async def space(self) -> Space | None:
        """See Driver.space: of the file system that holds root, free for this process."""
        return await self._threads.run(files.space, self._tree)

    async def close(self) -> None:
        """See Driver.close."""
        await self._threads.close()

    async def _reading(self, key: str, start: int, stop: int | None) -> Reading:
        reading = Reading(self._readers, self._threads, self._tree, key, start, stop)
        try:
            await self._threads.run(reading.start)
        except BaseException:
            reading.close()
            raise
        return reading


def staging_key(staging: Staging) -> str:
    """Where a staging's bytes are. InvalidKey where its id is not a plain name."""
    return f"{STAGINGS}/{check_staging(staging.id)}"
