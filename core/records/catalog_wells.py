"""Wells: those of a project, the curves of one, what covers what, and the files they came from."""

from collections.abc import Sequence
from decimal import Decimal

import asyncpg

from ..curves.names import normal
from ..oci import media
from .catalog import ENTRY, HOME, JOINED, Asker, ask, shown
from .catalog_conditions import Query
from .database import Database

_LIVE = "latest_version_id IS NOT NULL"
_WELL = f"""w.id, w.name, w.name_norm, w.uwi, w.api, w.operator, w.field, w.country, w.lat, w.lon,
  ARRAY(SELECT alias FROM well_alias WHERE well_id = w.id ORDER BY alias LIMIT 100) AS aliases,
  ARRAY(SELECT p.name || '/' || s.slug FROM well_slug s JOIN project p USING (project_id)
    WHERE s.well_id = w.id ORDER BY s.slug) AS refs,
  (SELECT count(*) FROM curve WHERE well_id = w.id AND {_LIVE}) AS curves"""

SELECT_WELL = f"""WITH {HOME}
SELECT {_WELL} FROM (SELECT s.well_id FROM home
  CROSS JOIN LATERAL (SELECT well_id FROM well_slug WHERE project_id = home.project_id AND slug = $5 OFFSET 0) AS s
) AS q JOIN well w ON w.id = q.well_id"""
SELECT_WELLS = f"""SELECT {_WELL} FROM unnest($1::bigint[]) WITH ORDINALITY AS q(well_id, n)
JOIN well w ON w.id = q.well_id ORDER BY q.n"""
SELECT_CURVES = f"""WITH {HOME}
SELECT {ENTRY}, c.frame_slug, c.frame_norm, c.mnemonic_norm, c.id AS curve_id FROM (
  SELECT o.latest_version_id AS version_id FROM home
  CROSS JOIN LATERAL (SELECT well_id FROM well_slug WHERE project_id = home.project_id AND slug = $5 OFFSET 0) AS s
  CROSS JOIN LATERAL (SELECT latest_version_id FROM curve WHERE well_id = s.well_id AND {_LIVE}
    AND (frame_slug, frame_norm, mnemonic_norm, id) > ($6, $7, $8, $9::bigint)
    ORDER BY frame_slug, frame_norm, mnemonic_norm, id LIMIT $10) AS o
) AS q {JOINED} ORDER BY c.frame_slug, c.frame_norm, c.mnemonic_norm, c.id"""
_COVERAGE = f"""SELECT w.name, w.name_norm, o.* FROM (
  SELECT id, name, name_norm FROM well WHERE project_id = ANY ($1::bigint[]) AND name_norm > $2
  ORDER BY name_norm LIMIT $3
) AS w CROSS JOIN LATERAL (
  SELECT array_agg(family) AS families, array_agg(index_kind) AS kinds, array_agg(curves) AS curves,
    array_agg(ranges) AS ranges
  FROM (SELECT c.family, c.index_kind, count(*) AS curves, %s::text AS ranges
    FROM curve c WHERE c.well_id = w.id AND c.{_LIVE} AND c.family IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2) AS g
) AS o ORDER BY w.name_norm"""
COUNTS = _COVERAGE % "NULL"
COVERAGE = _COVERAGE % "range_agg(c.idx_range)"
SELECT_ORIGINALS = f"""WITH {HOME}
SELECT a.digest, a.size, a.push_time, a.pushed_by, a.annotations::text AS annotations,
  (a.extra_attrs -> 'ingest')::text AS ingest,
  ARRAY(SELECT t.name FROM tag t WHERE t.artifact_id = a.id ORDER BY t.name LIMIT 50) AS tags
FROM home JOIN repository r ON r.project_id = home.project_id AND r.name = $5
JOIN artifact a ON a.repository_id = r.repository_id
WHERE a.deleted_at IS NULL AND a.digest > $6 AND (a.artifact_type = '{media.ORIGINAL}' OR a.extra_attrs ? 'ingest')
ORDER BY a.digest LIMIT $7"""

HOT = (SELECT_WELL, SELECT_CURVES)


async def wells(
    database: Database,
    asker: Asker,
    *,
    name: str | None = None,
    families: Sequence[str] = (),
    covering: tuple[Decimal, Decimal] | None = None,
    after: str = "",
    limit: int = 100,
) -> list[asyncpg.Record]:
    """Wells by name_norm, strictly after one. name: part of a name or alias, or the start of one, as people spell it;
    families: those with curves of all of them, each over the whole of `covering` (metres or seconds) if it is given."""
    query = Query([after, limit])
    where = ["w.name_norm > $2"]
    if name is not None:
        part = query.bind(normal(name))
        alias = f"SELECT FROM well_alias a WHERE a.well_id = w.id AND strpos(a.alias_norm, {part}) > 0"
        where.append(f"(strpos(w.name_norm, {part}) > 0 OR EXISTS ({alias} OFFSET 0))")
    covers = ""
    if covering is not None:
        low, high = map(query.bind, covering)
        covers = f" AND c.idx_range @> numrange({low}, {high}, '[]')"
    chosen = [f" AND c.family = {query.bind(family)}" for family in sorted(set(families))]
    for condition in chosen or [""]:  # OFFSET 0: a well at a time, as many as the page needs
        where.append(f"EXISTS (SELECT FROM curve c WHERE c.well_id = w.id AND c.{_LIVE}{condition}{covers} OFFSET 0)")
    question = f"""SELECT w.id FROM well w WHERE w.project_id = ANY ($1::bigint[]) AND {" AND ".join(where)}
ORDER BY w.name_norm LIMIT $3"""
    return await shown(database, asker, question, query.arguments, SELECT_WELLS, ("id",), behind=True)


async def well(database: Database, asker: Asker, slug: str) -> asyncpg.Record | None:
    """The well under a segment of the asker's project."""
    async with database.acquire() as conn:
        return await conn.fetchrow(SELECT_WELL, *asker.arguments, slug)


async def curves(
    database: Database, asker: Asker, slug: str, after: tuple[str, str, str, int] | None, limit: int
) -> list[asyncpg.Record]:
    """The latest versions of a well's curves, by frame and mnemonic (after a frame_slug, frame_norm, mnemonic_norm and
    curve_id)."""
    async with database.acquire() as conn:
        return await conn.fetch(SELECT_CURVES, *asker.arguments, slug, *(after or ("", "", "", 0)), limit)


async def coverage(
    database: Database, asker: Asker, after: str, limit: int, *, ranges: bool = True
) -> list[asyncpg.Record]:
    """For each of up to `limit` wells by name_norm its families and, in step with them, kinds of index, how many curves
    and, with `ranges` (most of what an answer costs), what they cover, as a numrange multirange in metres or seconds;
    all null for a well that has none."""
    return await ask(database, asker, COVERAGE if ranges else COUNTS, [after, limit], behind=True)


async def originals(database: Database, asker: Asker, name: str, after: str, limit: int) -> list[asyncpg.Record]:
    """Files as received, and what became of those that were pushed plain (`ingest`), by digest."""
    async with database.acquire() as conn:
        return await conn.fetch(SELECT_ORIGINALS, *asker.arguments, name, after, limit)
