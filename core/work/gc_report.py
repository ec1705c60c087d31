"""What gc would do: counted by one question that changes nothing and holds nobody up."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from ..records.database import Database

PATIENCE: Final = 3600.0
"""Seconds that the question may take: it looks at all that is due, however much that is."""

# dead: artifacts that go for good, with policy the untagged too; free: links that then nobody holds; over: their blobs.
REPORT = """
WITH untagged AS MATERIALIZED (
  SELECT a.id FROM artifact a WHERE $1 AND a.deleted_at IS NULL AND a.charged AND a.keep_until <= now()
    AND a.push_time <= now() - $2::interval AND gc_is_untagged(a.id, now() - $2::interval)),
dead AS MATERIALIZED (
  SELECT id FROM artifact WHERE deleted_at IS NOT NULL AND keep_until <= now()
    AND held_by(project_id, repository_id, id) IS NULL
  UNION SELECT id FROM untagged),
asked AS MATERIALIZED (
  SELECT target AS id FROM gc_review WHERE kind = 'link' AND review_after <= now()
  UNION SELECT f.link_id FROM artifact_blob_ref f JOIN dead d ON d.id = f.artifact_id WHERE f.link_id IS NOT NULL),
free AS MATERIALIZED (
  SELECT l.id, l.blob_id FROM repository_blob l JOIN asked USING (id) WHERE (l.hidden OR l.keep_until <= now())
    AND NOT EXISTS (
      SELECT FROM artifact_blob_ref f WHERE f.link_id = l.id AND f.artifact_id NOT IN (SELECT id FROM dead))),
over AS MATERIALIZED (
  SELECT b.id, b.size FROM artifact_blob b WHERE b.state = 'live' AND b.keep_until <= now()
    AND b.id IN (
      SELECT blob_id FROM free UNION SELECT target FROM gc_review WHERE kind = 'blob' AND review_after <= now())
    AND NOT EXISTS (SELECT FROM repository_blob l WHERE l.blob_id = b.id AND l.id NOT IN (SELECT id FROM free))),
ended AS MATERIALIZED (
  SELECT b.id, b.size, b.keep_until <= now() AS due FROM artifact_blob b WHERE b.state = 'condemned')
SELECT (SELECT count(*) FROM untagged) AS untagged,
  (SELECT count(*) FROM dead) - (SELECT count(*) FROM untagged) AS artifacts,
  (SELECT coalesce(sum(octet_length(manifest)), 0) FROM artifact JOIN dead USING (id))::bigint AS manifest_bytes,
  (SELECT count(*) FROM free) AS links,
  (SELECT count(*) FROM over) AS blobs, (SELECT coalesce(sum(size), 0) FROM over)::bigint AS blob_bytes,
  (SELECT count(*) FROM ended WHERE due) AS free_blobs,
  (SELECT coalesce(sum(size), 0) FROM ended WHERE due)::bigint AS free_bytes,
  (SELECT count(*) FROM ended WHERE NOT due) AS waiting_blobs,
  (SELECT coalesce(sum(size), 0) FROM ended WHERE NOT due)::bigint AS waiting_bytes,
  (SELECT count(*) FROM gc_delete WHERE next_try < 'infinity') AS objects
"""
SETTINGS: Final = "SET LOCAL statement_timeout = 0; SET LOCAL plan_cache_mode = auto; SET LOCAL enable_seqscan = on"


@dataclass(frozen=True, slots=True)
class GcReport:
    """untagged: artifacts that the policy would delete; artifacts: deleted ones whose window is over; links: that they
    and the ends of leases leave free; blobs: that would be condemned with them, so freed a window later; free: whose
    window is over now; waiting: whose window is not; objects: already queued to be deleted. Bytes beside them."""

    untagged: int
    artifacts: int
    manifest_bytes: int
    links: int
    blobs: int
    blob_bytes: int
    free_blobs: int
    free_bytes: int
    waiting_blobs: int
    waiting_bytes: int
    objects: int

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{self.untagged} untagged artifacts would be deleted",
            f"{self.artifacts} deleted artifacts would go for good ({self.manifest_bytes} bytes of manifests)",
            f"{self.links} links would be dropped, and {self.blobs} blobs condemned ({self.blob_bytes} bytes)",
            f"{self.free_blobs} condemned blobs would be deleted now ({self.free_bytes} bytes)",
            f"{self.waiting_blobs} condemned blobs wait for the end of their undo window ({self.waiting_bytes} bytes)",
            f"{self.objects} objects wait for their deletion",
        ]


async def report(database: Database, delete_untagged: bool, window: timedelta) -> GcReport:
    """What a run would do now; untagged artifacts pushed within `window` stay."""
    async with database.transaction() as conn:
        await conn.execute(SETTINGS)
        row = await conn.fetchrow(REPORT, delete_untagged, window, timeout=PATIENCE)
    assert row is not None
    return GcReport(*row)
