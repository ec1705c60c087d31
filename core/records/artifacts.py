"""Artifacts: the rows that hold manifests, and what refers to them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from ..batch import Batch, apart
from ..oci import media
from ..oci.digest import Digest
from ..oci.manifest import Descriptor, Manifest
from .calls import fetch, fetchrows, fetchval
from .database import Database
from .quotas import warning

SELECT_PUT = "SELECT absent, version, warning FROM manifests_put($1, $2, $3, $4, $5, $6)"
SELECT_DELETE = "SELECT artifact_delete($1, $2, $3, $4, $5, $6)"
SELECT_MANIFEST = "SELECT manifest FROM artifact WHERE id = $1 AND deleted_at IS NULL"
UPDATE_LEASE = """UPDATE artifact SET keep_until = clock_timestamp() + $2
WHERE id = $1 AND deleted_at IS NULL RETURNING id"""
SELECT_REFERRERS = """SELECT digest, manifest_media_type, octet_length(manifest) AS size, artifact_type, annotations
FROM artifact WHERE repository_id = $1 AND subject_digest = $2 AND deleted_at IS NULL AND digest > $3
  AND ($4::text IS NULL OR artifact_type = $4) ORDER BY digest LIMIT $5"""

TOGETHER = 4 << 20
"""Bytes of manifests of one transaction; a single one may be longer."""

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
    """If-Match (a digest, or * for any) or If-None-Match: * on the tags of a push, but for those that go along: they
    move wherever they stand."""

    match: str | None = None
    none: bool = False
    along: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Push:
    """A manifest to be put. accessory: (type, subject digest). numbered: under the next version number too. home: its
    repository may be a curve's; curve: the catalogue's row of it (core/curves/catalogue.py), None where it is none."""

    repository_id: int
    manifest: Manifest
    tags: list[str]
    expected: Precondition
    accessory: tuple[str, str] | None
    actor: Actor
    numbered: bool = False
    home: bool = False
    curve: dict[str, Any] | None = None


class Pushed(NamedTuple):
    """What a push came to: how many blobs and children it names that are not here (a sparse project allows that), and
    the number of its version, where it asked for one or is a curve's. warning: that a limit is near."""

    absent: int
    version: int | None
    warning: str | None = None


Pushes = Batch[None, Push, Pushed]
"""`get` does a push, whole, with others that wait: NameUnknown, ManifestBlobUnknown, SizeInvalid, PreconditionFailed,
CurveConflict, QuotaExceeded."""


def pushes(database: Database, lease: timedelta) -> Pushes:
    """Pushes that wait together share a transaction, as far as they touch different things."""
    together = apart(partial(put_many, database, lease=lease))

    async def ask(_: None, waiting: Sequence[Push]) -> list[Pushed | Exception]:
        answers: list[Pushed | Exception] = []
        for group in disjoint(waiting):
            try:
                answers += await together(group)
            except Exception as error:  # of this transaction; what others committed is so
                answers += [error] * len(group)
        return answers

    return Batch(nullcontext, ask)


async def put_many(database: Database, pushes: Sequence[Push], lease: timedelta) -> list[Pushed]:
    """Pushes in one transaction; no two of them may share an artifact or a tag (see `disjoint`)."""
    rows = await fetchrows(database, SELECT_PUT, *arguments(pushes), lease)
    return [Pushed(row["absent"], row["version"], warning(row["warning"])) for row in rows]


def arguments(pushes: Sequence[Push]) -> tuple[str, list[bytes], str, str, str]:
    """Of SELECT_PUT, but for the lease: heads, manifests, blobs, children, curves."""
    heads, blobs, children = [], [], []
    for n, push in enumerate(pushes, 1):
        needed = {blob.digest: blob for blob in push.manifest.blobs}
        needed |= {blob.digest: blob for blob in push.manifest.blobs if not blob.foreign}
        blobs += [_part(n, blob, not blob.foreign) for blob in needed.values()]
        children += [_part(n, child, True) for child in {c.digest: c for c in push.manifest.manifests}.values()]
        heads.append(_head(n, push, sum(blob.size for blob in needed.values())))
    curves = [{"n": n} | push.curve for n, push in enumerate(pushes, 1) if push.curve]
    raws = [push.manifest.raw for push in pushes]
    return json.dumps(heads), raws, json.dumps(blobs), json.dumps(children), json.dumps(curves)


def disjoint(pushes: Sequence[Push]) -> Iterator[list[Push]]:
    """Pushes in groups, each for one `put_many`: in their order as far as they touch the same thing."""
    group: list[Push] = []
    touched: set[tuple[int, str]] = set()
    size = 0
    for push in pushes:
        touches = {(push.repository_id, name) for name in (push.manifest.digest, *push.tags)}
        size += len(push.manifest.raw)
        if group and (touched & touches or size > TOGETHER):
            yield group
            group, touched, size = [], set(), len(push.manifest.raw)
        group.append(push)
        touched |= touches
    yield group


def _head(n: int, push: Push, blobs: int) -> dict[str, Any]:
    manifest = push.manifest
    kind, subject = push.accessory or (None, None)
    return {
        "n": n,
        "repository_id": push.repository_id,
        "digest": manifest.digest,
        "manifest_media_type": manifest.media_type,
        "artifact_type": manifest.referrer_type,
        "media_type": manifest.referrer_type or (media.OCI_INDEX if manifest.is_index else media.OCI_MANIFEST),
        "type": manifest.type_word,
        "size": blobs + len(manifest.raw),
        "annotations": manifest.annotations,
        "subject": manifest.subject.digest if manifest.subject else None,
        "accessory": kind,
        "accessory_of": subject,
        "tags": push.tags,
        "if_match": push.expected.match,
        "if_none_match": push.expected.none,
        "along": push.expected.along,
        "numbered": push.numbered,
        "home": push.home,
        "curve": push.curve is not None,
        "username": push.actor.username,
        "address": push.actor.address,
        "request": push.actor.request_id,
    }


def _part(n: int, descriptor: Descriptor, required: bool) -> dict[str, Any]:
    return {"n": n, "digest": descriptor.digest, "size": descriptor.size, "required": required}


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
