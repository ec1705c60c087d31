"""The batched look-ups: one query answers every read that waited for it, with the caller's rights in the same row.

Each key names principal, repository and reference, so callers never share rights, and the row asks the principal itself
again. Pure SELECTs that never carry the bytes of manifests.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..access import Principal, Rights
from .accounts import COLUMNS, rights_of
from .database import Connection
from .settings import Mode

_KEY = "\x1e"
_FOUND = COLUMNS + 1
# Each look-up below is a subquery of its own (OFFSET 0 keeps it one), so that all of its conditions reach its index.
# As plain joins, the planner put the tag's name behind an index scan of all tags of the repository.
_KEYS = """
FROM (
  SELECT n, split_part(line, E'\\x1f', 1) AS kind, split_part(line, E'\\x1f', 2)::bigint AS id,
    split_part(line, E'\\x1f', 3)::int AS epoch, split_part(line, E'\\x1f', 4) AS repository,
    split_part(line, E'\\x1f', 5) AS reference
  FROM unnest(string_to_array($1, E'\\x1e')) WITH ORDINALITY AS keys(line, n) OFFSET 0
) AS q
CROSS JOIN LATERAL rights(q.kind, q.id, q.epoch, split_part(q.repository, '/', 1)) AS x
LEFT JOIN LATERAL (
  SELECT repository_id FROM repository
  WHERE project_id = x.project_id AND name = q.repository AND deleted_at IS NULL OFFSET 0
) AS r ON true
"""
# The columns in the order of the dataclasses below: Rights and Home, then FoundArtifact or FoundBlob.
_RIGHTS = """x.valid, x.admin, x.project_id, x.public, x.sparse, x.roles, x.grants, x.storage_limit, x.storage_used,
  r.repository_id"""
_ARTIFACT = """a.id, a.digest, a.manifest_media_type, a.size,
  extract(epoch FROM a.keep_until - clock_timestamp())::float8 AS remaining"""
_OF_ARTIFACT = "id, digest, manifest_media_type, octet_length(manifest) AS size, keep_until"

SELECT_HOME = f"""SELECT {_RIGHTS}, (SELECT value #>> '{{}}' FROM setting WHERE name = 'mode') AS mode
{_KEYS} ORDER BY q.n"""
SELECT_BY_TAG = f"""SELECT {_RIGHTS}, {_ARTIFACT}, t.id AS tag_id {_KEYS}
LEFT JOIN LATERAL (
  SELECT id, artifact_id FROM tag WHERE repository_id = r.repository_id AND name = q.reference OFFSET 0
) AS t ON true
LEFT JOIN LATERAL (
  SELECT {_OF_ARTIFACT} FROM artifact WHERE id = t.artifact_id AND deleted_at IS NULL OFFSET 0
) AS a ON true
ORDER BY q.n"""
SELECT_BY_DIGEST = f"""SELECT {_RIGHTS}, {_ARTIFACT}, NULL::bigint AS tag_id {_KEYS}
LEFT JOIN LATERAL (
  SELECT {_OF_ARTIFACT} FROM artifact
  WHERE repository_id = r.repository_id AND digest = q.reference AND deleted_at IS NULL OFFSET 0
) AS a ON true
ORDER BY q.n"""
SELECT_BLOB = f"""SELECT {_RIGHTS}, l.id, b.id AS blob_id, b.digest, b.size, b.generation, b.key, b.inline,
  extract(epoch FROM l.keep_until - clock_timestamp())::float8 AS remaining {_KEYS}
LEFT JOIN LATERAL (
  SELECT id, digest, size, generation, key, content IS NOT NULL AS inline FROM artifact_blob
  WHERE digest = q.reference AND state = 'live' OFFSET 0
) AS b ON true
LEFT JOIN LATERAL (
  SELECT id, keep_until FROM repository_blob
  WHERE repository_id = r.repository_id AND blob_id = b.id AND NOT hidden OFFSET 0
) AS l ON true
ORDER BY q.n"""

HOT = (SELECT_HOME, SELECT_BY_TAG, SELECT_BY_DIGEST, SELECT_BLOB)


def key(principal: Principal, repository: str, reference: str = "") -> str:
    """What one request asks for; reference is a tag, a digest, or empty.

    A text, since all keys of a query travel as one: encoding arrays costs a client 4 us a key, more than the rest of
    its query. No field can hold a separator: what a client sends is held against its grammar before.
    """
    return f"{principal.kind}\x1f{principal.id}\x1f{principal.epoch}\x1f{repository}\x1f{reference}"


class Home(NamedTuple):
    """A repository as its caller sees it. repository_id is None before the first push. `mode` is known to `homes`
    alone, which all that changes something asks."""

    rights: Rights
    repository_id: int | None
    mode: Mode = Mode.NORMAL


class FoundArtifact(NamedTuple):
    """A manifest that is there. `remaining` is its lease, in seconds."""

    id: int
    digest: str
    media_type: str
    size: int
    remaining: float
    tag_id: int | None


class FoundBlob(NamedTuple):
    """A blob that this repository may serve. `inline`: its bytes are still in its row."""

    link_id: int
    blob_id: int
    digest: str
    size: int
    generation: int
    key: str | None
    inline: bool
    remaining: float


async def homes(conn: Connection, keys: Sequence[str]) -> list[Home]:
    """The repositories of keys, in order."""
    rows = await conn.fetch(SELECT_HOME, _KEY.join(keys))
    return [_home(row)._replace(mode=Mode(row["mode"] or Mode.NORMAL)) for row in rows]


async def by_tag(conn: Connection, keys: Sequence[str]) -> list[tuple[Home, FoundArtifact | None]]:
    """The manifests that tags name now, in order."""
    return [(_home(row), _artifact(row)) for row in await conn.fetch(SELECT_BY_TAG, _KEY.join(keys))]


async def by_digest(conn: Connection, keys: Sequence[str]) -> list[tuple[Home, FoundArtifact | None]]:
    """The manifests of digests, in order."""
    return [(_home(row), _artifact(row)) for row in await conn.fetch(SELECT_BY_DIGEST, _KEY.join(keys))]


async def blobs(conn: Connection, keys: Sequence[str]) -> list[tuple[Home, FoundBlob | None]]:
    """The blobs of digests, in order."""
    return [(_home(row), _blob(row)) for row in await conn.fetch(SELECT_BLOB, _KEY.join(keys))]


def _home(row: Any) -> Home:
    return Home(rights_of(row), row[COLUMNS])


def _artifact(row: Any) -> FoundArtifact | None:
    return None if row[_FOUND] is None else FoundArtifact(*row[_FOUND:])


def _blob(row: Any) -> FoundBlob | None:
    return None if row[_FOUND] is None else FoundBlob(*row[_FOUND:])
