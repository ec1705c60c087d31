"""Legal holds of a project: what they cover is deleted by nobody until they are lifted."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from ...core.access import Action
from ...core.curves.names import checked_project
from ...core.oci.digest import Digest
from ...core.oci.errors import NotFound, QueryInvalid
from ...core.oci.names import check_repository
from ...core.records import holds
from ...core.records.calls import refusals
from ..endpoint import Endpoint, NoQuery, answer
from ..v2.answer import Answer
from .call import Call
from .paging import Cursor, Limit, cut, paged, start

Text = Annotated[str, msgspec.Meta(max_length=256)]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class HoldBody(msgspec.Struct, frozen=True):
    """What to hold: an artifact, with repository and digest; a repository; or, with neither, the project."""

    reason: Reason
    repository: Text | None = None
    digest: Text | None = None


class HoldsQuery(msgspec.Struct, frozen=True):
    """Which page."""

    limit: Limit = 100
    cursor: Cursor = None


class HoldEntry(msgspec.Struct, frozen=True):
    """A hold: digest null, on a whole repository; repository null too, on the project."""

    id: int
    repository: str | None
    digest: str | None
    reason: str
    user: str
    time: datetime


class Holds(msgspec.Struct, frozen=True):
    """A page of holds."""

    holds: list[HoldEntry]


class Placed(msgspec.Struct, frozen=True):
    """A new hold's id."""

    id: int


async def _project(call: Call[Any], action: Action) -> int:
    rights = await call.require(action, checked_project(call.path["project"]))
    assert rights.project_id is not None  # else nobody holds an action there
    return rights.project_id


def _where(call: Call[Any]) -> dict[str, str]:
    return {"address": call.actor.address, "request_id": call.actor.request_id}


async def _list(call: Call[HoldsQuery]) -> Answer:
    project, query = await _project(call, Action.HOLD_LIST), call.query
    async with call.services.store.database.acquire() as conn:
        rows = await holds.page(conn, project, start(query.cursor, int) or 0, query.limit + 1)
    shown, last = cut(rows, query.limit)
    return paged(call.request, Holds([HoldEntry(*each) for each in shown]), last and last.id)


async def _place(call: Call[NoQuery]) -> Answer:
    body: HoldBody = call.body
    project = await _project(call, Action.HOLD_CREATE)
    if body.digest is not None and body.repository is None:
        raise QueryInvalid("a digest is held in a repository: name it too")
    if "\0" in body.reason:
        raise QueryInvalid("reason holds no NUL")
    repository = None if body.repository is None else check_repository(body.repository)
    digest = None if body.digest is None else Digest.parse(body.digest)
    with refusals():
        async with call.services.store.database.transaction() as conn:
            found = await holds.place(conn, call.principal, project, repository, digest, body.reason, _where(call))
    return answer(Placed(found), 201)


async def _lift(call: Call[NoQuery]) -> Answer:
    project, text = await _project(call, Action.HOLD_DELETE), call.path["hold"]
    if not text.isdecimal() or len(text) > 18:
        raise NotFound(f"there is no hold {text[:80]}")
    async with call.services.store.database.transaction() as conn:
        await holds.lift(conn, call.principal, project, int(text), _where(call))
    return answer({}, 200)


ENDPOINTS = (
    Endpoint("GET", "/projects/{project}/holds", "Legal holds", _list, query=HoldsQuery, result=Holds),
    Endpoint("POST", "/projects/{project}/holds", "Hold", _place, body=HoldBody, result=Placed, status=201),
    Endpoint("DELETE", "/projects/{project}/holds/{hold}", "Lift a hold", _lift, result=dict[str, Any]),
)
