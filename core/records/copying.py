"""An artifact and all that belongs to it, as records: read in one repository, put into another in one transaction."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from ..oci.errors import NotFound, Unsupported
from .artifacts import SELECT_PUT, Push, arguments, disjoint
from .calls import refusals
from .database import Connection, Database

MOST_ARTIFACTS = 10_000
MOST_BYTES = 64 << 20
"""Bytes of manifests in one copy."""

_TREE = """WITH RECURSIVE tree(id) AS (
  SELECT $1::bigint UNION
  SELECT k.id FROM tree t CROSS JOIN LATERAL (
    SELECT child_id AS id FROM artifact_reference WHERE artifact_id = t.id AND child_id IS NOT NULL
    UNION ALL SELECT artifact_id FROM artifact_accessory WHERE subject_artifact_id = t.id) AS k)"""
MEASURE = f"""{_TREE} SELECT count(*) AS artifacts, coalesce(sum(octet_length(a.manifest)), 0) AS bytes
FROM (SELECT id FROM tree LIMIT {MOST_ARTIFACTS + 1}) AS t JOIN artifact a ON a.id = t.id AND a.deleted_at IS NULL"""
READ = f"""{_TREE} SELECT a.id, a.digest, a.manifest_media_type, a.manifest,
  ARRAY(SELECT child_id FROM artifact_reference WHERE artifact_id = a.id AND child_id IS NOT NULL) AS children,
  CASE WHEN a.id = $1 OR EXISTS (SELECT FROM artifact_accessory WHERE artifact_id = a.id)
       THEN ARRAY(SELECT name FROM tag WHERE artifact_id = a.id ORDER BY name) ELSE '{{}}' END AS tags
FROM tree t JOIN artifact a ON a.id = t.id AND a.deleted_at IS NULL"""
LINK = "SELECT artifacts_link($1, $2, $3)"


class Original(NamedTuple):
    """One manifest of what is copied: the ids of its children, and the tags that come along."""

    id: int
    digest: str
    media_type: str
    raw: bytes
    children: list[int]
    tags: list[str]


async def read(conn: Connection, artifact_id: int) -> list[Original]:
    """An artifact, its children and what is attached to any of them. NotFound; Unsupported for more than one
    transaction should hold."""
    size = await conn.fetchrow(MEASURE, artifact_id)
    assert size is not None
    if size["artifacts"] > MOST_ARTIFACTS or size["bytes"] > MOST_BYTES:
        raise Unsupported(
            f"a copy takes at most {MOST_ARTIFACTS} artifacts and {MOST_BYTES >> 20} MiB of manifests: copy it in parts"
        )
    rows = await conn.fetch(READ, artifact_id)
    if not any(row["id"] == artifact_id for row in rows):
        raise NotFound("the artifact went meanwhile")
    return [
        Original(
            row["id"], row["digest"], row["manifest_media_type"], bytes(row["manifest"]), row["children"], row["tags"]
        )
        for row in rows
    ]


async def put(
    database: Database, repository_id: int, waves: Sequence[Sequence[tuple[int, Push]]], lease: timedelta
) -> None:
    """Put manifests, each with the id of its original, into a repository: wave after wave, so that children are there
    before what lists them; all or nothing. Errors as those of a push."""

    async def work(conn: Connection) -> None:
        for wave in waves:
            await conn.execute(LINK, [original for original, _ in wave], repository_id, lease)
            for group in disjoint([push for _, push in wave]):
                await conn.fetch(SELECT_PUT, *arguments(group), lease)

    with refusals():
        await database.run(work)
