"""Every blob read again and hashed, at a bounded rate, so that rot is found before anybody needs the bytes.

What is wrong twice makes its row `missing`: absent for everybody, its object out of use, healed by the next push,
which has the old object deleted (schema.sql, blob_take). What cannot be read now is only told: a store that is away
is no rot.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Literal

from asyncpg import Record

from dataforge_registry.drivers.base import Driver, DriverError, NotFound

from ..oci.digest import Digest, blob_key
from ..records.database import Database
from .task import Task

SCRUB: Final = "blobs.scrub"
HOURLY: Final = "0 30 * * * *"
PAGE: Final = 100
HOUR: Final = 3600.0
MARGIN: Final = 0.8
"""Of the time for a round: what is left makes up for hours in which no worker ran."""

SELECT_BLOBS = """
SELECT id, digest, size, generation, key, content FROM artifact_blob
WHERE id > $1 AND id <= $2 AND state IN ('live', 'condemned') ORDER BY id LIMIT $3
"""
SAME = """
SELECT 1 FROM artifact_blob WHERE id = $1 AND generation = $2 AND state IN ('live', 'condemned')
  AND (content IS NOT NULL) = $3
"""
LOSE = """
UPDATE artifact_blob SET state = 'missing', content = NULL, keep_until = clock_timestamp()
WHERE id = $1 AND generation = $2 AND state IN ('live', 'condemned') AND (content IS NOT NULL) = $3 RETURNING id
"""
LAST = "SELECT coalesce(max(id), 0) FROM artifact_blob"
WHERE = "SELECT coalesce((payload ->> 'after')::bigint, 0) FROM schedule WHERE kind = $1 AND policy_id IS NULL"
MOVE = """
UPDATE schedule SET payload = payload || $3 WHERE kind = $1 AND policy_id IS NULL
  AND coalesce((payload ->> 'after')::bigint, 0) = $2 RETURNING id
"""

HOT: Final = (SELECT_BLOBS, SAME, LOSE, LAST, WHERE, MOVE)

Verdict = Literal["good", "rotten", "lost", "unreadable", "moved"]


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """A blob that was read: rotten and lost ones are `missing` now; moved: its row changed meanwhile."""

    id: int
    digest: str
    size: int
    verdict: Verdict
    reason: str = ""


class Scrub:
    """Reads blobs by their ids; `rate` is the most bytes a second, None for no bound."""

    def __init__(self, database: Database, driver: Driver, rate: float | None = None) -> None:
        self._database = database
        self._driver = driver
        self._rate = rate

    async def last(self) -> int:
        """The id of the newest blob."""
        async with self._database.acquire() as conn:
            return int(await conn.fetchval(LAST))

    async def run(self, after: int, until: int) -> AsyncIterator[Scrubbed]:
        """The blobs after an id, up to another."""
        began, read = time.monotonic(), 0
        while True:
            async with self._database.acquire() as conn:
                rows = await conn.fetch(SELECT_BLOBS, after, until, PAGE)
            if not rows:
                return
            for row in rows:
                after = row["id"]
                yield await self._scrub(row)
                read += row["size"]
                if self._rate is not None:
                    await asyncio.sleep(max(0.0, read / self._rate - (time.monotonic() - began)))

    async def _scrub(self, row: Record) -> Scrubbed:
        inline = row["content"] is not None
        verdict, reason = await self._read(row)
        if verdict in ("rotten", "lost") and await self._is(SAME, row, inline):
            verdict, reason = await self._read(row)  # once more: a fault on the way is no rot
        if verdict in ("rotten", "lost") and not await self._is(LOSE, row, inline):
            verdict = "moved"
        return Scrubbed(row["id"], row["digest"], row["size"], verdict, reason)

    async def _is(self, statement: str, row: Record, inline: bool) -> bool:
        async with self._database.acquire() as conn:
            return await conn.fetchval(statement, row["id"], row["generation"], inline) is not None

    async def _read(self, row: Record) -> tuple[Verdict, str]:
        digest = Digest(row["digest"])
        seen = hashlib.new(digest.algorithm, usedforsecurity=False)
        if row["content"] is not None:
            seen.update(row["content"])
        else:
            try:
                opened = await self._driver.open(row["key"] or blob_key(digest, row["generation"]))
                async with aclosing(opened) as body:
                    async for piece in body:
                        await asyncio.to_thread(seen.update, piece)
            except NotFound as error:
                return "lost", str(error)
            except DriverError as error:
                return "unreadable", str(error)
        return ("good", "") if seen.hexdigest() == digest.hex else ("rotten", "its bytes are not those of its digest")


class ScrubSlice:
    """The handler of SCRUB: each hour as many ids as a round of `every` seconds needs. Where it is stands in its
    schedule's payload; of two that are at the same place one goes on."""

    def __init__(self, database: Database, scrub: Scrub, every: float) -> None:
        self._database = database
        self._scrub = scrub
        self._every = every

    async def __call__(self, task: Task) -> None:
        """Unreadable blobs are logged and passed over: the next round reads them again."""
        last = await self._scrub.last()
        async with self._database.acquire() as conn:
            at = int(await conn.fetchval(WHERE, SCRUB) or 0)
        until = min(last, at + int(last / max(1.0, self._every * MARGIN / HOUR)) + 1)
        count = 0
        async for blob in self._scrub.run(at, until):
            count += 1
            if blob.verdict != "good":
                await task.log(f"{blob.digest}: {blob.verdict}: {blob.reason}", "error")
            if count % PAGE == 0:
                if not await self._moved(at, blob.id):
                    return
                at = blob.id
        await self._moved(at, 0 if until == last else until)
        await task.log(f"{count} blobs read")

    async def _moved(self, old: int, new: int) -> bool:
        async with self._database.acquire() as conn:
            return await conn.fetchval(MOVE, SCRUB, old, json.dumps({"after": new})) is not None
