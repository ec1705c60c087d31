"""A copy of every manifest in the store, under its digest, so that records can be rebuilt (reliability.md 3.2.9)."""

import asyncio
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

TOGETHER: Final = 8
"""Manifests in memory, and on their way to the store, at once."""

SELECT_MANIFESTS = "SELECT id, digest, manifest FROM artifact WHERE id = ANY($1::bigint[])"

HOT: Final = (SELECT_MANIFESTS,)


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
        """Artifacts purged meanwhile have no copy; a copy that failed fails the task, which is tried again."""
        artifacts = task.payload["artifacts"]
        for at in range(0, len(artifacts), TOGETHER):
            async with self._database.acquire() as conn:
                rows = await conn.fetch(SELECT_MANIFESTS, artifacts[at : at + TOGETHER])
            async with asyncio.TaskGroup() as group:
                for row in rows:
                    group.create_task(self._copy(task, row["id"], Digest(row["digest"]), row["manifest"]))

    async def _copy(self, task: Task, artifact: int, digest: Digest, content: bytes) -> None:
        if Digest.of(content, digest.algorithm) == digest:
            await self._driver.put(manifest_key(digest), once(content), len(content))
        else:
            await task.log(f"artifact {artifact}: its bytes are not those of {digest}; not copied", "error")


async def once(content: bytes) -> AsyncIterator[bytes]:
    """Bytes as the stream that a driver takes."""
    yield content
