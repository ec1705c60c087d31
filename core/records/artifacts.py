"""Artifacts: the rows that hold manifests, and what refers to them."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from ..oci import media
from ..oci.digest import Digest
from ..oci.manifest import Manifest
from .calls import fetch, fetchrow, fetchval
from .database import Database

SELECT_PUT = """SELECT absent FROM manifest_put($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
  $15, $16, $17, $18, $19, $20, $21, $22, $23)"""
SELECT_DELETE = "SELECT artifact_delete($1, $2, $3, $4, $5, $6)"
SELECT_MANIFEST = "SELECT manifest FROM artifact WHERE id = $1 AND deleted_at IS NULL"
UPDATE_LEASE = """UPDATE artifact SET keep_until = clock_timestamp() + $2
WHERE id = $1 AND deleted_at IS NULL RETURNING id"""
SELECT_REFERRERS = """SELECT digest, manifest_media_type, octet_length(manifest) AS size, artifact_type, annotations
FROM artifact WHERE repository_id = $1 AND subject_digest = $2 AND deleted_at IS NULL AND digest > $3
  AND ($4::text IS NULL OR artifact_type = $4) ORDER BY digest LIMIT $5"""

HOT = (SELECT_MANIFEST, UPDATE_LEASE, SELECT_REFERRERS)


class Actor(NamedTuple):
    """Who does something, for the audit row of the same transaction."""

    username: str = ""
    address: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Referrer:
    """One entry of a referrers list."""

    digest: str
    media_type: str
    size: int
    artifact_type: str | None
    annotations: dict[str, str]


@dataclass(frozen=True, slots=True)
class Precondition:
    """If-Match (a digest, or * for any) or If-None-Match: * on the tags of a push."""

    match: str | None = None
    none: bool = False


async def put(
    database: Database,
    repository_id: int,
    manifest: Manifest,
    tags: list[str],
    expected: Precondition,
    accessory: tuple[str, str] | None,
    actor: Actor,
    lease: timedelta,
) -> int:
    """A push, whole: how many blobs and children it names that are not here (a sparse project allows that).

    accessory: (type, subject digest). NameUnknown, ManifestBlobUnknown, SizeInvalid, PreconditionFailed, QuotaExceeded.
    """
    needed = {blob.digest: blob for blob in manifest.blobs}
    needed |= {blob.digest: blob for blob in manifest.blobs if not blob.foreign}
    children = {child.digest: child for child in manifest.manifests}
    artifact_type = manifest.referrer_type
    row = await fetchrow(
        database,
        SELECT_PUT,
        repository_id,
        manifest.digest,
        manifest.raw,
        manifest.media_type,
        artifact_type,
        artifact_type or (media.OCI_INDEX if manifest.is_index else media.OCI_MANIFEST),
        manifest.type_word,
        json.dumps(manifest.annotations),
        manifest.subject.digest if manifest.subject else None,
        accessory[0] if accessory else None,
        accessory[1] if accessory else None,
        list(needed),
        [blob.size for blob in needed.values()],
        [not blob.foreign for blob in needed.values()],
        list(children),
        [child.size for child in children.values()],
        tags,
        expected.match,
        expected.none,
        actor.username,
        actor.address,
        actor.request_id,
        lease,
    )
    assert row is not None
    return int(row["absent"])


async def delete(database: Database, repository_id: int, digest: Digest, undo: timedelta, actor: Actor) -> None:
    """Soft deletion with all tags: ManifestUnknown, ManifestReferenced."""
    await fetchval(
        database, SELECT_DELETE, repository_id, digest, undo, actor.username, actor.address, actor.request_id
    )


async def raw(database: Database, artifact_id: int) -> bytes | None:
    """The bytes as pushed; None once deleted."""
    found = await fetchval(database, SELECT_MANIFEST, artifact_id)
    return None if found is None else bytes(found)


async def extend(database: Database, artifact_id: int, lease: timedelta) -> bool:
    """Renew an artifact's lease; False where it went meanwhile."""
    return await fetchval(database, UPDATE_LEASE, artifact_id, lease) is not None


async def referrers(
    database: Database, repository_id: int, subject: Digest, artifact_type: str | None, after: str, limit: int
) -> list[Referrer]:
    """Artifacts whose subject is a digest, by digest, after one of them."""
    rows = await fetch(database, SELECT_REFERRERS, repository_id, subject, after, artifact_type, limit)
    return [
        Referrer(
            row["digest"],
            row["manifest_media_type"],
            row["size"],
            row["artifact_type"],
            json.loads(row["annotations"]),
        )
        for row in rows
    ]
