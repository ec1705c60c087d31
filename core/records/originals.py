"""Files as received whose curves are all still here: who has one of them need not read it again."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..curves.artifact.well import CURVES, ORIGINAL, READING, WELLS
from ..oci import media
from ..oci.digest import Digest
from ..oci.errors import QueryInvalid
from .calls import fetch
from .database import Database

MOST: Final = 1000
"""Files of one call."""

# A curve is here while any version of it is: one that was edited since is, one that was deleted is not. Of a file in
# more than 20 wells some are told of: who counts them reads it again.
SELECT_WHOLE: Final = f"""
SELECT q.digest, r.name AS repository, a.annotations ->> '{READING}' AS reading,
  coalesce(a.annotations ->> '{WELLS}', '1') AS wells, p.paths, h.samples
FROM unnest($2::text[]) AS q(digest)
CROSS JOIN LATERAL (SELECT id FROM artifact_blob WHERE digest = q.digest AND state = 'live' OFFSET 0) AS b
CROSS JOIN LATERAL (SELECT repository_id FROM repository_blob WHERE blob_id = b.id AND project_id = $1 LIMIT 20) AS l
CROSS JOIN LATERAL (SELECT artifact_id FROM tag
  WHERE repository_id = l.repository_id AND name = '{ORIGINAL}' || substr(q.digest, 8, 12) OFFSET 0) AS t
CROSS JOIN LATERAL (SELECT annotations FROM artifact
  WHERE id = t.artifact_id AND deleted_at IS NULL AND artifact_type = '{media.ORIGINAL}' OFFSET 0) AS a
CROSS JOIN LATERAL (SELECT name FROM repository WHERE repository_id = l.repository_id OFFSET 0) AS r
CROSS JOIN LATERAL (SELECT string_to_array(a.annotations ->> '{CURVES}', ' ') AS paths OFFSET 0) AS p
CROSS JOIN LATERAL (SELECT count(*) AS curves, coalesce(sum(c.samples), 0)::bigint AS samples
  FROM unnest(p.paths) AS u(path)
  CROSS JOIN LATERAL (SELECT repository_id FROM repository
    WHERE name = r.name || '/' || u.path AND project_id = $1 AND deleted_at IS NULL OFFSET 0) AS k
  CROSS JOIN LATERAL (SELECT samples FROM curve
    WHERE id = k.repository_id AND latest_version_id IS NOT NULL OFFSET 0) AS c OFFSET 0) AS h
WHERE a.annotations ->> '{READING}' IS NOT NULL AND cardinality(p.paths) > 0
  AND EXISTS (SELECT FROM artifact_blob_ref WHERE artifact_id = t.artifact_id AND blob_digest = q.digest OFFSET 0)
  AND h.curves = cardinality(p.paths)
ORDER BY q.digest, r.name"""

HOT: Final = (SELECT_WHOLE,)


class Whole(NamedTuple):
    """A file in a well: its digest, the well's repository, how it was read (core/importing/asked.py), in how many wells
    its curves are, which of them are in this one (`frame/curve`), and their samples."""

    digest: str
    repository: str
    reading: str
    wells: str
    curves: list[str]
    samples: int


async def whole(database: Database, project_id: int, digests: Sequence[str]) -> list[Whole]:
    """Of each file the wells of a project that have it and all the curves that were made of it there. DigestInvalid;
    QueryInvalid for more than MOST."""
    if len(digests) > MOST:
        raise QueryInvalid(f"one call looks up at most {MOST} files, not {len(digests)}")
    asked = sorted({str(Digest.parse(digest)) for digest in digests})
    return [Whole(*row) for row in await fetch(database, SELECT_WHOLE, project_id, asked)]
