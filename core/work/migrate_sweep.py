"""Objects that were copied to a new store, and that gc took from the old one meanwhile: they go there too."""

from typing import Any, Final

from dataforge_registry.drivers.base import Driver

from ..oci.digest import Digest, manifest_key
from ..records.database import Database
from .fsck import HAND_BACK, SELECT_ARTIFACT
from .pairs import Objects, is_stray

BATCH: Final = 500
ADOPTED = "SELECT key FROM artifact_blob WHERE key = ANY($1::text[]) AND state IN ('live', 'condemned')"


class Sweep:
    """Each method returns how many objects it deleted in the new store."""

    def __init__(self, database: Database, target: Driver) -> None:
        self._database = database
        self._target = target

    async def blob(self, found: Objects, row: Any) -> int:
        """Generations that the row of their digest does not mean. Handing them back makes sure that no push means
        their keys again."""
        deleted = 0
        for generation, stat in found.stats.items():
            if not is_stray(row, generation):
                continue
            async with self._database.acquire() as conn:
                if not await conn.fetchval(HAND_BACK, found.digest, generation):
                    continue
            await self._target.delete(stat.key)
            deleted += 1
        return deleted

    async def copy(self, found: Objects, row: Any) -> int:
        """The copy of a manifest whose last artifact is gone."""
        if row is not None:
            return 0
        async with self._database.acquire() as conn:
            if await conn.fetchval(SELECT_ARTIFACT, found.digest) is not None:
                return 0
        await self._target.delete(manifest_key(Digest(found.digest)))
        return 1

    async def adopted(self, but: str) -> int:
        """Objects at keys of adopted trees whose rows are gone."""
        deleted, keys = 0, list[str]()
        async for stat in self._target.list():
            if stat.key != but and not stat.key.startswith(("blobs/", "manifests/")):
                keys.append(stat.key)
                if len(keys) == BATCH:
                    deleted += await self._unmeant(keys)
                    keys = []
        return deleted + await self._unmeant(keys)

    async def _unmeant(self, keys: list[str]) -> int:
        async with self._database.acquire() as conn:
            meant = {row["key"] for row in await conn.fetch(ADOPTED, keys)}
        gone = [key for key in keys if key not in meant]
        await self._target.delete_many(gone)
        return len(gone)
