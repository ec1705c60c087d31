"""The batched look-ups: one query answers every read that waited for it, with the caller's rights in the same row.

Each key is (principal, repository, reference), so callers never share rights, and the row asks the principal itself
again. Pure SELECTs that never carry the bytes of manifests.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..access import Principal, Rights
from ..oci.names import project_of
from .database import Database

_KEYS = """
FROM unnest($1::text[], $2::bigint[], $3::int[], $4::text[], $5::text[], $6::text[]) WITH ORDINALITY
  AS q(kind, id, epoch, project, repository, reference, n)
CROSS JOIN LATERAL rights(q.kind, q.id, q.epoch, q.project) AS x
LEFT JOIN repository AS r ON r.project_id = x.project_id AND r.name = q.repository
"""
_RIGHTS = "x.valid, x.admin, x.project_id, x.public, x.sparse, x.roles, r.repository_id"
_ARTIFACT = """a.id, a.digest, a.manifest_media_type AS media_type, octet_length(a.manifest) AS size,
  a.keep_until - clock_timestamp() AS remaining"""

SELECT_HOME = f"SELECT {_RIGHTS} {_KEYS} ORDER BY q.n"
SELECT_BY_TAG = f"""SELECT {_RIGHTS}, {_ARTIFACT}, t.id AS tag_id {_KEYS}
LEFT JOIN tag AS t ON t.repository_id = r.repository_id AND t.name = q.reference
LEFT JOIN artifact AS a ON a.id = t.artifact_id AND a.deleted_at IS NULL
ORDER BY q.n"""
SELECT_BY_DIGEST = f"""SELECT {_RIGHTS}, {_ARTIFACT}, NULL::bigint AS tag_id {_KEYS}
LEFT JOIN artifact AS a ON a.repository_id = r.repository_id AND a.digest = q.reference AND a.deleted_at IS NULL
ORDER BY q.n"""
SELECT_BLOB = f"""SELECT {_RIGHTS}, l.id, b.id AS blob_id, b.digest, b.size, b.generation, b.key,
  b.content IS NOT NULL AS inline, l.keep_until - clock_timestamp() AS remaining {_KEYS}
LEFT JOIN artifact_blob AS b ON b.digest = q.reference AND b.state = 'live'
LEFT JOIN repository_blob AS l ON l.repository_id = r.repository_id AND l.blob_id = b.id AND NOT l.hidden
ORDER BY q.n"""

HOT = (SELECT_HOME, SELECT_BY_TAG, SELECT_BY_DIGEST, SELECT_BLOB)


@dataclass(frozen=True, slots=True)
class Key:
    """What one request asks for; reference is a tag, a digest, or empty."""

    principal: Principal
    repository: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """A repository as its caller sees it. repository_id is None before the first push."""

    rights: Rights
    repository_id: int | None


@dataclass(frozen=True, slots=True)
class FoundArtifact:
    """A manifest that is there. `remaining` is its lease, in seconds."""

    id: int
    digest: str
    media_type: str
    size: int
    remaining: float
    tag_id: int | None


@dataclass(frozen=True, slots=True)
class FoundBlob:
    """A blob that this repository may serve. `inline`: its bytes are still in its row."""

    link_id: int
    blob_id: int
    digest: str
    size: int
    generation: int
    key: str | None
    inline: bool
    remaining: float


async def homes(database: Database, keys: Sequence[Key]) -> list[Home]:
    """The repositories of keys, in order."""
    return [_home(row) for row in await _fetch(database, SELECT_HOME, keys)]


async def by_tag(database: Database, keys: Sequence[Key]) -> list[tuple[Home, FoundArtifact | None]]:
    """The manifests that tags name now, in order."""
    return [(_home(row), _artifact(row)) for row in await _fetch(database, SELECT_BY_TAG, keys)]


async def by_digest(database: Database, keys: Sequence[Key]) -> list[tuple[Home, FoundArtifact | None]]:
    """The manifests of digests, in order."""
    return [(_home(row), _artifact(row)) for row in await _fetch(database, SELECT_BY_DIGEST, keys)]


async def blobs(database: Database, keys: Sequence[Key]) -> list[tuple[Home, FoundBlob | None]]:
    """The blobs of digests, in order."""
    return [(_home(row), _blob(row)) for row in await _fetch(database, SELECT_BLOB, keys)]


async def _fetch(database: Database, statement: str, keys: Sequence[Key]) -> list[Any]:
    columns: tuple[list[Any], ...] = ([], [], [], [], [], [])
    for key in keys:
        who = key.principal
        row = (who.kind, who.id, who.epoch, project_of(key.repository), key.repository, key.reference)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    async with database.acquire() as conn:
        return await conn.fetch(statement, *columns)


def _home(row: Any) -> Home:
    rights = Rights(row["valid"], row["admin"], row["project_id"], row["public"], row["sparse"], tuple(row["roles"]))
    return Home(rights, row["repository_id"])


def _artifact(row: Any) -> FoundArtifact | None:
    if row["id"] is None:
        return None
    remaining = row["remaining"].total_seconds()
    return FoundArtifact(row["id"], row["digest"], row["media_type"], row["size"], remaining, row["tag_id"])


def _blob(row: Any) -> FoundBlob | None:
    if row["id"] is None:
        return None
    return FoundBlob(
        row["id"],
        row["blob_id"],
        row["digest"],
        row["size"],
        row["generation"],
        row["key"],
        row["inline"],
        row["remaining"].total_seconds(),
    )
