"""Search over curve versions: conditions become SQL here, from fixed pieces and parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import asyncpg

from ..oci.errors import QueryInvalid
from ..search import Condition
from .catalog import Asker, ask, entries
from .catalog_conditions import FIELDS, LARGEST, Query, add, field_of
from .database import Database

SORTS = {
    "id": "",
    "well": "text",
    "mnemonic": "text",
    "samples": "bigint",
    "pushed": "timestamptz",
    "created": "timestamptz",
}
"""What results can be sorted by, id or a field, and the type of its values."""


@dataclass(frozen=True)
class Search:
    """conditions all hold; overlap: index values in metres or seconds; sort: a name in SORTS, `-` in front descends,
    empty for `order`; after: where the last page ended (`Found.last`)."""

    conditions: Sequence[Condition] = ()
    overlap: tuple[Decimal | None, Decimal | None] | None = None
    everything: bool = False
    sort: str = ""
    after: tuple[Any, int] | None = None
    limit: int = 100

    @property
    def order(self) -> str:
        """What it is sorted by where nobody says: starts of mnemonics are found in the order of mnemonics."""
        starts = any(one.field == "mnemonic" and one.operator == "starts" for one in self.conditions)
        return "mnemonic" if starts and not self.everything else "id"


async def search(database: Database, asker: Asker, wanted: Search) -> list[asyncpg.Record]:
    """Up to `limit` rows of catalog.ENTRY, and `sorted`, the value they are sorted by. QueryInvalid, also where `after`
    is no value of what they are sorted by."""
    query = _conditions(wanted)
    name = wanted.sort.removeprefix("-") or wanted.order
    if name not in SORTS:
        raise QueryInvalid(f"sort is one of {', '.join(SORTS)}, with - in front for the other way round")
    kind, key = SORTS[name], "v.id" if wanted.everything else "c.id"
    expression = FIELDS[name].sql(wanted.everything) if kind else ""
    way, than = ("DESC", "<") if wanted.sort.startswith("-") else ("ASC", ">")
    if wanted.after is not None:
        value, last = wanted.after
        if expression:
            query.where.append(f"({expression}, {key}) {than} ({query.bind(value)}::text::{kind}, {query.bind(last)})")
        else:
            query.where.append(f"{key} {than} {query.bind(last)}")
    version = "v.id" if wanted.everything else "c.latest_version_id"
    order = f"{expression} {way}, {key} {way}" if expression else f"{key} {way}"
    shown = expression or "NULL"
    question = f"""SELECT {version} AS version_id, {shown}::text AS sorted, {key} AS key
{query.text(wanted.everything, expression)} ORDER BY {order} LIMIT {query.bind(wanted.limit)}"""
    try:
        return await entries(database, asker, question, query.arguments, behind=True)
    except asyncpg.DataError:
        if wanted.after is None:
            raise
        raise QueryInvalid("the page after does not belong to this list") from None


async def counts(database: Database, asker: Asker, wanted: Search, name: str, limit: int) -> list[asyncpg.Record]:
    """How often each value of a field comes: rows of value (text) and count, the most first."""
    query, known = _conditions(wanted), field_of(name)
    if known.kind not in ("well", "name", "word", "unit"):
        raise QueryInvalid(f"{name} has too many values to count each; give bins")
    shown = {"well": "w.name", "uwi": "w.uwi", "frame": "c.frame", "mnemonic": "c.mnemonic"}
    expression = shown.get(name, known.sql(wanted.everything))
    question = f"""SELECT {expression} AS value, count(*) AS count {query.text(wanted.everything, expression)}
AND {expression} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {query.bind(limit)}"""
    return await ask(database, asker, question, query.arguments, behind=True)


async def histogram(database: Database, asker: Asker, wanted: Search, name: str, bins: int) -> list[asyncpg.Record]:
    """Rows of lower, upper and count: curves in bins of a number, those that have none."""
    query, known = _conditions(wanted), field_of(name)
    if known.kind != "number":
        raise QueryInvalid(f"bins are of numbers, and {name} is none")
    expression = known.sql(wanted.everything)
    many = query.bind(bins)
    question = f"""WITH found AS MATERIALIZED (
  SELECT {expression}::float8 AS value {query.text(wanted.everything, expression)} AND {expression} IS NOT NULL
    AND {expression} BETWEEN -{LARGEST} AND {LARGEST}
), ends AS (SELECT min(value) AS low, max(value) AS high FROM found)
SELECT low + (high - low) / {many}::int * (bin - 1) AS lower, low + (high - low) / {many}::int * bin AS upper, count
FROM (
  SELECT CASE WHEN high = low THEN 1 ELSE least(width_bucket(value, low, high, {many}::int), {many}::int) END AS bin,
    count(*) AS count FROM found, ends GROUP BY 1
) AS b, ends ORDER BY bin"""
    return await ask(database, asker, question, query.arguments, behind=True)


def _conditions(wanted: Search) -> Query:
    query = Query()
    for condition in wanted.conditions:
        add(query, condition, wanted.everything)
    if wanted.overlap is not None:
        low, high = (query.bind(end) for end in wanted.overlap)
        column = "v.idx_range" if wanted.everything else "c.idx_range"
        query.where.append(f"{column} && numrange({low}::numeric, {high}::numeric, '[]')")
    return query
