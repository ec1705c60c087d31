"""Wells and their curves: projects/{project}/wells and coverage, wells/..., curves/... with their versions."""

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec

from ...core.access import Action
from ...core.curves.names import LATEST, Reference, checked_project
from ...core.oci.errors import NameUnknown, QueryInvalid
from ...core.records import catalog_versions, catalog_wells
from ...core.records.catalog import Asker
from ..endpoint import Endpoint, answer, described
from ..v2.answer import Answer
from .call import Call
from .entries import VersionEntry, version_entry
from .opened import named_at
from .paging import Cursor, Limit, cut, paged, start
from .search import Text, span
from .times import At

_RANGE = re.compile(r"[\[(]([^,]*),([^\])]*)[\])]")


class WellsQuery(msgspec.Struct, frozen=True, rename={"low": "from", "high": "to"}):
    """Which wells."""

    name: Annotated[Text | None, described("Part of a name or alias, however it is spelt.")] = None
    family: Annotated[list[Text], msgspec.Meta(max_length=20), described("Wells that have all these families,")] = []
    low: Annotated[Text | None, described("each over the whole of from")] = None
    high: Annotated[Text | None, described("to here.")] = None
    unit: Annotated[Text, described("Unit of from and to.")] = "m"
    limit: Limit = 100
    cursor: Cursor = None


class PageQuery(msgspec.Struct, frozen=True):
    """Which page."""

    limit: Limit = 100
    cursor: Cursor = None


class CoverageQuery(PageQuery, frozen=True):
    """Which page, and how much of it."""

    ranges: Annotated[
        bool, described("With what they cover; false: only how many there are, in a fraction of the time.")
    ] = True


class CurveQuery(msgspec.Struct, frozen=True):
    """Which version."""

    at: At = None


class WellEntry(msgspec.Struct, frozen=True):
    """refs: where its curves lie, PROJECT/WELL; curves: how many it has."""

    name: str
    refs: list[str]
    uwi: str | None
    aliases: list[str]
    api: str | None
    operator: str | None
    field: str | None
    country: str | None
    latitude: float | None
    longitude: float | None
    curves: int


class Wells(msgspec.Struct, frozen=True):
    """A page of wells, by name."""

    wells: list[WellEntry]


class WellCurves(msgspec.Struct, frozen=True):
    """A well and a page of the latest versions of its curves, by frame and mnemonic."""

    well: WellEntry
    curves: list[VersionEntry]


class CurveVersions(msgspec.Struct, frozen=True):
    """A page of a curve's versions: the highest number first, behind them those without one, the last pushed first."""

    versions: list[VersionEntry]


class Covered(msgspec.Struct, frozen=True):
    """ranges: what the family's curves cover, in metres or seconds, as [from, to]; null where not asked for."""

    family: str
    index_kind: str | None
    curves: int
    ranges: list[list[float]] | None = None


class WellCoverage(msgspec.Struct, frozen=True):
    """One row of the matrix."""

    well: str
    families: list[Covered]


class Coverage(msgspec.Struct, frozen=True):
    """A page of the matrix well x family, by well."""

    wells: list[WellCoverage]


class OriginalEntry(msgspec.Struct, frozen=True):
    """A file as received. ingest: what became of one that was pushed plain, null where nothing was to be done."""

    digest: str
    tags: list[str]
    size: int
    pushed: datetime
    author: str
    annotations: dict[str, Any]
    ingest: Any = None


class Originals(msgspec.Struct, frozen=True):
    """A page of files."""

    files: list[OriginalEntry]


def _well_entry(row: Any) -> WellEntry:
    return WellEntry(
        row["name"],
        row["refs"],
        row["uwi"],
        row["aliases"],
        *(row[name] for name in ("api", "operator", "field", "country", "lat", "lon", "curves")),
    )


async def pulling(call: Call[Any]) -> Asker:
    """The caller in the path's project, where they may pull."""
    project = checked_project(call.path["project"])
    await call.require(Action.PULL, project)
    return Asker(call.principal, project)


async def _wells(call: Call[WellsQuery]) -> Answer:
    query = call.query
    covering = span(query.low, query.high, query.unit)
    if covering is not None and None in covering:
        raise QueryInvalid("give both from and to, or neither")
    if any("\0" in text for text in (*query.family, query.name or "")):
        raise QueryInvalid("names and families hold no NUL")
    rows = await catalog_wells.wells(
        call.services.store.database,
        await pulling(call),
        name=query.name,
        families=query.family,
        covering=covering,  # type: ignore[arg-type]  # no None in it
        after=start(query.cursor, str) or "",
        limit=query.limit + 1,
    )
    shown, last = cut(rows, query.limit)
    return paged(call.request, Wells([_well_entry(row) for row in shown]), last and last["name_norm"])


async def _well(call: Call[PageQuery]) -> Answer:
    database, query, who = call.services.store.database, call.query, await pulling(call)
    segment = Reference.parse(f"{call.path['project']}/{call.path['well']}").segments[1]
    found = await catalog_wells.well(database, who, segment)
    if found is None:
        raise NameUnknown("the catalogue has no such well in this project")
    after = start(query.cursor, tuple[str, str, str, int])
    rows = await catalog_wells.curves(database, who, segment, after, query.limit + 1)
    shown, last = cut(rows, query.limit)
    cursor = last and (last["frame_slug"], last["frame_norm"], last["mnemonic_norm"], last["curve_id"])
    return paged(call.request, WellCurves(_well_entry(found), [version_entry(row) for row in shown]), cursor)


async def _originals(call: Call[PageQuery]) -> Answer:
    query, who = call.query, await pulling(call)
    name = Reference.parse(f"{call.path['project']}/{call.path['well']}").repository
    after = start(query.cursor, str) or ""
    rows = await catalog_wells.originals(call.services.store.database, who, name, after, query.limit + 1)
    shown, last = cut(rows, query.limit)
    files = [
        OriginalEntry(
            row["digest"],
            row["tags"],
            row["size"],
            row["push_time"],
            row["pushed_by"],
            msgspec.json.decode(row["annotations"]),
            row["ingest"] and msgspec.json.decode(row["ingest"]),
        )
        for row in shown
    ]
    return paged(call.request, Originals(files), last and last["digest"])


async def _coverage(call: Call[CoverageQuery]) -> Answer:
    query, who = call.query, await pulling(call)
    after, database = start(query.cursor, str) or "", call.services.store.database
    rows = await catalog_wells.coverage(database, who, after, query.limit + 1, ranges=query.ranges)
    shown, last = cut(rows, query.limit)
    wells = [WellCoverage(row["name"], _covered(row, query.ranges)) for row in shown]
    return paged(call.request, Coverage(wells), last and last["name_norm"])


def _covered(row: Any, ranges: bool) -> list[Covered]:
    columns = (row[name] or () for name in ("families", "kinds", "curves", "ranges"))
    return [
        Covered(
            family,
            kind,
            curves,
            [[float(end) for end in ends] for ends in _RANGE.findall(spans or "")] if ranges else None,
        )
        for family, kind, curves, spans in zip(*columns, strict=True)
    ]


def _curve_name(call: Call[Any]) -> str:
    path = call.path
    reference = Reference.parse("/".join(path[name] for name in ("project", "well", "frame", "curve")))
    return reference.repository


async def _curve(call: Call[CurveQuery]) -> Answer:
    database, who, name = call.services.store.database, await pulling(call), _curve_name(call)
    if call.query.at is None:
        found = await catalog_versions.latest(database, who, name)
    else:
        found = await catalog_versions.version(database, who, name, await named_at(call, name, LATEST, call.query.at))
    if found is None:
        raise NameUnknown("the catalogue has no such curve")
    return answer(version_entry(found), headers={"cache-control": "private, no-cache"})


async def _versions(call: Call[PageQuery]) -> Answer:
    query, who, name = call.query, await pulling(call), _curve_name(call)
    before = start(query.cursor, int)
    rows = await catalog_versions.versions(call.services.store.database, who, name, before, query.limit + 1)
    if not rows and before is None:
        raise NameUnknown("the catalogue has no such curve")
    shown, last = cut(rows, query.limit)
    return paged(call.request, CurveVersions([version_entry(row) for row in shown]), last and last["key"])


ENDPOINTS = (
    Endpoint("GET", "/projects/{project}/wells", "Wells of a project", _wells, query=WellsQuery, result=Wells),
    Endpoint(
        "GET", "/projects/{project}/coverage", "What is logged where", _coverage, query=CoverageQuery, result=Coverage
    ),
    Endpoint("GET", "/wells/{project}/{well}", "A well and its curves", _well, query=PageQuery, result=WellCurves),
    Endpoint(
        "GET", "/wells/{project}/{well}/originals", "Files as received", _originals, query=PageQuery, result=Originals
    ),
    Endpoint(
        "GET",
        "/curves/{project}/{well}/{frame}/{curve}",
        "A curve's header",
        _curve,
        query=CurveQuery,
        result=VersionEntry,
    ),
    Endpoint(
        "GET",
        "/curves/{project}/{well}/{frame}/{curve}/versions",
        "A curve's versions",
        _versions,
        query=PageQuery,
        result=CurveVersions,
    ),
)
