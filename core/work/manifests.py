"""A copy of every manifest in the store, under its digest, so that records can be rebuilt (reliability.md 3.2.9)."""

from collections.abc import Iterable, Sequence
from typing import Final

from asyncpg import Record

from dataforge_registry.drivers.base import Driver

from ..oci.digest import Digest, manifest_key
from ..records.database import Database
from ..records.events import Event
from .task import Task, Wanted

COPY: Final = "manifest.copy"
BATCH: Final = 100
"""Artifacts of one task: a task of its own for each push would cost more than the push."""

TOGETHER: Final = 4 << 20
"""Bytes of manifests that are read at once; the last of them may go beyond by its own length."""

SELECT_MANIFESTS = """
SELECT id, digest, manifest FROM (
  SELECT id, digest, manifest, sum(octet_length(manifest)) OVER (ORDER BY id) - octet_length(manifest) AS before
  FROM artifact WHERE id = ANY($1::bigint[]) AND id > $2
) AS counted WHERE before < $3 ORDER BY id
"""

HOT: Final = (SELECT_MANIFESTS,)


def copies(events: Sequence[Event]) -> Iterable[Wanted]:
    """The route of `artifact.pushed`: one task for each BATCH of artifacts."""
    ids = sorted({event.artifact_id for event in events if event.artifact_id is not None})
    if ids:
        yield copy_of(ids)


def copy_of(artifacts: Sequence[int]) -> Wanted:
    """The copies of artifacts."""
    parts = [artifacts[at : at + BATCH] for at in range(0, len(artifacts), BATCH)]
    return Wanted(COPY, [{"artifacts": list(part)} for part in parts], trigger="event")


class CopyManifests:
    """The handler: puts each manifest of its task at its key. Putting it again changes nothing."""

    def __init__(self, database: Database, driver: Driver) -> None:
        self._database = database
        self._driver = driver

    async def __call__(self, task: Task) -> None:
        """Artifacts purged meanwhile have no copy; a copy that failed fails the task, which is tried again."""
        last = 0
        while rows := await self._after(last, task.payload["artifacts"]):
            last = rows[-1]["id"]
            contents = {}
            for row in rows:
                digest, content = Digest(row["digest"]), row["manifest"]
                if Digest.of(content, digest.algorithm) == digest:
                    contents[manifest_key(digest)] = content
                else:
                    await task.log(f"artifact {row['id']}: its bytes are not those of {digest}; not copied", "error")
            await self._driver.put_many(contents)

    async def _after(self, last: int, artifacts: list[int]) -> list[Record]:
        async with self._database.acquire() as conn:
            return await conn.fetch(SELECT_MANIFESTS, artifacts, last, TOGETHER)
