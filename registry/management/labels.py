"""Labels of the registry (scope g) and of projects (scope p)."""

from typing import Annotated, Any, Literal

import msgspec

from ...core.access import Action, SystemAction, hidden, require, require_system
from ...core.oci.errors import QueryInvalid
from ...core.records import accounts, labels, projects
from ...core.records.database import Connection
from ..endpoint import NoQuery, answer, described
from ..v2.answer import Answer
from .answers import created, done
from .label import Label, label_of
from .lists import Listed, listed
from .operation import Anyone, Call, Operation
from .texts import Id, Prose, Word

Color = Annotated[str, msgspec.Meta(max_length=16, pattern="^(#[0-9A-Fa-f]{3,8})?$")]
_SYSTEM = {
    Action.LABEL_CREATE: SystemAction.LABEL_CREATE,
    Action.LABEL_UPDATE: SystemAction.LABEL_UPDATE,
    Action.LABEL_DELETE: SystemAction.LABEL_DELETE,
}


class Labels(Listed, frozen=True, kw_only=True):
    """Which labels."""

    scope: Annotated[Literal["g", "p"], described("g: of the registry, p: of a project.")]
    name: Annotated[Word, described("Part of the name.")] = ""
    project_id: Annotated[Id, described("Of scope p: which project.")] = 0


class LabelBody(msgspec.Struct, frozen=True):
    """A label as it is to be."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern="^[^\x00]*$")]
    description: Prose = ""
    color: Color = ""
    scope: Literal["g", "p", ""] = "g"
    project_id: Id = 0


async def _require(conn: Connection, call: Call[Any], project_id: int | None, action: Action) -> None:
    """Return where the caller may do this with labels of a project (None: of the registry)."""
    if project_id is None:
        if action in _SYSTEM:
            require_system(call.principal, call.rights, _SYSTEM[action])
        return
    name = await projects.name_of(conn, project_id)
    rights = await accounts.rights(conn, call.principal, name or "/")
    if hidden(rights, action, Action.PROJECT_READ):
        raise labels.gone()
    require(call.principal, rights, action)


async def _found(conn: Connection, call: Call[Any], action: Action) -> Any:
    label = await labels.get(conn, call.number("label_id"))
    await _require(conn, call, label["project_id"], action)
    return label


async def _list(call: Call[Labels]) -> Answer:
    query = call.query
    project_id = query.project_id if query.scope == "p" else None
    if project_id == 0:
        raise QueryInvalid("scope=p needs the project_id")
    async with call.database.acquire() as conn:
        await _require(conn, call, project_id, Action.LABEL_LIST)
        rows, total = await labels.page(conn, project_id, query.name, query.asked)
    return listed(call, [label_of(row) for row in rows], total)


async def _create(call: Call[NoQuery]) -> Answer:
    body: LabelBody = call.body
    project_id = body.project_id if body.scope == "p" else None
    async with call.database.transaction() as conn:
        await _require(conn, call, project_id, Action.LABEL_CREATE)
        words = labels.Words(body.name, body.description, body.color)
        made = await labels.create(conn, call.principal, project_id, words, call.audit)
    return created(f"/labels/{made}")


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        return answer(label_of(await _found(conn, call, Action.LABEL_READ)))


async def _update(call: Call[NoQuery]) -> Answer:
    words = labels.Words(call.body.name, call.body.description, call.body.color)
    async with call.database.transaction() as conn:
        label = await _found(conn, call, Action.LABEL_UPDATE)
        await labels.update(conn, call.principal, label, words, call.audit)
    return done()


async def _delete(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        await labels.delete(conn, call.principal, await _found(conn, call, Action.LABEL_DELETE), call.audit)
    return done()


_TAKEN = {409: "There is one of that name."}
_ONE = "/labels/{label_id}"
OPERATIONS = (
    Operation("GET", "/labels", "Labels", _list, Labels, result=list[Label], needs=Anyone.SIGNED_IN),
    Operation(
        "POST",
        "/labels",
        "Make a label",
        _create,
        body=LabelBody,
        status=201,
        needs=Anyone.SIGNED_IN,
        statuses=_TAKEN,
    ),
    Operation("GET", _ONE, "A label", _get, result=Label, needs=Anyone.SIGNED_IN),
    Operation("PUT", _ONE, "Change a label", _update, body=LabelBody, needs=Anyone.SIGNED_IN, statuses=_TAKEN),
    Operation("DELETE", _ONE, "Delete a label, from artifacts too", _delete, needs=Anyone.SIGNED_IN),
)
