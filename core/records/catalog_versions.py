"""Versions of curves: the history of one, who uses some bytes, what changed since a time."""

from datetime import datetime

import asyncpg

from .catalog import ENTRY, HOME, JOINED, Asker, entries
from .database import Database

_NUMBER = "coalesce(version, id - 4611686018427387904)"  # as curve_version_live has it


def history(curve: str, before: str, count: str) -> str:
    """SQL: so many versions of a curve before a key, newest first, from three expressions."""
    return f"""SELECT *, {_NUMBER} AS key FROM curve_version
WHERE curve_id = {curve} AND deleted_at IS NULL AND {_NUMBER} < {before} ORDER BY {_NUMBER} DESC LIMIT {count}"""


SELECT_VERSIONS = f"""WITH {HOME}
SELECT {ENTRY}, ARRAY(SELECT l.role || ' ' || l.ref FROM lineage l WHERE l.version_id = v.id LIMIT 100) AS inputs, v.key
FROM home
CROSS JOIN LATERAL (
  SELECT repository_id, name FROM repository WHERE project_id = home.project_id AND name = $5 OFFSET 0) AS r
JOIN curve c ON c.id = r.repository_id JOIN well w ON w.id = c.well_id
CROSS JOIN LATERAL ({history("r.repository_id", "$6", "$7")}) AS v
JOIN artifact a ON a.id = v.id ORDER BY v.key DESC"""
SELECT_LATEST = f"""WITH {HOME}
SELECT {ENTRY} FROM (
  SELECT c.latest_version_id AS version_id FROM home
  CROSS JOIN LATERAL (
    SELECT repository_id FROM repository WHERE project_id = home.project_id AND name = $5 OFFSET 0) AS r
  JOIN curve c ON c.id = r.repository_id
) AS q {JOINED}"""
SELECT_ONE = f"""WITH {HOME}
SELECT {ENTRY} FROM (
  SELECT o.id AS version_id FROM home CROSS JOIN LATERAL (
    SELECT repository_id FROM repository WHERE project_id = home.project_id AND name = $5 OFFSET 0) AS h
  CROSS JOIN LATERAL (
    SELECT id FROM artifact WHERE repository_id = h.repository_id AND digest = $6 AND deleted_at IS NULL OFFSET 0) AS o
) AS q {JOINED}"""
USES = """SELECT v.id AS version_id, NULL::text AS sorted, v.id AS key FROM (
  SELECT f.artifact_id AS id FROM artifact_blob_ref f WHERE f.blob_digest = $2::text
  UNION SELECT f.artifact_id FROM segment s JOIN artifact_blob_ref f ON f.blob_digest = s.blob_digest
    WHERE s.content_id = $3::bytea
  UNION SELECT id FROM curve_version WHERE values_id = $3::bytea OR index_id = $3::bytea
) AS u JOIN curve_version v ON v.id = u.id
WHERE v.project_id = ANY ($1::bigint[]) AND v.deleted_at IS NULL AND v.id > $4 ORDER BY v.id LIMIT $5"""
CHANGES = """SELECT v.id AS version_id, NULL::text AS sorted, v.id AS key
FROM curve_version v WHERE (v.changed, v.id) > ($2, $3) AND v.project_id = ANY ($1::bigint[])
ORDER BY v.changed, v.id LIMIT $4"""

HOT = (SELECT_VERSIONS, SELECT_LATEST, SELECT_ONE)
_LAST = 2**63 - 1


async def versions(
    database: Database, asker: Asker, repository: str, before: int | None, limit: int
) -> list[asyncpg.Record]:
    """The versions of a curve, the highest number first and those without one behind, the last pushed first (before a
    `key`), and what each was made from (`inputs`: role and reference)."""
    async with database.acquire() as conn:
        return await conn.fetch(SELECT_VERSIONS, *asker.arguments, repository, before or _LAST, limit)


async def latest(database: Database, asker: Asker, repository: str) -> asyncpg.Record | None:
    """The latest version of a curve."""
    async with database.acquire() as conn:
        return await conn.fetchrow(SELECT_LATEST, *asker.arguments, repository)


async def version(database: Database, asker: Asker, repository: str, digest: str) -> asyncpg.Record | None:
    """One version of a curve."""
    async with database.acquire() as conn:
        return await conn.fetchrow(SELECT_ONE, *asker.arguments, repository, digest)


async def uses(
    database: Database, asker: Asker, digest: str | None, content: bytes | None, after: int, limit: int
) -> list[asyncpg.Record]:
    """Versions that name a blob, or whose values, index or a segment have a content id; by id."""
    return await entries(database, asker, USES, [digest, content, after, limit])


async def changes(database: Database, asker: Asker, since: datetime, after: int, limit: int) -> list[asyncpg.Record]:
    """What was pushed, numbered, deleted or brought back, in the order of `changed`, from a time on (behind the id
    `after` at that very time). A transaction that was still running then comes late: ask again from a minute before."""
    return await entries(database, asker, CHANGES, [since, after, limit])
