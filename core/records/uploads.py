"""Uploads: the rows that let any server take the next request."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from ...drivers.base import Staging
from ..oci.digest import Digest
from .calls import fetchrow, fetchrows, fetchval
from .database import Database

SELECT_START = "SELECT upload_start($1, $2, $3, $4, $5)"
SELECT_TAKE = 'SELECT answer, algorithm, "offset", hash_state, staging, digest FROM upload_take($1, $2, $3, $4, $5, $6)'
SELECT_FORK = "SELECT upload_fork($1, $2, $3, $4)"
SELECT_SAVE = "SELECT upload_save($1, $2, $3, $4, $5, $6)"
SELECT_INLINE = 'SELECT answer, "offset", digest FROM upload_inline($1, $2, $3, $4, $5, $6, $7, $8)'
SELECT_STATUS = """SELECT status, algorithm, "offset", staging, digest FROM upload
WHERE id = $1 AND repository_id = $2 AND principal = $3"""
UPDATE_RENEW = "UPDATE upload SET leased_at = clock_timestamp() WHERE id = $1 AND lease = $2 RETURNING id"
UPDATE_RELEASE = "UPDATE upload SET lease = NULL, leased_at = NULL WHERE id = $1 AND lease = $2 RETURNING id"
DELETE_UPLOAD = """WITH dropped AS (
  DELETE FROM upload WHERE id = $1 AND repository_id = $2 AND principal = $3 AND status = 'open' RETURNING staging
), queued AS (
  INSERT INTO upload_staging (id, state, abort_after) SELECT staging ->> 'id', staging, clock_timestamp() FROM dropped
  WHERE staging IS NOT NULL ON CONFLICT (id) DO NOTHING
)
SELECT count(*) FROM dropped"""
SELECT_DONE = "SELECT upload_done($1, $2, $3)"

HOT = (SELECT_STATUS, UPDATE_RENEW, UPDATE_RELEASE, DELETE_UPLOAD)


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as its row says. answer: taken, taken over, done, busy, offset or unknown."""

    answer: str
    algorithm: str = "sha256"
    offset: int = 0
    hash_state: bytes | None = None
    staging: Staging | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class New:
    """An upload that is to begin."""

    upload: UUID
    repository_id: int
    principal: str
    algorithm: str


@dataclass(frozen=True, slots=True)
class Small:
    """The one PUT of an upload: all its bytes, and the digest that they have."""

    upload: UUID
    repository_id: int
    principal: str
    digest: Digest
    content: bytes


async def start(database: Database, news: Sequence[New], expiry: timedelta) -> list[None]:
    """New uploads at offset 0; NameUnknown where a repository went meanwhile."""
    columns = zip(*((new.upload, new.repository_id, new.principal, new.algorithm) for new in news), strict=True)
    await fetchval(database, SELECT_START, *columns, expiry)
    return [None] * len(news)


async def take(
    database: Database,
    upload: UUID,
    repository_id: int,
    principal: str,
    offset: int | None,
    lease: UUID,
    stale: timedelta,
) -> Upload:
    """Become the one writer, at this offset where one is given."""
    row = await fetchrow(database, SELECT_TAKE, upload, repository_id, principal, offset, lease, stale)
    assert row is not None
    return _upload(row, row["answer"])


async def fork(database: Database, upload: UUID, lease: UUID, new: Staging, old: Staging) -> bool:
    """After a take-over: the copy is the upload's staging now, the old one goes to the reaper. False: lease lost."""
    return bool(await fetchval(database, SELECT_FORK, upload, lease, _dump(new), _dump(old)))


async def save(
    database: Database, upload: UUID, lease: UUID, hash_state: bytes | None, staging: Staging, expiry: timedelta
) -> bool:
    """The end of a PATCH, giving up the lease. False: the lease was taken over meanwhile."""
    row = (upload, lease, staging.size, hash_state, _dump(staging), expiry)
    return bool(await fetchval(database, SELECT_SAVE, *row))


async def put_inline(
    database: Database, smalls: Sequence[Small], stale: timedelta, lease: timedelta, keep: timedelta
) -> list[Upload]:
    """The only PUTs of small blobs, of as many uploads: answers stored, or as `take`."""
    columns = zip(*((s.upload, s.repository_id, s.principal, s.digest, s.content) for s in smalls), strict=True)
    rows = await fetchrows(database, SELECT_INLINE, *columns, stale, lease, keep)
    return [Upload(row["answer"], offset=row["offset"] or 0, digest=row["digest"]) for row in rows]


async def status(database: Database, upload: UUID, repository_id: int, principal: str) -> Upload | None:
    """Where an open upload stands; None where there is none."""
    row = await fetchrow(database, SELECT_STATUS, upload, repository_id, principal)
    return None if row is None or row["status"] != "open" else _upload(row, "open")


async def renew(database: Database, upload: UUID, lease: UUID) -> bool:
    """Keep the lease while bytes stream. False: somebody took over."""
    return await fetchval(database, UPDATE_RENEW, upload, lease) is not None


async def release(database: Database, upload: UUID, lease: UUID) -> None:
    """Give the lease up with nothing changed."""
    await fetchval(database, UPDATE_RELEASE, upload, lease)


async def done(database: Database, upload: UUID, digest: Digest, keep: timedelta) -> None:
    """The blob is there: a repeated PUT is answered from the row for a while."""
    await fetchval(database, SELECT_DONE, upload, digest, keep)


async def cancel(database: Database, upload: UUID, repository_id: int, principal: str) -> bool:
    """Forget an open upload; its staging goes to the reaper."""
    return bool(await fetchval(database, DELETE_UPLOAD, upload, repository_id, principal))


def _upload(row: Any, answer: str) -> Upload:
    state = row.get("hash_state")
    return Upload(answer, row["algorithm"] or "sha256", row["offset"] or 0, state, _load(row["staging"]), row["digest"])


def _dump(staging: Staging) -> str:
    return json.dumps({"id": staging.id, "size": staging.size, "state": staging.state})


def _load(text: str | None) -> Staging | None:
    return None if text is None else Staging(**json.loads(text))
