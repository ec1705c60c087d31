"""GET /api/v1/search, /facets, /uses and /changes: questions over all curves that the caller may read."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import msgspec

from ...core.curves.families import canonical_index_unit
from ...core.curves.unit_table import UNITS
from ...core.oci.digest import Digest
from ...core.oci.errors import QueryInvalid
from ...core.records import catalog_search, catalog_versions
from ...core.records.catalog import Asker
from ...core.records.catalog_conditions import FIELDS, moment
from ...core.records.catalog_search import SORTS, Search
from ...core.search import parse_query
from ..endpoint import Endpoint, answer, described
from ..v2.answer import Answer
from .call import Call
from .entries import VersionEntry, version_entry
from .paging import Cursor, Limit, cut, paged, start

Text = Annotated[str, msgspec.Meta(max_length=256)]
Query = Annotated[str, msgspec.Meta(max_length=8192)]
Bins = Annotated[int, msgspec.Meta(ge=1, le=1000)]
Project = Annotated[Text | None, described("Only of this project; of all that the caller may read where it is absent.")]
Q = Annotated[
    Query,
    described(
        "Conditions joined by commas, all of which hold: field=value, field=~part, field=start*, field=[min~max], "
        f"field={{a b}}, field=(a b). Fields: {', '.join(sorted(FIELDS))}."
    ),
]


class SearchQuery(msgspec.Struct, frozen=True, rename={"low": "from", "high": "to"}):
    """What to find."""

    q: Q = ""
    project: Project = None
    low: Annotated[Text | None, described("Curves whose index reaches beyond this value.")] = None
    high: Annotated[Text | None, described("Curves whose index begins before this value.")] = None
    unit: Annotated[Text, described("Unit of from and to: m, ft, s ...")] = "m"
    versions: Annotated[Text, described("latest, or all.")] = "latest"
    sort: Annotated[
        Text,
        described(
            f"{', '.join(SORTS)}; with - in front the other way round. Where it is absent: mnemonic if q asks for the "
            "start of one, else id."
        ),
    ] = ""
    limit: Limit = 100
    cursor: Cursor = None


class FacetQuery(msgspec.Struct, frozen=True, rename={"low": "from", "high": "to"}):
    """What to count."""

    field: Annotated[Text, described("The field whose values are counted.")]
    q: Q = ""
    project: Project = None
    low: Annotated[Text | None, described("As in /search.")] = None
    high: Annotated[Text | None, described("As in /search.")] = None
    unit: Annotated[Text, described("Unit of from and to.")] = "m"
    versions: Annotated[Text, described("latest, or all.")] = "latest"
    bins: Annotated[Bins | None, described("Of a number: in so many bins.")] = None
    limit: Limit = 100


class UsesQuery(msgspec.Struct, frozen=True):
    """One of digest and content."""

    digest: Annotated[Text | None, described("A blob's digest.")] = None
    content: Annotated[Text | None, described("A content id: of a segment, of all values, or of an index.")] = None
    project: Project = None
    limit: Limit = 100
    cursor: Cursor = None


class ChangesQuery(msgspec.Struct, frozen=True):
    """Since when."""

    since: Annotated[Text, described("ISO 8601, UTC where it does not say.")]
    project: Project = None
    limit: Limit = 100
    cursor: Cursor = None


class Versions(msgspec.Struct, frozen=True):
    """A page of curve versions."""

    curves: list[VersionEntry]


class Facet(msgspec.Struct, frozen=True):
    """A value, or a bin from lower to upper, and how many curves have it."""

    count: int
    value: str | None = None
    lower: float | None = None
    upper: float | None = None


class Facets(msgspec.Struct, frozen=True):
    """The most frequent values first, or bins in order."""

    field: str
    values: list[Facet]


def span(low: str | None, high: str | None, unit: str) -> tuple[Decimal | None, Decimal | None] | None:
    """A span of index values in metres or seconds; QueryInvalid for one that is none."""
    if low is None and high is None:
        return None
    known = UNITS.get(canonical_index_unit(unit))
    if known is None or known.dimension not in ("length", "time"):
        raise QueryInvalid(f"{unit!r} is no unit of an index: give m, ft, s ...")

    def base(text: str | None) -> Decimal | None:
        if text is None:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            number = Decimal("nan")
        if not number.is_finite() or abs(number) > 10**15 or number.as_tuple().exponent < -30:  # type: ignore[operator]
            raise QueryInvalid(f"{text!r} is no index value: give a plain number, such as 2000 or 1523.5")
        return number * known.factor.numerator / known.factor.denominator

    bottom, top = base(low), base(high)
    if bottom is not None and top is not None and bottom > top:
        raise QueryInvalid(f"the window from {low} to {high} is upside down: give the smaller value first")
    return bottom, top


def asker(call: Call[Any], project: str | None) -> Asker:
    """The caller, asking about one project or all."""
    if project is not None and "\0" in project:
        raise QueryInvalid("a project's name holds no NUL")
    return Asker(call.principal, project)


def _wanted(query: SearchQuery | FacetQuery, **more: Any) -> Search:
    if query.versions not in ("latest", "all"):
        raise QueryInvalid("versions is latest or all")
    overlap = span(query.low, query.high, query.unit)
    return Search(parse_query(query.q), overlap, query.versions == "all", **more)


async def _search(call: Call[SearchQuery]) -> Answer:
    query = call.query
    after = start(query.cursor, tuple[str | None, int])
    wanted = _wanted(query, sort=query.sort, after=after, limit=query.limit + 1)
    rows = await catalog_search.search(call.services.store.database, asker(call, query.project), wanted)
    shown, last = cut(rows, query.limit)
    cursor = None if last is None else (last["sorted"], last["key"])
    return paged(call.request, Versions([version_entry(row) for row in shown]), cursor)


async def _facets(call: Call[FacetQuery]) -> Answer:
    query, database = call.query, call.services.store.database
    who, wanted = asker(call, query.project), _wanted(call.query)
    if query.bins is None:
        rows = await catalog_search.counts(database, who, wanted, query.field, query.limit)
        return answer(Facets(query.field, [Facet(row["count"], row["value"]) for row in rows]))
    rows = await catalog_search.histogram(database, who, wanted, query.field, query.bins)
    found = [Facet(row["count"], lower=row["lower"], upper=row["upper"]) for row in rows]
    return answer(Facets(query.field, found))


async def _uses(call: Call[UsesQuery]) -> Answer:
    query = call.query
    if (query.digest is None) == (query.content is None):
        raise QueryInvalid("give either digest or content")
    digest = None if query.digest is None else Digest.parse(query.digest)
    content = None if query.content is None else bytes.fromhex(Digest.parse(query.content).hex)
    after = start(query.cursor, int) or 0
    rows = await catalog_versions.uses(
        call.services.store.database, asker(call, query.project), digest, content, after, query.limit + 1
    )
    shown, last = cut(rows, query.limit)
    return paged(call.request, Versions([version_entry(row) for row in shown]), last and last["id"])


async def _changes(call: Call[ChangesQuery]) -> Answer:
    query = call.query
    since, after = start(query.cursor, tuple[str, int]) or (query.since, 0)
    try:
        time = moment(since)
    except (ValueError, OverflowError):
        raise QueryInvalid(f"since is a time such as 2020-01-31T12:00:00Z, not {since!r}") from None
    rows = await catalog_versions.changes(
        call.services.store.database, asker(call, query.project), time, after, query.limit + 1
    )
    shown, last = cut(rows, query.limit)
    cursor = None if last is None else (last["changed"].isoformat(), last["id"])
    return paged(call.request, Versions([version_entry(row) for row in shown]), cursor)


ENDPOINTS = (
    Endpoint("GET", "/search", "Curves by what they are and hold", _search, query=SearchQuery, result=Versions),
    Endpoint("GET", "/facets", "How often each value of a field comes", _facets, query=FacetQuery, result=Facets),
    Endpoint("GET", "/uses", "Versions that hold certain bytes or values", _uses, query=UsesQuery, result=Versions),
    Endpoint("GET", "/changes", "What changed since a time", _changes, query=ChangesQuery, result=Versions),
)
