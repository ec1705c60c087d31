"""Segments that the registry holds, by what they hold: a client names them again instead of sending them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..access import Principal
from ..oci.digest import Digest
from ..oci.errors import QueryInvalid
from .calls import fetch
from .catalog import Asker
from .database import Database

MOST: Final = 1000
"""Content ids of one call."""

# Only pairs that a job of ours recomputed from the bytes: else anybody could give a content id to bytes of his own.
SELECT_SEGMENTS = """
SELECT q.content, f.digest, f.size, f.name AS repository
FROM unnest($1::bytea[]) WITH ORDINALITY AS q(content, n) CROSS JOIN LATERAL (
  SELECT b.digest, b.size, m.name
  FROM (SELECT blob_digest FROM segment WHERE content_id = q.content AND verified OFFSET 0) AS s
  CROSS JOIN LATERAL (
    SELECT id, digest, size FROM artifact_blob WHERE digest = s.blob_digest AND state = 'live' OFFSET 0) AS b
  CROSS JOIN LATERAL (
    SELECT l.name FROM (SELECT project_id FROM project_blob WHERE blob_id = b.id OFFSET 0) AS c
    CROSS JOIN LATERAL (SELECT name FROM project WHERE project_id = c.project_id AND NOT deleted OFFSET 0) AS p
    CROSS JOIN LATERAL rights($2, $3, $4, p.name) AS x
    CROSS JOIN LATERAL (
      SELECT r.name FROM (SELECT repository_id FROM repository_blob
        WHERE blob_id = b.id AND project_id = c.project_id AND NOT hidden OFFSET 0) AS k
      CROSS JOIN LATERAL (
        SELECT name FROM repository WHERE repository_id = k.repository_id AND deleted_at IS NULL OFFSET 0) AS r
      LIMIT 1) AS l
    WHERE x.valid AND (x.admin OR x.public OR cardinality(x.roles) > 0 OR 'repository:pull' = ANY (x.grants))
    LIMIT 1) AS m
  LIMIT 1) AS f
ORDER BY q.n"""

HOT: Final = (SELECT_SEGMENTS,)


@dataclass(frozen=True, slots=True)
class Held:
    """A blob that holds the values of a content id, and a repository to mount it from."""

    content: str
    digest: str
    size: int
    repository: str


async def held(database: Database, principal: Principal, contents: Sequence[str]) -> list[Held]:
    """Those of the content ids (`sha256:...`) that the caller may pull somewhere, in the order given, each once.

    ScopeInsufficient where the caller's credential covers no pulls; QueryInvalid for more than MOST; DigestInvalid for
    what is no content id.
    """
    kind, identity, epoch, _ = Asker(principal).arguments
    asked = {bytes.fromhex(Digest.parse(content).hex): content for content in contents}
    if len(contents) > MOST:
        raise QueryInvalid(f"one call looks up at most {MOST} content ids, not {len(contents)}")
    rows = await fetch(database, SELECT_SEGMENTS, list(asked), kind, identity, epoch)
    return [Held(asked[bytes(row["content"])], row["digest"], row["size"], row["repository"]) for row in rows]
