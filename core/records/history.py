"""What tags named and when, and the way back: tags and deleted artifacts restored inside the undo window."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from ..oci.errors import ManifestUnknown
from .artifacts import Actor
from .calls import fetch, fetchrow, fetchval
from .database import Database

SELECT_REPOSITORY = """SELECT repository_id FROM repository
WHERE name = $2 AND project_id = (SELECT project_id FROM project WHERE name = $1 AND NOT deleted)"""
SELECT_AS_OF = """SELECT h.to_digest, h.op_time, a.id IS NOT NULL AND a.deleted_at IS NULL AS live FROM (
  SELECT to_digest, op_time FROM tag_history WHERE repository_id = $1 AND name = $2 AND op_time <= $3
  ORDER BY id DESC LIMIT 1) AS h
LEFT JOIN LATERAL (SELECT id, deleted_at FROM artifact
  WHERE repository_id = $1 AND digest = h.to_digest OFFSET 0) AS a ON true"""
SELECT_MOVES = """SELECT id, name, from_digest, to_digest, username, op_time FROM tag_history
WHERE repository_id = $1 AND name = $2 AND op_time <= $3 AND id < $4 ORDER BY id DESC LIMIT $5"""
SELECT_DELETED = """SELECT digest, type, octet_length(manifest) AS size, deleted_at, keep_until, id FROM artifact
WHERE repository_id = $1 AND deleted_at IS NOT NULL AND id < $2 ORDER BY id DESC LIMIT $3"""
SELECT_RESTORE = "SELECT artifact_restore($1, $2, true, $3, $4, $5, $6)"
SELECT_RESTORE_TAG = "SELECT tag_restore($1, $2, $3, $4, $5, $6, $7)"

HOT: Final = (SELECT_REPOSITORY, SELECT_AS_OF, SELECT_MOVES)
_LAST: Final = 2**63 - 1


class Move(NamedTuple):
    """A move of a tag: from_digest None: it was made; to_digest None: it was removed."""

    id: int
    tag: str
    from_digest: str | None
    to_digest: str | None
    username: str
    op_time: datetime


class Deleted(NamedTuple):
    """An artifact that can be restored until `keep_until`. size: of its manifest, in bytes."""

    digest: str
    type: str
    size: int
    deleted_at: datetime
    keep_until: datetime
    id: int


async def repository(database: Database, project: str, name: str) -> int | None:
    """The id of a repository of a project; None where there is none."""
    found: int | None = await fetchval(database, SELECT_REPOSITORY, project, name)
    return found


async def as_of(database: Database, repository_id: int, tag: str, at: datetime) -> str:
    """The digest that a tag named at a time; ManifestUnknown where it named nothing, or what is not here any more."""
    row = await fetchrow(database, SELECT_AS_OF, repository_id, tag, at)
    if row is None or row["to_digest"] is None:
        raise ManifestUnknown(f"the tag {tag} named nothing at {at.isoformat()}")
    if not row["live"]:
        raise ManifestUnknown(f"{tag} named {row['to_digest']} at {at.isoformat()}, which is not here any more")
    return str(row["to_digest"])


async def moves(
    database: Database, repository_id: int, tag: str, at: datetime, before: int | None, limit: int
) -> list[Move]:
    """The moves of a tag up to a time, the last first."""
    rows = await fetch(database, SELECT_MOVES, repository_id, tag, at, before or _LAST, limit)
    return [Move(*row) for row in rows]


async def deleted(database: Database, repository_id: int, before: int | None, limit: int) -> list[Deleted]:
    """Deleted artifacts of a repository that are still there, the last made first."""
    return [Deleted(*row) for row in await fetch(database, SELECT_DELETED, repository_id, before or _LAST, limit)]


async def restore(database: Database, repository_id: int, digest: str, lease: timedelta, actor: Actor) -> list[str]:
    """Bring a deleted artifact back, with what it needs and its tags, which are answered. ManifestUnknown."""
    found: Any = await fetchval(database, SELECT_RESTORE, repository_id, digest, lease, *actor)
    return list(found)


async def restore_tag(
    database: Database, repository_id: int, tag: str, digest: str | None, lease: timedelta, actor: Actor
) -> str:
    """Let a tag name again what it named (None: before it moved or went last); the digest. ManifestUnknown."""
    return str(await fetchval(database, SELECT_RESTORE_TAG, repository_id, tag, digest, lease, *actor))
