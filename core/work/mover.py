"""The mover: small blobs ride in their row until it has brought them to the store (reliability.md 3.2.12).

Read, put, clear: no transaction is open while bytes travel. Any number of movers may meet over one blob, since putting
the same bytes at the same key twice changes nothing; each looks at a random part of what waits, so they seldom do.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dataforge_registry.drivers.base import Driver, DriverError

from ..body import once
from ..oci.digest import Digest, blob_key
from ..records.database import Connection, Database

log = logging.getLogger(__name__)

BATCH: Final = 128
WINDOW: Final = 4 * BATCH
PUTS: Final = 8
"""Objects under way at once, where a batch failed: each waits for its disk or network, not for us."""

WAITING = """
SELECT id FROM artifact_blob WHERE content IS NOT NULL AND state IN ('live', 'condemned') AND id <> ALL($1::bigint[])
ORDER BY id LIMIT $2
"""
READ = """
SELECT id, digest, generation, key, content FROM artifact_blob
WHERE id = ANY($1::bigint[]) AND content IS NOT NULL AND state IN ('live', 'condemned')
"""
# Lock in one statement, decide in the next, which sees what the lock was waited for.
LOCK = "SELECT id FROM artifact_blob WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE"
CLEAR = """
UPDATE artifact_blob b SET content = NULL FROM unnest($1::bigint[], $2::int[]) AS m (id, generation)
WHERE b.id = m.id AND b.generation = m.generation AND b.state IN ('live', 'condemned') RETURNING b.id
"""
HAND_BACK = "SELECT blob_hand_back($1, $2)"

HOT: Final = (WAITING, READ, LOCK, CLEAR)


@dataclass(frozen=True, slots=True)
class Inline:
    """A blob whose bytes are in its row, as the row was when it was read."""

    id: int
    digest: Digest
    generation: int
    key: str
    content: bytes


class Mover:
    """Moves inline blobs. `step` moves a batch and returns how many it moved."""

    def __init__(self, database: Database, driver: Driver) -> None:
        self._database = database
        self._driver = driver
        self._bad: set[int] = set()

    async def step(self) -> int:
        """Read a batch, put it, clear it. What cannot be put stays and is tried again; DriverError if nothing could."""
        blobs = await self.read()
        stored = await self.put(blobs)
        return await self.clear(stored)

    async def read(self) -> list[Inline]:
        """Some of the blobs that wait. One whose bytes are not those of its digest is never stored: it is logged."""
        async with self._database.acquire() as conn:
            waiting = [row["id"] for row in await conn.fetch(WAITING, list(self._bad), WINDOW)]
            chosen = random.sample(waiting, min(BATCH, len(waiting)))
            rows = await conn.fetch(READ, chosen) if chosen else []
        blobs = []
        for row in rows:
            digest, content = Digest(row["digest"]), row["content"]
            if Digest.of(content, digest.algorithm) != digest:
                log.error("blob %d: the bytes in its row are not those of %s; it is not moved", row["id"], digest)
                self._bad.add(row["id"])
                continue
            key = row["key"] or blob_key(digest, row["generation"])
            blobs.append(Inline(row["id"], digest, row["generation"], key, content))
        return blobs

    async def put(self, blobs: Sequence[Inline]) -> list[Inline]:
        """Bring blobs to their keys; returns those that are there."""
        if not blobs:
            return []
        try:
            await self._driver.put_many({blob.key: blob.content for blob in blobs})
        except DriverError:
            return await self._put_apart(blobs)
        return list(blobs)

    async def _put_apart(self, blobs: Sequence[Inline]) -> list[Inline]:
        """One that the store does not take leaves the others be."""
        room = asyncio.Semaphore(PUTS)

        async def one(blob: Inline) -> DriverError | None:
            async with room:
                try:
                    await self._driver.put(blob.key, once(blob.content), len(blob.content))
                except DriverError as error:
                    return error
            return None

        answers = await asyncio.gather(*(one(blob) for blob in blobs))
        stored = [blob for blob, error in zip(blobs, answers, strict=True) if error is None]
        failed = [error for error in answers if error is not None]
        if failed and not stored:
            raise failed[0]
        if failed:
            log.warning("%d of %d small blobs could not be moved to the store: %s", len(failed), len(blobs), failed[0])
        return stored

    async def clear(self, blobs: Sequence[Inline]) -> int:
        """Take the bytes out of the rows, guarded by generation and state; hand back the keys of rows that moved on."""
        if not blobs:
            return 0
        ids, generations = [blob.id for blob in blobs], [blob.generation for blob in blobs]

        async def guarded(conn: Connection) -> set[int]:
            await conn.execute(LOCK, ids)
            return {row["id"] for row in await conn.fetch(CLEAR, ids, generations)}

        cleared = await self._database.run(guarded)
        for blob in blobs:
            if blob.id not in cleared:
                async with self._database.acquire() as conn:
                    await conn.execute(HAND_BACK, blob.digest, blob.generation)
        return len(cleared)
