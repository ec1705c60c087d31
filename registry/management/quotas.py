"""Quotas: what each project may hold. A quota has the id of its project."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from ...core.access import SystemAction
from ...core.oci.errors import QueryInvalid
from ...core.records import quotas
from ...core.records.listing import Asked
from ..endpoint import NoQuery, answer, described
from ..v2.answer import Answer
from .answers import done
from .lists import Paged, Text, listed
from .operation import Call, Operation

Limit = Annotated[int, msgspec.Meta(ge=-1, le=2**60)]


class QuotaQuery(Paged, frozen=True, kw_only=True):
    """Which quotas."""

    reference: Annotated[Text, described("What they are of: `project`.")] = "project"
    reference_id: Annotated[Text, described("The id of one project.")] = ""
    sort: Annotated[Text, described("`hard.storage`, `used.storage`, `creation_time` ..., `-` for falling.")] = ""


class Owner(msgspec.Struct, frozen=True):
    """The project that a quota is of."""

    id: int
    name: str
    owner_name: str


class Quota(msgspec.Struct, frozen=True):
    """hard and used: `storage` in bytes, `artifact` in artifacts; -1 is no limit. warning: per cent of a limit."""

    id: int
    ref: Owner
    hard: dict[str, int]
    used: dict[str, int]
    warning: int
    creation_time: datetime
    update_time: datetime


class QuotaChange(msgspec.Struct, frozen=True):
    """New limits, -1 for none; what is not named stays. warning: the per cent of a limit from which pushes are warned,
    0 for never."""

    hard: dict[str, Limit] = {}
    warning: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None


def _entry(found: quotas.Quota) -> Quota:
    return Quota(
        found.project_id,
        Owner(found.project_id, found.project, found.owner),
        {"storage": found.storage_limit, "artifact": found.artifact_limit},
        {"storage": found.storage_used, "artifact": found.artifact_count},
        found.warning,
        found.creation_time,
        found.update_time,
    )


async def _list(call: Call[QuotaQuery]) -> Answer:
    query = call.query
    if query.reference != "project":
        raise QueryInvalid("reference: quotas are of projects")
    if query.reference_id and not (query.reference_id.isdecimal() and len(query.reference_id) <= 18):
        raise QueryInvalid("reference_id: a project's id is a number")
    one = int(query.reference_id) if query.reference_id else None
    asked = Asked(query.page, query.page_size, query.sort)
    async with call.database.acquire() as conn:
        found, total = await quotas.page(conn, asked, one)
    return listed(call, [_entry(each) for each in found], total)


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        return answer(_entry(await quotas.find(conn, call.number("id"))))


async def _put(call: Call[NoQuery]) -> Answer:
    body: QuotaChange = call.body
    if unknown := body.hard.keys() - {"storage", "artifact"}:
        raise QueryInvalid(f"hard: there is no limit of {min(unknown)!r}, only of storage and artifact")
    limits: dict[str, int | None] = {**body.hard, "warning": body.warning}
    async with call.database.transaction() as conn:
        await quotas.change(conn, call.principal, call.number("id"), limits, call.audit)
    return done()


_STATUSES: dict[str, Any] = {"statuses": {404: "there is no such quota"}}

OPERATIONS = (
    Operation(
        "GET",
        "/quotas",
        "Quotas of all projects",
        _list,
        query=QuotaQuery,
        result=list[Quota],
        needs=SystemAction.QUOTA_LIST,
    ),
    Operation("GET", "/quotas/{id}", "One quota", _get, result=Quota, needs=SystemAction.QUOTA_READ, **_STATUSES),
    Operation(
        "PUT", "/quotas/{id}", "Set limits", _put, body=QuotaChange, needs=SystemAction.QUOTA_UPDATE, **_STATUSES
    ),
)
"""Lists show hard and used in bytes, as Harbor does; `artifact` beside `storage`, and `warning`, are ours."""
