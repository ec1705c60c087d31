"""Objects that no row means any more are deleted here (reliability.md 3.2.4).

Take rows of gc_delete (each is a request of its own), delete their objects, remove *these* rows. A row is taken by
moving its next try into the future, not by a lock, so no transaction is open while the store works; a worker that dies
leaves its rows to be taken again. Deleting a blob late is harmless: a key is never used for a second generation. A
manifest's copy has one key for ever: it stays while an artifact has the digest, and one that came meanwhile is copied
again.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dataforge_registry.drivers.base import Driver, DriverError

from ..oci.digest import Digest, blob_key, manifest_key
from ..records.database import Connection, Database
from .manifests import copy_of
from .queue import start

log = logging.getLogger(__name__)

BATCH: Final = 500
COPY: Final = -1
"""The generation of a manifest's copy."""

TAKE = """
UPDATE gc_delete SET attempts = attempts + 1,
  next_try = clock_timestamp() + least(interval '1 minute' * 2 ^ least(attempts, 10), interval '6 hours')
WHERE id = ANY(ARRAY(
  SELECT id FROM gc_delete WHERE next_try <= (SELECT clock_timestamp())
  ORDER BY next_try LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING id, digest, generation, key
"""
REMOVE = "DELETE FROM gc_delete WHERE id = ANY($1::bigint[])"
WANTED = """
SELECT a.id, q.digest FROM unnest($1::text[]) AS q (digest)
CROSS JOIN LATERAL (SELECT id FROM artifact WHERE digest = q.digest ORDER BY id LIMIT 1) AS a
"""

HOT: Final = (TAKE, REMOVE, WANTED)


@dataclass(frozen=True, slots=True)
class Deletion:
    """One request to delete an object."""

    id: int
    digest: Digest
    generation: int
    adopted: str | None = None

    @property
    def key(self) -> str:
        """Where the object is."""
        if self.generation == COPY:
            return manifest_key(self.digest)
        return self.adopted or blob_key(self.digest, self.generation)


class Deletions:
    """The delete worker. `step` does a batch and returns how many objects it deleted; `tell` hears that number."""

    def __init__(
        self, database: Database, driver: Driver, *, batch: int = BATCH, tell: Callable[[int], None] = lambda _: None
    ) -> None:
        self._database = database
        self._driver = driver
        self._batch = batch
        self._tell = tell

    async def step(self) -> int:
        """DriverError where the store cannot delete now: the requests are tried again, ever later."""
        taken = await self.take()
        if not taken:
            return 0
        done = await self.delete(await self.unwanted(taken))
        await self.remove(done)
        self._tell(len(done))
        return len(done)

    async def take(self) -> list[Deletion]:
        """Requests whose time has come; nobody else takes them for a minute."""

        async def due(conn: Connection) -> list[Deletion]:
            return [
                Deletion(row["id"], Digest(row["digest"]), row["generation"], row["key"])
                for row in await conn.fetch(TAKE, self._batch)
            ]

        return await self._database.run(due)

    async def unwanted(self, taken: Sequence[Deletion]) -> list[Deletion]:
        """Without the copies of manifests that are here; requests for those are done with."""
        wanted = await self._database.run(lambda conn: _wanted(conn, taken))
        kept = [deletion for deletion in taken if deletion.generation == COPY and deletion.digest in wanted]
        await self.remove(kept)
        return [deletion for deletion in taken if deletion not in kept]

    async def delete(self, taken: Sequence[Deletion]) -> list[Deletion]:
        """Delete their objects; returns those that are gone now. DriverError if none is."""
        try:
            await self._driver.delete_many([deletion.key for deletion in taken])
        except DriverError:
            return await self._one_by_one(taken)
        return list(taken)

    async def _one_by_one(self, taken: Sequence[Deletion]) -> list[Deletion]:
        """A batch failed: an object that cannot be deleted must not keep the others."""
        done, refused = [], []
        for deletion in taken:
            try:
                await self._driver.delete(deletion.key)
                done.append(deletion)
            except DriverError as error:
                refused.append(error)
        if refused:
            log.warning("%d of %d objects could not be deleted: %s", len(refused), len(taken), refused[0])
        if refused and not done:
            raise refused[0]
        return done

    async def remove(self, done: Sequence[Deletion]) -> None:
        """The objects are gone: so are the requests. Manifests pushed meanwhile are copied once more."""

        async def removed(conn: Connection) -> None:
            if again := await _wanted(conn, done):
                await start(conn, copy_of(sorted(again.values())))
            await conn.execute(REMOVE, [deletion.id for deletion in done])

        if done:
            await self._database.run(removed)


async def _wanted(conn: Connection, deletions: Sequence[Deletion]) -> dict[str, int]:
    """An artifact for each manifest among them that is here."""
    copies = sorted({deletion.digest for deletion in deletions if deletion.generation == COPY})
    return {row["digest"]: row["id"] for row in await conn.fetch(WANTED, copies)} if copies else {}
