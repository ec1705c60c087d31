"""Deletion of an artifact with what is only there for it, as Harbor's API has it; /v2/ deletes one manifest."""

from datetime import timedelta

from .artifacts import SELECT_DELETE, Actor
from .calls import refusals
from .database import Connection, Database

LEFT = """
SELECT c.id, c.digest FROM (
  SELECT f.child_id AS id FROM artifact_reference f
  WHERE f.artifact_id = ANY ($1::bigint[]) AND NOT EXISTS (SELECT FROM tag t WHERE t.artifact_id = f.child_id)
  UNION
  SELECT x.artifact_id FROM artifact_accessory x
  WHERE x.subject_artifact_id = ANY ($1::bigint[])
    AND (starts_with(x.type, 'signature.') OR x.type IN ('attestation.cosign', 'sbom'))) AS k
JOIN artifact c ON c.id = k.id AND c.deleted_at IS NULL
WHERE NOT EXISTS (SELECT FROM artifact_reference g JOIN artifact o ON o.id = g.artifact_id AND o.deleted_at IS NULL
                  WHERE g.child_id = c.id) ORDER BY c.digest"""


async def delete(
    database: Database, repository_id: int, artifact: tuple[int, str], undo: timedelta, actor: Actor
) -> None:
    """Delete an artifact (id, digest) with its tags, the untagged children that no other index lists, and signatures
    and bills of materials of these. ManifestUnknown, ManifestReferenced, and what else keeps
    one of them: then nothing is deleted."""

    async def work(conn: Connection) -> None:
        said = (undo, actor.username, actor.address, actor.request_id)
        wave = [artifact]
        while wave:
            for _, digest in wave:
                await conn.fetchval(SELECT_DELETE, repository_id, digest, *said)
            wave = [(row["id"], row["digest"]) for row in await conn.fetch(LEFT, [each[0] for each in wave])]

    with refusals():
        await database.run(work)
