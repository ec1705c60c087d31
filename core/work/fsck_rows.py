"""What must hold between rows: each check is one question, and statements that mend what it found."""

from dataclasses import dataclass
from typing import Final

from ..records.database import Database
from .gc_report import PATIENCE, SETTINGS

_COUNTED = """CROSS JOIN LATERAL (
    SELECT coalesce(sum(size), 0)::bigint AS size FROM project_blob WHERE project_id = p.project_id) AS b
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(octet_length(manifest)), 0)::bigint AS size, count(*) FROM artifact
    WHERE project_id = p.project_id AND charged) AS a"""
_REVIEWED = "NOT EXISTS (SELECT FROM gc_review v WHERE v.kind = '{}' AND v.target = {})"
_ASK: Final = (
    "INSERT INTO gc_review (kind, target, review_after) SELECT '{}', id, now() FROM unnest($1::bigint[]) AS u (id)"
)


@dataclass(frozen=True, slots=True)
class Check:
    """`find` gives (id, what is wrong); `mend` are statements of one transaction over the ids, lock before change."""

    name: str
    find: str
    mend: tuple[str, ...]


CHECKS: Final = (
    Check(
        "linked blob",
        """SELECT b.id, b.digest || ' is ' || b.state || ' though repositories link it' FROM artifact_blob b
        WHERE b.state IN ('condemned', 'gone') AND EXISTS (SELECT FROM repository_blob WHERE blob_id = b.id)""",
        (
            "SELECT 1 FROM artifact_blob WHERE id = ANY($1) ORDER BY id FOR UPDATE",
            """UPDATE artifact_blob b SET state = CASE state WHEN 'condemned' THEN 'live' ELSE 'missing' END
            WHERE id = ANY($1) AND state IN ('condemned', 'gone')
              AND EXISTS (SELECT FROM repository_blob WHERE blob_id = b.id)""",
        ),
    ),
    Check(
        "waiting blob",
        """SELECT DISTINCT f.artifact_id, f.digest || ' waits for ' || f.blob_digest || ', which is here'
        FROM artifact_blob_ref f JOIN artifact_blob b ON b.digest = f.blob_digest
        JOIN repository_blob l ON l.blob_id = b.id AND l.repository_id = f.repository_id
        WHERE f.link_id IS NULL AND NOT l.hidden""",
        (
            """UPDATE artifact_blob_ref f SET link_id = l.id FROM artifact_blob b
            JOIN repository_blob l ON l.blob_id = b.id AND NOT l.hidden
            WHERE f.artifact_id = ANY($1) AND f.link_id IS NULL AND b.digest = f.blob_digest
              AND l.repository_id = f.repository_id""",
        ),
    ),
    Check(
        "waiting child",
        """SELECT DISTINCT f.artifact_id,
          'artifact ' || f.artifact_id || ' waits for ' || f.child_digest || ', which is here'
        FROM artifact_reference f
        JOIN artifact c ON c.repository_id = f.repository_id AND c.digest = f.child_digest AND c.deleted_at IS NULL
        WHERE f.child_id IS NULL""",
        (
            """UPDATE artifact_reference f SET child_id = c.id FROM artifact c
            WHERE f.artifact_id = ANY($1) AND f.child_id IS NULL AND c.repository_id = f.repository_id
              AND c.digest = f.child_digest AND c.deleted_at IS NULL""",
        ),
    ),
    Check(
        "charge without a link",
        """SELECT c.blob_id, 'project ' || c.project_id || ' pays ' || c.size || ' bytes for blob ' || c.blob_id
        FROM project_blob c WHERE NOT EXISTS (
          SELECT FROM repository_blob l WHERE l.blob_id = c.blob_id AND l.project_id = c.project_id)""",
        (
            "SELECT 1 FROM project_blob WHERE blob_id = ANY($1) ORDER BY project_id, blob_id FOR UPDATE",
            """DELETE FROM project_blob c WHERE blob_id = ANY($1) AND NOT EXISTS (
              SELECT FROM repository_blob l WHERE l.blob_id = c.blob_id AND l.project_id = c.project_id)""",
        ),
    ),
    Check(
        "link without its charge",
        """SELECT DISTINCT l.blob_id, 'project ' || l.project_id || ' pays nothing for blob ' || l.blob_id
        FROM repository_blob l JOIN artifact_blob b ON b.id = l.blob_id
        WHERE NOT EXISTS (SELECT FROM project_blob c WHERE c.blob_id = l.blob_id AND c.project_id = l.project_id
          AND c.size = b.size)""",
        (
            """INSERT INTO project_blob (project_id, blob_id, size)
            SELECT DISTINCT l.project_id, l.blob_id, b.size FROM repository_blob l
            JOIN artifact_blob b ON b.id = l.blob_id
            WHERE b.id = ANY($1) ORDER BY 1, 2 ON CONFLICT (project_id, blob_id) DO UPDATE SET size = excluded.size""",
        ),
    ),
    Check(
        "forgotten link",
        f"""SELECT l.id, 'link ' || l.id || ' is nobody''s, and gc would not look at it' FROM repository_blob l
        WHERE NOT EXISTS (SELECT FROM artifact_blob_ref f WHERE f.link_id = l.id)
          AND {_REVIEWED.format("link", "l.id")}""",
        (_ASK.format("link"),),
    ),
    Check(
        "forgotten blob",
        f"""SELECT b.id, b.digest || ' is linked by nobody, and gc would not look at it' FROM artifact_blob b
        WHERE b.state = 'live' AND NOT EXISTS (SELECT FROM repository_blob l WHERE l.blob_id = b.id)
          AND {_REVIEWED.format("blob", "b.id")}""",
        (_ASK.format("blob"),),
    ),
    Check(
        "forgotten artifact",
        f"""SELECT a.id, a.repository_name || '@' || a.digest || ' was deleted, and gc would not look at it'
        FROM artifact a WHERE a.deleted_at IS NOT NULL AND {_REVIEWED.format("artifact", "a.id")}
          AND NOT EXISTS (SELECT FROM artifact_reference f WHERE f.child_id = a.id)
          AND held_by(a.project_id, a.repository_id, a.id) IS NULL""",
        (_ASK.format("artifact"),),
    ),
    Check(
        "account",
        f"""SELECT p.project_id, p.name || ' is charged ' || p.storage_used || ' bytes and ' || p.artifact_count
          || ' artifacts, and holds ' || b.size + a.size || ' and ' || a.count
        FROM project p {_COUNTED} WHERE p.storage_used <> b.size + a.size OR p.artifact_count <> a.count""",
        (
            "SELECT 1 FROM project WHERE project_id = ANY($1) ORDER BY project_id FOR NO KEY UPDATE",
            f"""UPDATE project SET storage_used = n.used, artifact_count = n.count FROM (
              SELECT p.project_id, b.size + a.size AS used, a.count FROM project p {_COUNTED}
              WHERE p.project_id = ANY($1)) AS n
            WHERE project.project_id = n.project_id""",
        ),
    ),
)


async def check(database: Database, question: Check, repair: bool) -> list[tuple[str, bool]]:
    """What it found, and whether each is mended now. Each question sees one moment, so pushes do not confuse it."""
    found = await _find(database, question)
    if not found or not repair:
        return [(what, False) for what in found.values()]
    for part in [list(found)[at : at + 1000] for at in range(0, len(found), 1000)]:
        async with database.transaction() as conn:
            for statement in question.mend:
                await conn.execute(statement, part)
    left = await _find(database, question)
    return [(what, ident not in left) for ident, what in found.items()]


async def _find(database: Database, question: Check) -> dict[int, str]:
    async with database.transaction() as conn:
        await conn.execute(SETTINGS)
        return {row[0]: row[1] for row in await conn.fetch(question.find, timeout=PATIENCE)}
