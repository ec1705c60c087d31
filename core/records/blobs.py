"""Blobs, links and charges: the protocol of schema.sql section 7, called."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ..access import Principal
from ..oci.digest import Digest
from .calls import fetchrow, fetchval
from .database import Database

SELECT_CLAIM = "SELECT state, generation, blob_id FROM blob_claim($1, $2, $3, $4)"
SELECT_INLINE = "SELECT blob_inline($1, $2, $3, $4)"
SELECT_HAND_BACK = "SELECT blob_hand_back($1, $2)"
SELECT_MOUNT = "SELECT blob_mount($1, $2, $3, $4, $5, $6, $7)"
SELECT_HIDE = "SELECT blob_hide($1, $2, $3, $4, $5)"
SELECT_CONTENT = "SELECT content FROM artifact_blob WHERE id = $1 AND content IS NOT NULL"
UPDATE_LEASE = """UPDATE repository_blob SET keep_until = clock_timestamp() + $2
WHERE id = $1 AND NOT hidden RETURNING id"""
UPDATE_MISSING = """UPDATE artifact_blob SET state = 'missing', keep_until = clock_timestamp()
WHERE id = $1 AND generation = $2 AND state = 'live' AND content IS NULL RETURNING id"""
SELECT_FINISH = """SELECT f.ok, CASE WHEN f.ok AND $7::uuid IS NOT NULL THEN upload_done($7, $4, $8) END
FROM (SELECT blob_finish($1, $2, $3, $4, $5, $6) AS ok OFFSET 0) AS f"""

HOT = (SELECT_CONTENT, UPDATE_LEASE, UPDATE_MISSING)


@dataclass(frozen=True, slots=True, eq=False)
class Small:
    """A small blob that comes whole, and the repository that is to serve it."""

    repository_id: int
    digest: Digest
    content: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What T1 answered: live (linked, charged, done) or the generation whose bytes are to be brought."""

    live: bool
    generation: int
    blob_id: int


async def claim(database: Database, repository_id: int, digest: Digest, size: int, lease: timedelta) -> Claim:
    """T1. NameUnknown or QuotaExceeded where linking is refused."""
    row = await fetchrow(database, SELECT_CLAIM, repository_id, digest, size, lease)
    assert row is not None
    return Claim(row["state"] == "live", row["generation"], row["blob_id"])


async def finish(
    database: Database,
    repository_id: int,
    claimed: Claim,
    digest: Digest,
    size: int,
    lease: timedelta,
    upload: UUID | None,
    keep: timedelta,
) -> bool:
    """T2, with the upload's end in the same transaction. False: the claim was swept."""
    row = await fetchrow(
        database,
        SELECT_FINISH,
        repository_id,
        claimed.blob_id,
        claimed.generation,
        digest,
        size,
        lease,
        upload,
        keep,
    )
    assert row is not None
    return bool(row["ok"])


async def store_inline(database: Database, smalls: Sequence[Small], lease: timedelta) -> list[None]:
    """Small blobs, in one transaction."""
    columns = zip(*((small.repository_id, small.digest, small.content) for small in smalls), strict=True)
    await fetchval(database, SELECT_INLINE, *columns, lease)
    return [None] * len(smalls)


async def hand_back(database: Database, digest: Digest, generation: int) -> None:
    """An object written for a claim that was swept goes to gc."""
    await fetchval(database, SELECT_HAND_BACK, digest, generation)


async def mount(
    database: Database, repository_id: int, digest: Digest, source: str | None, who: Principal, lease: timedelta
) -> bool:
    """Link a blob that the caller may pull in source (None: anywhere)."""
    return bool(
        await fetchval(database, SELECT_MOUNT, repository_id, digest, source, who.kind, who.id, who.epoch, lease)
    )


async def hide(
    database: Database, repository_id: int, digest: Digest, username: str, address: str, request: str
) -> None:
    """DELETE: BlobUnknown, BlobReferenced."""
    await fetchval(database, SELECT_HIDE, repository_id, digest, username, address, request)


async def content(database: Database, blob_id: int) -> bytes | None:
    """The bytes of an inline blob; None once the mover has taken them to the store."""
    found = await fetchval(database, SELECT_CONTENT, blob_id)
    return None if found is None else bytes(found)


async def extend(database: Database, link_id: int, lease: timedelta) -> bool:
    """Renew a link's lease; False where the link went meanwhile."""
    return await fetchval(database, UPDATE_LEASE, link_id, lease) is not None


async def mark_missing(database: Database, blob_id: int, generation: int) -> bool:
    """A reader found the bytes lost: absent for everybody until pushed again."""
    return await fetchval(database, UPDATE_MISSING, blob_id, generation) is not None
