"""Objects that no row means any more are deleted here (reliability.md 3.2.4).

Take rows of gc_delete (each is a request of its own), delete their objects, remove *these* rows. A row is taken by
moving its next try into the future, not by a lock, so no transaction is open while the store works; a worker that dies
leaves its rows to be taken again. Deleting late is harmless: a key is never used for a second generation.
"""

import logging
from dataclasses import dataclass
from typing import Final

from dataforge_registry.drivers.base import Driver, DriverError

from ..oci.digest import Digest, blob_key
from ..records.database import Connection, Database

log = logging.getLogger(__name__)

BATCH: Final = 100

TAKE = """
UPDATE gc_delete SET attempts = attempts + 1,
  next_try = clock_timestamp() + least(interval '1 minute' * 2 ^ least(attempts, 10), interval '6 hours')
WHERE id = ANY(ARRAY(
  SELECT id FROM gc_delete WHERE next_try <= (SELECT clock_timestamp())
  ORDER BY next_try LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING id, digest, generation, key
"""
REMOVE = "DELETE FROM gc_delete WHERE id = ANY($1::bigint[])"

HOT: Final = (TAKE, REMOVE)


@dataclass(frozen=True, slots=True)
class Deletion:
    """One request to delete an object."""

    id: int
    key: str


class Deletions:
    """The delete worker. `step` does a batch and returns how many objects it deleted."""

    def __init__(self, database: Database, driver: Driver) -> None:
        self._database = database
        self._driver = driver

    async def step(self) -> int:
        """DriverError where the store cannot delete now: the requests are tried again, ever later."""
        taken = await self.take()
        if not taken:
            return 0
        try:
            await self._driver.delete_many([deletion.key for deletion in taken])
        except DriverError:
            return await self._one_by_one(taken)
        await self.remove(taken)
        return len(taken)

    async def _one_by_one(self, taken: list[Deletion]) -> int:
        """A batch failed: an object that cannot be deleted must not keep the others."""
        done, refused = [], []
        for deletion in taken:
            try:
                await self._driver.delete(deletion.key)
                done.append(deletion)
            except DriverError as error:
                refused.append(error)
        await self.remove(done)
        if refused:
            log.warning("%d of %d objects could not be deleted: %s", len(refused), len(taken), refused[0])
        if refused and not done:
            raise refused[0]
        return len(done)

    async def take(self) -> list[Deletion]:
        """Requests whose time has come; nobody else takes them for a minute."""

        async def due(conn: Connection) -> list[Deletion]:
            return [
                Deletion(row["id"], row["key"] or blob_key(Digest(row["digest"]), row["generation"]))
                for row in await conn.fetch(TAKE, BATCH)
            ]

        return await self._database.run(due)

    async def remove(self, done: list[Deletion]) -> None:
        """The objects are gone: so are the requests."""
        async with self._database.acquire() as conn:
            await conn.execute(REMOVE, [deletion.id for deletion in done])
