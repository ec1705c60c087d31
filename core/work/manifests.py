"""A copy of every manifest in the store, under its digest, so that records can be rebuilt (reliability.md 3.2.9)."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from dataforge_registry.drivers.base import Driver

from ..oci.digest import Digest, manifest_key
from ..records.database import Database
from ..records.events import Event
from .task import Task, Wanted

COPY: Final = "manifest.copy"
BATCH: Final = 100
"""Artifacts of one task: a task of its own for each push would cost more than the push."""

SELECT_MANIFEST = "SELECT digest, manifest FROM artifact WHERE id = $1"


def copies(events: Sequence[Event]) -> Iterable[Wanted]:
    """The route of `artifact.pushed`: one task for each BATCH of artifacts."""
    ids = sorted({event.artifact_id for event in events if event.artifact_id is not None})
    if ids:
        yield Wanted(COPY, [{"artifacts": ids[at : at + BATCH]} for at in range(0, len(ids), BATCH)], trigger="event")


class CopyManifests:
    """The handler: puts each manifest of its task at its key. Putting it again changes nothing."""

    def __init__(self, database: Database, driver: Driver) -> None:
        self._database = database
        self._driver = driver

    async def __call__(self, task: Task) -> None:
        """One at a time: nobody waits for these copies."""
        for artifact in task.payload["artifacts"]:
            async with self._database.acquire() as conn:
                row = await conn.fetchrow(SELECT_MANIFEST, artifact)
            if row is None:  # purged meanwhile
                continue
            digest, content = Digest(row["digest"]), row["manifest"]
            if Digest.of(content, digest.algorithm) != digest:
                await task.log(f"artifact {artifact}: its bytes are not those of {digest}; not copied", "error")
                continue
            await self._driver.put(manifest_key(digest), once(content), len(content))


async def once(content: bytes) -> AsyncIterator[bytes]:
    """Bytes as the stream that a driver takes."""
    yield content
