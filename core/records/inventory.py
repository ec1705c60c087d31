"""Artifacts as the management API shows them: lists, and what hangs on those of a page, by one question each."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg

from ..oci.errors import NotFound
from .database import Connection
from .holdings import SHOWN
from .listing import Asked, Column, Listing

MOST_PARSED, WHOLE = 1 << 18, 2**31 - 1
"""Bytes of an index whose manifest is read for the platforms of its children: by a list, and by itself."""
_CURVE = """(SELECT jsonb_build_object('well', w.name, 'uwi', w.uwi, 'frame', c.frame, 'mnemonic', c.mnemonic,
    'description', v.description, 'unit', v.unit, 'family', v.family, 'version', v.version, 'samples', v.samples,
    'dtype', v.dtype, 'index_kind', v.index_kind, 'index_unit', v.index_unit, 'first_index', v.first_index,
    'last_index', v.last_index, 'step', v.step, 'null_fraction', v.null_fraction, 'verdict', v.verdict)
  FROM curve_version v JOIN curve c ON c.id = v.curve_id JOIN well w ON w.id = c.well_id WHERE v.id = a.id)"""
_COLUMNS = f"""a.id, a.type, a.media_type, a.manifest_media_type, a.artifact_type, a.project_id, a.repository_id,
  a.repository_name, a.digest, a.size, a.push_time, a.pull_time, a.annotations, a.extra_attrs, {_CURVE} AS curve"""
_FIELDS = {
    "id": Column("a.id", "number"),
    "digest": Column("a.digest"),
    "type": Column("a.type"),
    "media_type": Column("a.media_type"),
    "manifest_media_type": Column("a.manifest_media_type"),
    "artifact_type": Column("a.artifact_type"),
    "repository_name": Column("a.repository_name"),
    "size": Column("a.size", "number"),
    "push_time": Column("a.push_time", "time"),
    "pull_time": Column("a.pull_time", "time"),
    "tags": Column("SELECT t.name FROM tag t WHERE t.artifact_id = a.id", "texts"),
    "labels": Column("SELECT l.label_id::text FROM artifact_label l WHERE l.artifact_id = a.id", "texts"),
}
_ORDER = ("a.push_time DESC", "a.id DESC")
OF_REPOSITORY = Listing(_COLUMNS, f"FROM artifact a WHERE a.repository_id = $1 AND {SHOWN}", _FIELDS, *_ORDER)
OF_PROJECT = Listing(
    _COLUMNS,
    f"""FROM artifact a JOIN repository r ON r.repository_id = a.repository_id AND r.deleted_at IS NULL
    WHERE a.project_id = $1 AND {SHOWN} AND (NOT $2::boolean OR a.id = (
      SELECT n.id FROM artifact n WHERE n.repository_id = a.repository_id AND n.deleted_at IS NULL
      ORDER BY n.push_time DESC, n.id DESC LIMIT 1))""",
    _FIELDS,
    *_ORDER,
)
GET = f"SELECT {_COLUMNS} FROM artifact a WHERE a.id = $1 AND a.deleted_at IS NULL"
BY_DIGEST = "SELECT id, digest FROM artifact WHERE repository_id = $1 AND digest = $2 AND deleted_at IS NULL"
BY_TAG = """SELECT a.id, a.digest FROM tag t JOIN artifact a ON a.id = t.artifact_id AND a.deleted_at IS NULL
WHERE t.repository_id = $1 AND t.name = $2"""
_TAG = """t.id, t.repository_id, t.artifact_id, t.name, t.push_time, t.pull_time,
  CASE WHEN $2::boolean THEN immutable_by(a.project_id, a.repository_name, t.name, a.id) IS NOT NULL END AS immutable"""
_TAG_FROM = "FROM tag t JOIN artifact a ON a.id = t.artifact_id"
TAGS = f"SELECT {_TAG} {_TAG_FROM} WHERE t.artifact_id = ANY ($1::bigint[]) ORDER BY t.push_time DESC, t.name"
_TAG_FIELDS = {
    "id": Column("t.id", "number"),
    "name": Column("t.name"),
    "push_time": Column("t.push_time", "time"),
    "pull_time": Column("t.pull_time", "time"),
}
TAG_LIST = Listing(
    _TAG,
    f"{_TAG_FROM} WHERE t.artifact_id = $1 AND $2::boolean IS NOT NULL",
    _TAG_FIELDS,
    "t.push_time DESC",
    "t.id",
)
LABELS = """SELECT l.artifact_id, k.id, k.project_id, k.name, k.description, k.color, k.creation_time, k.update_time
FROM artifact_label l JOIN label k ON k.id = l.label_id
WHERE l.artifact_id = ANY ($1::bigint[]) ORDER BY k.name, k.id"""
_ACCESSORY = """x.id, x.artifact_id, x.subject_artifact_id, x.digest, x.subject_artifact_digest, x.type, x.size,
  x.creation_time, a.repository_name"""
_ACCESSORY_FROM = "FROM artifact_accessory x JOIN artifact a ON a.id = x.artifact_id AND a.deleted_at IS NULL"
ACCESSORIES = f"SELECT {_ACCESSORY} {_ACCESSORY_FROM} WHERE x.subject_artifact_id = ANY ($1::bigint[]) ORDER BY x.id"
ACCESSORY_LIST = Listing(
    _ACCESSORY,
    f"{_ACCESSORY_FROM} WHERE x.subject_artifact_id = $1",
    {
        "id": Column("x.id", "number"),
        "digest": Column("x.digest"),
        "type": Column("x.type"),
        "size": Column("x.size", "number"),
        "creation_time": Column("x.creation_time", "time"),
    },
    "x.creation_time DESC",
    "x.id",
)
REFERENCES = """SELECT artifact_id, child_id, child_digest FROM artifact_reference
WHERE artifact_id = ANY ($1::bigint[]) ORDER BY artifact_id, child_digest"""
INDEXES = """SELECT id, manifest FROM artifact
WHERE id = ANY ($1::bigint[]) AND octet_length(manifest) <= $2"""


class Found(NamedTuple):
    """An artifact that is there."""

    id: int
    digest: str


async def of_repository(conn: Connection, repository_id: int, asked: Asked) -> tuple[list[asyncpg.Record], int]:
    """A page of a repository's artifacts, the last pushed first."""
    return await OF_REPOSITORY.page(conn, asked, repository_id)


async def of_project(conn: Connection, project_id: int, latest: bool, asked: Asked) -> tuple[list[asyncpg.Record], int]:
    """A page of a project's artifacts; latest: the last pushed of each repository alone."""
    return await OF_PROJECT.page(conn, asked, project_id, latest)


async def find(conn: Connection, repository_id: int, reference: str) -> Found:
    """What a tag or digest names; NotFound."""
    row = await conn.fetchrow(BY_DIGEST if ":" in reference else BY_TAG, repository_id, reference)
    if row is None:
        raise NotFound("the repository has no such artifact")
    return Found(*row)


async def get(conn: Connection, artifact_id: int) -> asyncpg.Record:
    """One artifact as lists show it; NotFound."""
    row = await conn.fetchrow(GET, artifact_id)
    if row is None:
        raise NotFound("the repository has no such artifact")
    return row


async def tag_page(
    conn: Connection, artifact_id: int, immutable: bool, asked: Asked
) -> tuple[list[asyncpg.Record], int]:
    """A page of an artifact's tags; immutable: with whether a rule keeps each."""
    return await TAG_LIST.page(conn, asked, artifact_id, immutable)


async def accessory_page(conn: Connection, artifact_id: int, asked: Asked) -> tuple[list[asyncpg.Record], int]:
    """A page of what is attached to an artifact."""
    return await ACCESSORY_LIST.page(conn, asked, artifact_id)


async def hanging(
    conn: Connection, statement: str, artifact_ids: Sequence[int], key: str, *more: Any
) -> dict[int, list[Any]]:
    """The rows of TAGS (more: as tag_page), LABELS, ACCESSORIES or REFERENCES by the artifact that they hang on."""
    found: dict[int, list[Any]] = {}
    for row in await conn.fetch(statement, artifact_ids, *more):
        found.setdefault(row[key], []).append(row)
    return found


async def manifests(conn: Connection, artifact_ids: Sequence[int], most: int = MOST_PARSED) -> dict[int, bytes]:
    """The bytes of manifests of at most so many bytes, by id."""
    return {row["id"]: bytes(row["manifest"]) for row in await conn.fetch(INDEXES, artifact_ids, most)}
