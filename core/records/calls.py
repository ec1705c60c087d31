"""One statement, one transaction, one round trip: how the functions of schema.sql are called.

Their refusals (`refuse(code, word, detail)`, SQLSTATE RGnnn) become the errors of core/oci/errors.py.
"""

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from ..oci import errors
from .database import RETRIES, Database
from .outages import AGAIN, RETRY_AFTER

_REFUSALS: dict[str, errors.RegistryError] = {
    "NAME_UNKNOWN": errors.NameUnknown("no such repository; a push to an existing project makes it"),
    "BLOB_UNKNOWN": errors.BlobUnknown("this repository has no such blob"),
    "BLOB_REFERENCED": errors.BlobReferenced("a manifest of this repository uses the blob; delete the manifest first"),
    "MANIFEST_UNKNOWN": errors.ManifestUnknown("this repository has no such tag or manifest"),
    "MANIFEST_GONE": errors.ManifestUnknown("this repository has no such manifest, nor one deleted so lately"),
    "TAG_NEVER": errors.ManifestUnknown("the tag has never named that here: its history tells what it named"),
    "MANIFEST_REFERENCED": errors.ManifestReferenced("an index of this repository lists the manifest; delete it first"),
    "SIZE_INVALID": errors.SizeInvalid("a descriptor's size is not the size of the content that is stored"),
    "VERSIONS_USED": errors.CurveConflict("the repository's version numbers are used up: push under a tag of your own"),
    "READ_ONLY": errors.ReadOnly("the registry became read-only meanwhile: push again when it takes changes"),
    "PRECONDITION": errors.PreconditionFailed("the tag is not where If-Match or If-None-Match expects it"),
}
_FOREIGN_KEYS = {
    "artifact_blob_ref_link_id_fkey": "BLOB_REFERENCED",
    "artifact_reference_child_id_fkey": "MANIFEST_REFERENCED",
    "repository_blob_repository_id_fkey": "NAME_UNKNOWN",
    "upload_repository_id_fkey": "NAME_UNKNOWN",
    "artifact_repository_id_fkey": "NAME_UNKNOWN",
}
_FLEETING = ("curve_well_id_fkey", "well_slug_well_id_fkey", "well_alias_well_id_fkey")
"""A reindex removed the well just now: the next try makes it again."""


async def fetchrows(database: Database, statement: str, *args: Any) -> list[asyncpg.Record]:
    """The rows of a statement that is a transaction of its own; run again after a deadlock."""
    for attempt in range(RETRIES + 1):
        try:
            async with database.acquire() as conn:
                return await conn.fetch(statement, *args)
        except AGAIN:
            await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))
        except asyncpg.PostgresError as error:
            if not isinstance(error, asyncpg.ForeignKeyViolationError) or error.constraint_name not in _FLEETING:
                raise refusal(error) from error
    raise errors.Unavailable("the database is too busy; try again in a few seconds", headers=RETRY_AFTER)


async def fetchrow(database: Database, statement: str, *args: Any) -> asyncpg.Record | None:
    """The first row, as `fetchrows`."""
    rows = await fetchrows(database, statement, *args)
    return rows[0] if rows else None


async def fetchval(database: Database, statement: str, *args: Any) -> Any:
    """The first column of the first row, as `fetchrow`."""
    row = await fetchrow(database, statement, *args)
    return None if row is None else row[0]


async def fetch(database: Database, statement: str, *args: Any) -> list[asyncpg.Record]:
    """All rows of a read."""
    async with database.acquire() as conn:
        return await conn.fetch(statement, *args)


@contextmanager
def refusals() -> Iterator[None]:
    """What schema.sql refuses inside, by a function or by a trigger, is raised as the error it stands for."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise refusal(error) from error


def refusal(error: asyncpg.PostgresError) -> Exception:
    """The error a refusal or a foreign key stands for; the error itself where it stands for none."""
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        word = _FOREIGN_KEYS.get(error.constraint_name or "")
        return _copy(_REFUSALS[word], None) if word else error
    if not (error.sqlstate or "").startswith("RG"):
        return error
    detail: Any = json.loads(error.detail) if error.detail else None
    word = str(error.args[0])
    if word == "MANIFEST_BLOB_UNKNOWN":
        return errors.ManifestBlobUnknown(detail)
    if word == "CURVE_CONFLICT":
        said = "its {what} is {holds!r}, the config names {given!r}".format(**detail)
        return errors.CurveConflict(f"the repository holds another {detail['what']}: {said}", detail)
    if word == "VERSION_TAKEN":
        said = "{tag} of this curve was given to {digest}, and a number stays with its version".format(**detail)
        return errors.CurveConflict(f"{said}: push with ?version=next, or under a free number", detail)
    if word in ("QUOTA", "QUOTA_ARTIFACTS"):
        return quota_exceeded(detail, "bytes" if word == "QUOTA" else "artifacts")
    if word == "TAG_IMMUTABLE":
        said = "{tag} of {repository} is immutable by rule {rule} of the project: it may neither move nor go"
        return errors.TagImmutable(said.format(**detail), detail)
    if word == "HELD":
        return errors.Held("hold {hold} keeps this from being deleted: {reason}".format(**detail), detail)
    return _copy(_REFUSALS[word], detail)


def quota_exceeded(detail: dict[str, int], what: str = "bytes") -> errors.QuotaExceeded:
    """The refusal of a push: detail is {limit, used, asked}."""
    said = "the project may hold {limit} {what}, holds {used}, and this needs {asked} more"
    return errors.QuotaExceeded(said.format(**detail, what=what), detail)


def _copy(error: errors.RegistryError, detail: Any) -> errors.RegistryError:
    return type(error)(error.message, detail)
