"""Store and records compared both ways, while everybody goes on pushing: the one place that lists the whole store.

Objects and rows come in the same order, that of their digests, so one pass meets each pair. What looks wrong is looked
at again by itself, since a row may have changed since its page was read; young objects are a push under way.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dataforge_registry.drivers.base import Driver, NotFound, Stat

from ..oci.digest import Digest, blob_key, manifest_key
from ..records.database import Database
from .fsck_rows import CHECKS, check
from .manifests import copy_of
from .pairs import Objects, Pairs, is_stray
from .queue import start
from .scrub import LOSE

SELECT_BLOBS = """
SELECT digest, id, state, generation, size, key, content IS NOT NULL AS inline FROM artifact_blob
WHERE digest > $1 ORDER BY digest LIMIT $2
"""
SELECT_BLOB = """
SELECT digest, id, state, generation, size, key, content IS NOT NULL AS inline FROM artifact_blob WHERE digest = $1
"""
SELECT_MANIFESTS = """
SELECT DISTINCT ON (digest) digest, id, octet_length(manifest) AS size,
  extract(epoch FROM clock_timestamp() - push_time)::float8 AS age
FROM artifact WHERE digest > $1 ORDER BY digest LIMIT $2
"""
SELECT_ARTIFACT = "SELECT id FROM artifact WHERE digest = $1 LIMIT 1"
QUEUED = "SELECT 1 FROM gc_delete WHERE digest = $1 AND generation = $2"
ADOPTED = "SELECT 1 FROM artifact_blob WHERE key = $1"
HAND_BACK = "SELECT blob_hand_back($1, $2)"
DROP_COPY = "INSERT INTO gc_delete (digest, generation) VALUES ($1, -1)"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be. mended: it is as it should be now, or will be without anybody's doing.
    Of a blob whose bytes are lost that means that nothing promises them any more: the next push of it heals it."""

    kind: str
    what: str
    mended: bool = False


class Fsck:
    """`run` yields what is wrong. `grace`: how old an object without a row must be (a lease, as a push takes no
    longer); `repair`: mend what can be."""

    def __init__(self, database: Database, driver: Driver, *, grace: timedelta, repair: bool = False) -> None:
        self._database = database
        self._driver = driver
        self._before = time.time() - grace.total_seconds()
        self._grace = grace.total_seconds()
        self._repair = repair
        self.pairs = Pairs(database, driver)

    async def run(self) -> AsyncIterator[Finding]:
        """Objects and blobs, copies and manifests, then rows among themselves."""
        for prefix, statement in (("blobs", SELECT_BLOBS), ("manifests", SELECT_MANIFESTS)):
            async for found, row in self.pairs.of(prefix, statement):
                if isinstance(found, Stat):
                    if await self._asked(ADOPTED, found.key) is None:
                        yield Finding("unknown object", f"{found.key} is no key of this registry; it is left alone")
                    continue
                judged = self._blob(found, row) if prefix == "blobs" else self._manifest(found, row)
                async for finding in judged:
                    yield finding
        for question in CHECKS:
            for what, mended in await check(self._database, question, self._repair):
                yield Finding(question.name, what, mended)

    async def _blob(self, found: Objects, row: Any) -> AsyncIterator[Finding]:
        if row is not None and _has_object(row) and not _as_said(row, found.stats.get(row["generation"])):
            lost = await self._lost(found.digest)
            if lost is not None:
                yield lost
        for generation, stat in found.stats.items():
            if stat.modified < self._before and is_stray(row, generation):
                stray = await self._stray(found.digest, generation)
                if stray is not None:
                    yield stray

    async def _lost(self, digest: str) -> Finding | None:
        row = await self._row(digest)
        if row is None or not _has_object(row):
            return None
        key = row["key"] or blob_key(Digest(digest), row["generation"])
        try:
            size = (await self._driver.stat(key)).size
        except NotFound:
            size = None
        again = await self._row(digest)
        if size == row["size"] or again != row:
            return None
        wrong = f"{key} has {size} bytes instead of {row['size']}" if size is not None else f"nothing is at {key}"
        mended = self._repair and await self._asked(LOSE, row["id"], row["generation"], False) is not None
        return Finding("lost blob", wrong, mended)

    async def _stray(self, digest: str, generation: int) -> Finding | None:
        if await self._asked(QUEUED, digest, generation) is not None or not is_stray(
            await self._row(digest), generation
        ):
            return None
        mended = self._repair and bool(await self._asked(HAND_BACK, digest, generation))
        return Finding("stray object", f"no row means {blob_key(Digest(digest), generation)}", mended)

    async def _manifest(self, found: Objects, row: Any) -> AsyncIterator[Finding]:
        key, stat = manifest_key(Digest(found.digest)), found.stats.get(0)
        if row is None:
            known = await self._asked(SELECT_ARTIFACT, found.digest) or await self._asked(QUEUED, found.digest, -1)
            if known is None and stat is not None and stat.modified < self._before:
                if self._repair:
                    await self._asked(DROP_COPY, found.digest)
                yield Finding("stray copy", f"no artifact means {key}", self._repair)
        elif (stat is None or stat.size != row["size"]) and row["age"] > self._grace:
            if self._repair:
                await self._database.run(lambda conn: start(conn, copy_of([row["id"]])))
            yield Finding("lacking copy", f"the manifest is not at {key}", self._repair)

    async def _row(self, digest: str) -> Any:
        async with self._database.acquire() as conn:
            return await conn.fetchrow(SELECT_BLOB, digest)

    async def _asked(self, statement: str, *args: Any) -> Any:
        async with self._database.acquire() as conn:
            return await conn.fetchval(statement, *args)


def _has_object(row: Any) -> bool:
    return row["state"] in ("live", "condemned") and not row["inline"]


def _as_said(row: Any, stat: Stat | None) -> bool:
    return row["key"] is None and stat is not None and stat.size == row["size"]
