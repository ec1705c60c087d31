"""Reading blobs: from memory, from their row while they ride inline, or streamed from the store."""

import hashlib
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..drivers.base import Driver, NotFound, Unavailable
from .cache import ByteCache
from .oci.digest import Digest, blob_key
from .oci.errors import BlobUnknown
from .records import blobs
from .records.database import Database
from .records.lookup import FoundBlob
from .storage_errors import storage_errors

log = logging.getLogger(__name__)

AT_ONCE = 256 * 1024
"""Bytes of a blob that is verified before its answer begins, so that a wrong one is a clean 404: the driver's first
piece holds them anyway."""


class TruncatedBlob(Exception):
    """The store gave fewer or other bytes than the record says: the connection must be cut, not ended."""


class BlobReading:
    """Bytes of blobs that a look-up found. What is found lost is marked, so that the next push heals it. With `verify`
    a whole blob is hashed on its way, and its last piece held back until the digest is seen to be right."""

    def __init__(self, database: Database, driver: Driver, cache: ByteCache, verify: bool = False) -> None:
        self._database = database
        self._driver = driver
        self._cache = cache
        self._verify = verify

    async def open(self, found: FoundBlob, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Bytes [start, stop) of a blob; BlobUnknown is raised here where they are lost."""
        content = await self.small(found)
        if content is not None:
            return _once(content[start:stop])
        end = found.size if stop is None else stop
        verify = self._verify and end - start == found.size
        if verify and found.size <= AT_ONCE:
            return _once(await self._whole(found))
        try:
            with storage_errors():
                body = await self._driver.open(_key(found), start, end)
        except NotFound:
            raise await self._lost(found) from None
        counted = self._counted(found, body, end - start)
        return self._verified(found, counted) if verify else counted

    async def path(self, found: FoundBlob) -> str | None:
        """The file that holds a blob, for an engine that sends files itself; None where there is none, or where the
        bytes must be seen on their way."""
        if found.inline or self._verify:
            return None
        try:
            with storage_errors():
                return await self._driver.path(_key(found), found.size)  # of another size: the stream sees to it
        except NotFound:
            raise await self._lost(found) from None

    async def url(self, found: FoundBlob, seconds: int) -> str | None:
        """A link to a blob in the store, good for so long; None where the store makes none, where its bytes are not
        there yet or in memory here, or must be seen on their way."""
        if found.inline or self._verify or self._cache.fits(found.size):
            return None
        with storage_errors():
            return await self._driver.url(_key(found), seconds)

    def known(self, digest: str) -> bytes | None:
        """Content that is in memory, for one whose right to it is asked elsewhere."""
        return self._cache.get(digest)

    def keep(self, digest: str, content: bytes) -> None:
        """Content that was just stored and whose digest was verified: it is often read next."""
        self._cache.put(digest, content)

    async def whole(self, found: FoundBlob) -> bytes:
        """All bytes of a blob that is known to be of a moderate size; BlobUnknown where they are lost."""
        content = await self.small(found)
        return await self._whole(found) if content is None else content

    async def small(self, found: FoundBlob) -> bytes | None:
        """A small blob whole; None where it is to be streamed."""
        content = self._cache.get(found.digest)
        if content is not None:
            return content
        if found.inline:
            content = await blobs.content(self._database, found.blob_id)  # None: the mover took them just now
        if content is None and self._cache.fits(found.size):
            content = await self._whole(found)
        if content is not None:
            self._cache.put(found.digest, content)
        return content

    async def _whole(self, found: FoundBlob) -> bytes:
        try:
            with storage_errors():
                async with aclosing(await self._driver.open(_key(found))) as body:
                    content = b"".join([piece async for piece in body])
        except NotFound:
            raise await self._lost(found) from None
        if Digest.of(content, Digest(found.digest).algorithm) != found.digest:
            raise await self._lost(found)
        return content

    async def _counted(
        self, found: FoundBlob, body: AsyncGenerator[bytes, None], expected: int
    ) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(body):
                async for piece in body:
                    expected -= len(piece)
                    yield piece
        except Unavailable as error:
            raise TruncatedBlob(f"{found.digest}: {error}") from error
        if expected:
            await self._lost(found)
            raise TruncatedBlob(f"{found.digest}: {expected} bytes are missing in the store")

    async def _verified(self, found: FoundBlob, body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        digest = Digest(found.digest)
        seen = hashlib.new(digest.algorithm, usedforsecurity=False)
        held = b""
        async with aclosing(body):
            async for piece in body:
                if held:
                    yield held
                held = piece
                seen.update(piece)
        if seen.hexdigest() != digest.hex:
            await self._lost(found)
            raise TruncatedBlob(f"{found.digest}: the store has other bytes than those")
        yield held

    async def _lost(self, found: FoundBlob) -> BlobUnknown:
        if await blobs.mark_missing(self._database, found.blob_id, found.generation):
            log.error("bytes of a live blob are lost; the next push of it heals it: %s", found.digest)
        return BlobUnknown("this repository has no such blob")


async def _once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content


def _key(found: FoundBlob) -> str:
    return found.key or blob_key(Digest(found.digest), found.generation)
