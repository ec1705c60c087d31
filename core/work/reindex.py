"""The catalogue made again from the artifacts alone, a repository at a time, while everybody goes on pushing.

A repository's rows are replaced in one transaction under its lock, so that no reader sees it half done, and a second
run changes nothing. Numbers come from the history of its tags. Verdicts of versions that stay are kept.
"""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import asyncpg
from asyncpg import Record

from dataforge_registry.drivers.base import Driver, DriverError, NotFound

from ..cataloguing import MOST_CONFIG, row_from
from ..curves.catalogue import home_of
from ..curves.errors import CurveError
from ..curves.schema import parse_manifest
from ..oci import media
from ..oci.digest import Digest, blob_key
from ..oci.errors import NameUnknown, RegistryError, Unavailable
from ..records.calls import refusal
from ..records.database import Connection, Database
from .queue import start
from .verdicts import wanted
from .wells import Wells

log = logging.getLogger(__name__)

PAGE: Final = 100
ROUNDS: Final = 5

SELECT_REPOSITORIES = """SELECT r.repository_id, r.name, r.project_id FROM repository r
WHERE r.project_id = $1 AND r.repository_id > $2
  AND (r.name LIKE '%/%/%/%' OR EXISTS (SELECT FROM curve c WHERE c.id = r.repository_id))
ORDER BY r.repository_id LIMIT $3"""
SELECT_PROJECTS = """SELECT project_id FROM project WHERE NOT deleted AND ($1::text IS NULL OR name = $1)
ORDER BY project_id"""
SELECT_IDS = """SELECT id FROM artifact WHERE repository_id = $1 AND artifact_type = $2 AND charged ORDER BY id"""
SELECT_ARTIFACTS = """SELECT id, digest, manifest FROM artifact
WHERE repository_id = $1 AND artifact_type = $2 AND charged AND id > $3 ORDER BY id LIMIT $4"""
SELECT_CONFIG = """SELECT b.digest, b.size, b.generation, b.key, b.content FROM artifact_blob_ref f
JOIN repository_blob l ON l.id = f.link_id JOIN artifact_blob b ON b.id = l.blob_id
WHERE f.artifact_id = $1 AND f.blob_digest = $2 AND b.state = 'live'"""
SELECT_NUMBERS = """SELECT to_digest, version_of(name) AS number FROM tag_history
WHERE repository_id = $1 AND version_of(name) IS NOT NULL AND to_digest IS NOT NULL ORDER BY id"""
LOCK = "SELECT 1 FROM repository WHERE repository_id = $1 FOR NO KEY UPDATE"
SELECT_KEPT = """SELECT id, verdict, findings, qc_severity, changed FROM curve_version WHERE curve_id = $1"""
DELETE_CURVE = "DELETE FROM curve WHERE id = $1"
DELETE_SLUG = """DELETE FROM well_slug s WHERE s.project_id = $1 AND s.slug = $2 AND NOT EXISTS (
  SELECT FROM curve c JOIN repository r ON r.repository_id = c.id
  WHERE c.well_id = s.well_id AND split_part(r.name, '/', 2) = s.slug)"""
PUT = """SELECT curves_put((SELECT array_agg(c ORDER BY c.n) FROM jsonb_populate_recordset(NULL::push_curve, $1) AS c),
  $2, array_fill($3::bigint, ARRAY[cardinality($2::bigint[])]),
  array_fill($4::bigint, ARRAY[cardinality($2::bigint[])]), $5)"""
UPDATE_KEPT = """UPDATE curve_version SET verdict = $2, findings = $3, qc_severity = $4, changed = $5 WHERE id = $1"""
UPDATE_DELETED = """UPDATE curve_version v SET deleted_at = a.deleted_at FROM artifact a
WHERE a.id = v.id AND v.curve_id = $1 AND a.deleted_at IS NOT NULL"""
UPDATE_NUMBER = """UPDATE repository SET last_version = $2 WHERE repository_id = $1 AND last_version < $2"""
REFRESH = "SELECT curves_refresh(ARRAY[$1::bigint])"
DELETE_SEGMENTS = """WITH page AS (SELECT content_id, blob_digest, verified FROM segment
  WHERE (blob_digest, content_id) > ($1, $2) ORDER BY blob_digest, content_id LIMIT $3),
gone AS (DELETE FROM segment s USING page p WHERE s.content_id = p.content_id AND s.blob_digest = p.blob_digest
  AND NOT s.verified AND NOT EXISTS (SELECT FROM artifact_blob_ref f WHERE f.blob_digest = p.blob_digest))
SELECT blob_digest, content_id FROM page ORDER BY blob_digest DESC, content_id DESC LIMIT 1"""
SELECT_UNJUDGED = """SELECT id FROM curve_version WHERE curve_id = $1 AND verdict = 'pending' ORDER BY id"""


@dataclass
class Reindexed:
    """What a run came to."""

    repositories: int = 0
    versions: int = 0
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Repository:
    id: int
    name: str
    project_id: int


class Reindex:
    """Makes the catalogue's rows again. Run it as often as wanted; one that was cut short is simply run again."""

    def __init__(self, database: Database, driver: Driver) -> None:
        self._database = database
        self._driver = driver

    async def run(self, project: str | None = None) -> AsyncIterator[Reindexed]:
        """Of one project, or all; yields how far it is after each page of repositories."""
        done = Reindexed()
        async with self._database.acquire() as conn:
            projects = [row["project_id"] for row in await conn.fetch(SELECT_PROJECTS, project)]
        for project_id in projects:
            wells = await Wells.open(self._database, project_id)
            last = 0
            while page := await self._page(project_id, last):
                for repository in page:
                    await self._repository(repository, wells, done)
                last = page[-1].id
                yield done
            await wells.settle()
        if project is None:
            await self._segments()
        elif not projects:
            raise NameUnknown(f"there is no project {project}")
        yield done

    async def _segments(self) -> None:
        """What was said of blobs that nothing names any more, and was never seen to be so, goes. A push that says it
        again this very moment may lose it, and with it no more than a chance to share a blob."""
        last: Any = ("", b"")
        while last is not None:
            async with self._database.acquire() as conn:
                last = await conn.fetchrow(DELETE_SEGMENTS, *last, 10 * PAGE)

    async def _page(self, project_id: int, last: int) -> list[_Repository]:
        async with self._database.acquire() as conn:
            rows = await conn.fetch(SELECT_REPOSITORIES, project_id, last, PAGE)
        return [_Repository(row["repository_id"], row["name"], row["project_id"]) for row in rows]

    async def _repository(self, repository: _Repository, wells: Wells, done: Reindexed) -> None:
        for _ in range(ROUNDS):
            rows, ids, refused = await self._read(repository)
            try:
                replace = partial(_replace, repository=repository, rows=rows, ids=ids)
                put = await self._database.run(replace)
            except RegistryError as error:
                if isinstance(error, Unavailable):
                    raise
                refused, put = [*refused, f"{repository.name}: {error.message}"], True
                rows = {}
            if put:
                break
        else:
            refused = [*refused, f"{repository.name}: it changes faster than it can be read; run it again"]
        for artifact, row in rows.items():
            wells.add(artifact, row)
        done.repositories += 1
        done.versions += len(rows)
        done.refused += refused

    async def _read(self, repository: _Repository) -> tuple[dict[int, Any], list[int], list[str]]:
        """The catalogue's row of each artifact that has one, the artifacts of all, and what is wrong with some."""
        home = home_of(repository.name)
        rows: dict[int, Any] = {}
        ids: list[int] = []
        refused: list[str] = []
        while home is not None:
            async with self._database.acquire() as conn:
                found = await conn.fetch(SELECT_ARTIFACTS, repository.id, media.CURVE, ids[-1] if ids else 0, PAGE)
            if not found:
                break
            for artifact in found:
                ids.append(artifact["id"])
                try:
                    row = await self._row(artifact, home)
                except (CurveError, RegistryError) as error:
                    refused.append(f"{repository.name}@{artifact['digest']}: {error}")
                else:
                    if row is not None:
                        rows[artifact["id"]] = row | {"digest": artifact["digest"]}
        return rows, ids, refused

    async def _row(self, artifact: Record, home: tuple[str, str, str]) -> dict[str, Any] | None:
        config = parse_manifest(artifact["manifest"]).config
        if config is None or config.size > MOST_CONFIG:
            return None
        async with self._database.acquire() as conn:
            blob = await conn.fetchrow(SELECT_CONFIG, artifact["id"], config.digest)
        content = None if blob is None else await self._content(blob)
        return None if content is None else row_from(artifact["manifest"], content, home)

    async def _content(self, blob: Record) -> bytes | None:
        digest, content = Digest(blob["digest"]), blob["content"]
        if content is None:
            try:
                opened = await self._driver.open(blob["key"] or blob_key(digest, blob["generation"]))
                async with aclosing(opened) as body:
                    content = b"".join([piece async for piece in body])
            except NotFound:
                return None
            except DriverError as error:
                raise Unavailable(f"the store cannot be read now: {error}") from error
        return bytes(content) if Digest.of(content, digest.algorithm) == digest else None


async def _replace(conn: Connection, repository: _Repository, rows: dict[int, Any], ids: list[int]) -> bool:
    """The repository's rows as they should be; False where a push came meanwhile, which must be read first."""
    await conn.execute(LOCK, repository.id)
    if [row["id"] for row in await conn.fetch(SELECT_IDS, repository.id, media.CURVE)] != ids:
        return False
    kept = await conn.fetch(SELECT_KEPT, repository.id)
    await conn.execute(DELETE_CURVE, repository.id)
    numbers = _numbers(await conn.fetch(SELECT_NUMBERS, repository.id))
    if numbers:
        await conn.execute(UPDATE_NUMBER, repository.id, max(numbers))
    given: dict[str, int] = {}
    for number, digest in numbers.items():
        given.setdefault(digest, number)
    if rows:
        await conn.execute(DELETE_SLUG, repository.project_id, repository.name.split("/")[1])
    order = list(rows)
    for at in range(0, len(order), PAGE):
        part = order[at : at + PAGE]
        curves = json.dumps([{"n": n, **rows[artifact]} for n, artifact in enumerate(part, 1)])
        mine = [given.get(rows[artifact]["digest"]) for artifact in part]
        try:
            await conn.execute(PUT, curves, part, repository.id, repository.project_id, mine)
        except asyncpg.PostgresError as error:
            raise refusal(error) from error
    if kept:
        await conn.executemany(UPDATE_KEPT, [tuple(row) for row in kept])
    await conn.execute(UPDATE_DELETED, repository.id)
    await conn.execute(REFRESH, repository.id)
    unjudged = [row["id"] for row in await conn.fetch(SELECT_UNJUDGED, repository.id)]
    if unjudged:
        await start(conn, wanted(unjudged))
    return True


def _numbers(history: list[Record]) -> dict[int, str]:
    """Number -> the digest it was first given to, in the order they were given."""
    numbers: dict[int, str] = {}
    for row in history:
        numbers.setdefault(row["number"], row["to_digest"])
    return numbers
