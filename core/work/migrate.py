"""All blobs from one store to another while servers push to the first (docs/operations.md, "Moving between drivers").

A pass compares what the new store holds with what the rows promise and brings what is lacking: blobs from the old
store, hashed on their way, so that nothing wrong is ever at a key; small blobs and the copies of manifests from their
rows. So a run that was killed goes on where it was, and what counts is what is there. Passes follow each other until
there is nothing to do; the last ones, in read-only mode, end with a pass that lacked nothing, which is the check.
Until then gc goes on in the old store: what it took is taken from the new one in the last passes.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from dataforge_registry.drivers.base import Driver, NotFound, Stat

from ..body import once
from ..oci.digest import Digest, blob_key, manifest_key
from ..records import settings
from ..records.database import Database
from .fsck import SELECT_BLOBS
from .migrate_end import Uploads, end_uploads, quiet
from .migrate_sweep import Sweep
from .pairs import Objects, Pairs

MARK: Final = "migration.json"
"""An object that says which registry's blobs are being brought here: nothing of others is touched."""
SETTING: Final = "storage_target"
SMALL: Final = 64 << 10
BATCH: Final = 128
LARGE_AT_ONCE: Final = 4
SMALL_AT_ONCE: Final = 16
PASSES: Final = 20
"""More than ever needed: each takes as long as what came during the one before."""

SELECT_MANIFESTS = """
SELECT DISTINCT ON (digest) digest, id, octet_length(manifest) AS size FROM artifact
WHERE digest > $1 ORDER BY digest LIMIT $2
"""
MANIFEST = "SELECT manifest FROM artifact WHERE id = $1"
BLOB = """SELECT content, content IS NOT NULL AS inline FROM artifact_blob
WHERE id = $1 AND generation = $2 AND state IN ('live', 'condemned')"""


class MigrationError(Exception):
    """Why it cannot be done, in one line."""


class _Wrong(Exception):
    """The bytes on their way are not those of their digest."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """An object that the new store lacks, and the row that promises it: an artifact's, or a blob's of a generation."""

    key: str
    digest: Digest
    size: int
    id: int
    generation: int | None = None


@dataclass
class Pass:
    """What a pass did: objects it saw wanted, those copied (and their bytes), deleted there; key -> why not; whether it
    is at its end."""

    wanted: int = 0
    copied: int = 0
    size: int = 0
    deleted: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    ended: bool = False


class Migration:
    """`tell` hears of a pass each time that it went on."""

    def __init__(
        self, database: Database, source: Driver, target: Driver, tell: Callable[[Pass], None] = lambda _: None
    ) -> None:
        self._database = database
        self._source = source
        self._target = target
        self._tell = tell
        self._sweep = Sweep(database, target)
        self._large, self._reads = asyncio.Semaphore(LARGE_AT_ONCE), asyncio.Semaphore(SMALL_AT_ONCE)

    async def run(self) -> list[Pass]:
        """Passes until one finds nothing new, or no less than the one before: then it is what comes meanwhile."""
        await self._claim()
        done: list[Pass] = []
        while len(done) < PASSES:
            done.append(await self._pass(sweep=False))
            if not done[-1].copied or (len(done) > 1 and done[-1].copied >= done[-2].copied):
                break
        return done

    async def finish(self, drop_uploads: bool) -> list[Pass]:
        """In read-only mode, which the caller has set: wait for what is under way, see to unfinished uploads, and pass
        until nothing was lacking. MigrationError where uploads are in the way."""
        await self._claim()
        await quiet(self._database)
        found = await end_uploads(self._database, drop_uploads)
        if found != Uploads() and not drop_uploads:
            raise MigrationError(
                f"{found.count} unfinished uploads ({found.size} bytes) lie in the old store: let them come to their "
                f"end first (the last expires {found.until:%Y-%m-%d %H:%M} UTC), or give --drop-uploads, and whoever "
                "sends them has to begin again"
            )
        done: list[Pass] = []
        while len(done) < PASSES:
            done.append(await self._pass(sweep=True))
            if not done[-1].copied:
                return done
        raise MigrationError(
            f"after {PASSES} passes there were still new objects: does a server have another database?"
        )

    async def _claim(self) -> None:
        """The new store is empty, or we were here before."""
        async with self._database.transaction() as conn:
            ours = await settings.text(conn, SETTING)
            if ours is None:
                ours = str(uuid4())
                await settings.set_text(conn, SETTING, ours)
        await self._target.check()
        try:
            async with aclosing(await self._target.open(MARK)) as body:
                said = b"".join([piece async for piece in body])
        except NotFound:
            async for stat in self._target.list():
                raise MigrationError(
                    f"the new store is not empty ({stat.key}): give a folder, bucket or rootdirectory of its own"
                ) from None
            said = json.dumps({"registry": ours}).encode()
            await self._target.put(MARK, once(said), len(said))
        if said != json.dumps({"registry": ours}).encode():
            raise MigrationError("the new store holds blobs of another registry: give one of its own")

    async def _pass(self, sweep: bool) -> Pass:
        done = Pass()
        try:
            await self._copy(done, sweep)
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
        if sweep:
            done.deleted += await self._sweep.adopted(but=MARK)
        done.ended = True
        self._tell(done)
        return done

    async def _copy(self, done: Pass, sweep: bool) -> None:
        batch: list[Lacking] = []
        async with asyncio.TaskGroup() as group:
            async for lacking in self._lacking(done, sweep):
                if lacking.size > SMALL:
                    await self._large.acquire()
                    group.create_task(self._stream(lacking, done)).add_done_callback(lambda _: self._large.release())
                    continue
                batch.append(lacking)
                if len(batch) == BATCH:
                    await self._together(batch, done)
                    batch = []
            await self._together(batch, done)

    async def _lacking(self, done: Pass, sweep: bool) -> AsyncGenerator[Lacking, None]:
        for prefix, statement in (("blobs", SELECT_BLOBS), ("manifests", SELECT_MANIFESTS)):
            async with aclosing(Pairs(self._database, self._target).of(prefix, statement)) as pairs:
                async for found, row in pairs:
                    if isinstance(found, Stat):
                        continue
                    if sweep:
                        done.deleted += await (self._sweep.blob if prefix == "blobs" else self._sweep.copy)(found, row)
                    lacking = None if row is None else _promised(prefix, row)
                    if lacking is None:
                        continue
                    done.wanted += 1
                    if done.wanted % BATCH == 0:
                        self._tell(done)
                    if await self._size(found, row, lacking) != lacking.size:
                        yield lacking

    async def _size(self, found: Objects, row: Any, lacking: Lacking) -> int | None:
        """Of what is there."""
        if lacking.generation is None or row["key"] is None:
            stat = found.stats.get(lacking.generation or 0)
            return stat.size if stat else None
        try:
            return (await self._target.stat(lacking.key)).size
        except NotFound:
            return None

    async def _together(self, batch: Sequence[Lacking], done: Pass) -> None:
        """Small ones, read at once and put as one."""
        read = await asyncio.gather(*(self._small(lacking, done) for lacking in batch))
        contents = {lacking.key: content for lacking, content in zip(batch, read, strict=True) if content is not None}
        if contents:
            await self._target.put_many(contents)
            done.copied += len(contents)
            done.size += sum(map(len, contents.values()))
            self._tell(done)

    async def _small(self, lacking: Lacking, done: Pass) -> bytes | None:
        async with self._reads:
            try:
                return b"".join([piece async for piece in self._checked(lacking)])
            except (_Wrong, NotFound) as error:
                await self._failed(lacking, done, error)
                return None

    async def _stream(self, lacking: Lacking, done: Pass) -> None:
        try:
            async with aclosing(self._checked(lacking)) as body:
                await self._target.put(lacking.key, body, lacking.size)
        except (_Wrong, NotFound) as error:
            return await self._failed(lacking, done, error)
        done.copied += 1
        done.size += lacking.size
        self._tell(done)

    async def _checked(self, lacking: Lacking) -> AsyncGenerator[bytes, None]:
        """Its bytes; at their end _Wrong where they are others, so that a put of them is none."""
        seen, size = hashlib.new(lacking.digest.algorithm, usedforsecurity=False), 0
        content = await self._row(lacking)
        async with aclosing(_once(content) if content is not None else await self._source.open(lacking.key)) as body:
            async for piece in body:
                await asyncio.to_thread(seen.update, piece)
                size += len(piece)
                yield piece
        if seen.hexdigest() != lacking.digest.hex:
            raise _Wrong(f"{lacking.key}: {size} bytes that are not those of {lacking.digest}")

    async def _row(self, lacking: Lacking) -> bytes | None:
        """What the row has of its bytes."""
        async with self._database.acquire() as conn:
            if lacking.generation is None:
                content = await conn.fetchval(MANIFEST, lacking.id)
            else:
                content = await conn.fetchval(BLOB, lacking.id, lacking.generation)
        if content is None and lacking.generation is None:
            raise NotFound(f"{lacking.key}: its artifact is gone")
        return None if content is None else bytes(content)

    async def _failed(self, lacking: Lacking, done: Pass, error: Exception) -> None:
        """Of no account where no row means it any more: gc took it meanwhile."""
        async with self._database.acquire() as conn:
            if lacking.generation is None:
                still = await conn.fetchval(MANIFEST, lacking.id) is not None
            else:
                still = await conn.fetchrow(BLOB, lacking.id, lacking.generation) is not None
        if still:
            done.failed[lacking.key] = str(error)


def _promised(prefix: str, row: Any) -> Lacking | None:
    """The object that a row promises, None for a row that promises none."""
    digest = Digest(row["digest"])
    if prefix == "manifests":
        return Lacking(manifest_key(digest), digest, row["size"], row["id"])
    if row["state"] not in ("live", "condemned"):
        return None
    key = row["key"] or blob_key(digest, row["generation"])
    return Lacking(key, digest, row["size"], row["id"], row["generation"])


async def _once(content: bytes) -> AsyncGenerator[bytes, None]:
    yield content
