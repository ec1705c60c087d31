"""What must hold of the records and the store whenever no request is under way (reliability.md 3.2).

`violations(dsn, storage)` is a line for each thing that does not; a registry in which bytes rotted has more to say.
"""

import hashlib
from pathlib import Path

import asyncpg

from dataforge_registry.core.oci.digest import Digest, blob_key
from dataforge_registry.drivers.base import NotFound
from dataforge_registry.drivers.filesystem import FilesystemDriver

RULES = {
    "a project is charged for its blobs and manifests, each once": """
        SELECT p.name, p.storage_used, found.bytes, p.artifact_count, found.artifacts FROM project p
        CROSS JOIN LATERAL (
          SELECT (SELECT coalesce(sum(size), 0) FROM project_blob c WHERE c.project_id = p.project_id)
               + (SELECT coalesce(sum(octet_length(manifest)), 0) FROM artifact a
                  WHERE a.project_id = p.project_id AND a.charged) AS bytes,
                 (SELECT count(*) FROM artifact a WHERE a.project_id = p.project_id AND a.charged) AS artifacts
        ) AS found
        WHERE p.storage_used <> found.bytes OR p.artifact_count <> found.artifacts
           OR (p.storage_limit >= 0 AND p.storage_used > p.storage_limit)""",
    "what is promised is what reservations say": """
        SELECT p.name, p.storage_reserved FROM project p WHERE p.storage_reserved <> (
          SELECT coalesce(sum(size), 0) FROM project_reservation r WHERE r.project_id = p.project_id)""",
    "a charge is of the blob's size": """
        SELECT c.* FROM project_blob c JOIN artifact_blob b ON b.id = c.blob_id WHERE b.size <> c.size""",
    "a link has a charge in its project": """
        SELECT l.* FROM repository_blob l JOIN repository r USING (repository_id)
        LEFT JOIN project_blob c ON c.project_id = l.project_id AND c.blob_id = l.blob_id
        WHERE c.blob_id IS NULL OR r.project_id <> l.project_id""",
    "a charge has a link in its project": """
        SELECT c.* FROM project_blob c WHERE NOT EXISTS (
          SELECT FROM repository_blob l WHERE l.project_id = c.project_id AND l.blob_id = c.blob_id)""",
    "what is linked is live": """
        SELECT l.*, b.state FROM repository_blob l JOIN artifact_blob b ON b.id = l.blob_id WHERE b.state <> 'live'""",
    "a manifest refers to links of its own repository, to all that are there, to none that is hidden": """
        SELECT f.*, l.hidden FROM artifact_blob_ref f JOIN artifact a ON a.id = f.artifact_id AND a.deleted_at IS NULL
        LEFT JOIN artifact_blob b ON b.digest = f.blob_digest
        LEFT JOIN repository_blob l ON l.repository_id = a.repository_id AND l.blob_id = b.id
        WHERE f.link_id IS DISTINCT FROM l.id OR coalesce(l.hidden, false) OR f.repository_id <> a.repository_id""",
    "only sparse projects and foreign layers lack blobs": """
        SELECT f.* FROM artifact_blob_ref f JOIN artifact a ON a.id = f.artifact_id JOIN project p USING (project_id)
        WHERE f.link_id IS NULL AND a.deleted_at IS NULL AND NOT p.sparse
          AND strpos(encode(a.manifest, 'escape'), 'urls') = 0
          AND strpos(encode(a.manifest, 'escape'), 'nondistributable') = 0""",
    "the children of a live index are live and beside it": """
        SELECT f.* FROM artifact_reference f JOIN artifact a ON a.id = f.artifact_id AND a.deleted_at IS NULL
        JOIN artifact c ON c.id = f.child_id JOIN project p ON p.project_id = a.project_id
        WHERE (c.deleted_at IS NOT NULL AND NOT p.sparse) OR c.repository_id <> a.repository_id""",
    "a tag names a live manifest of its repository, and its history ends there": """
        SELECT t.name, a.digest, last.to_digest FROM tag t JOIN artifact a ON a.id = t.artifact_id
        LEFT JOIN LATERAL (
          SELECT h.to_digest FROM tag_history h
          WHERE h.repository_id = t.repository_id AND h.name = t.name ORDER BY id DESC LIMIT 1) last ON true
        WHERE a.deleted_at IS NOT NULL OR a.repository_id <> t.repository_id
           OR last.to_digest IS DISTINCT FROM a.digest""",
    "an upload has the bytes it says, and no writer once nobody writes": """
        SELECT id, "offset", staging, lease FROM upload
        WHERE coalesce((staging ->> 'size')::bigint, 0) <> "offset" AND status = 'open' OR lease IS NOT NULL""",
}
"""What must be empty."""

BLOBS = "SELECT digest, size, generation, key, content FROM artifact_blob WHERE state = 'live'"
MANIFESTS = "SELECT digest, manifest FROM artifact"


async def violations(dsn: str, storage: Path) -> list[str]:
    """Every broken rule, with the first rows that break it; storage is the filesystem driver's root."""
    connection = await asyncpg.connect(dsn)
    try:
        found = []
        for rule, statement in RULES.items():
            rows = await connection.fetch(statement)
            found += [f"not true: {rule}: {[dict(row) for row in rows[:3]]}"] if rows else []
        for row in await connection.fetch(MANIFESTS):
            if _digest(row["digest"], bytes(row["manifest"])) != row["digest"]:
                found.append(f"a manifest is not what its digest says: {row['digest']}")
        blobs = await connection.fetch(BLOBS)
    finally:
        await connection.close()
    return found + await _bytes(blobs, storage)


async def _bytes(blobs: list[asyncpg.Record], storage: Path) -> list[str]:
    driver, found = FilesystemDriver(str(storage)), []
    try:
        for row in blobs:
            content = row["content"]
            if content is None:
                try:
                    key = row["key"] or blob_key(Digest(row["digest"]), row["generation"])
                    content = b"".join([piece async for piece in await driver.open(key)])
                except NotFound:
                    found.append(f"a live blob has no bytes: {row['digest']}")
                    continue
            if len(content) != row["size"] or _digest(row["digest"], bytes(content)) != row["digest"]:
                found.append(f"a live blob has wrong bytes: {row['digest']}")
    finally:
        await driver.close()
    return found


def _digest(like: str, content: bytes) -> str:
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
