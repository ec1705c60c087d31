"""Tags of an artifact, and the labels on it."""

from typing import Annotated

import msgspec

from ...core.access import SYSTEM, Action
from ...core.body import Body, once
from ...core.local import LocalRepository
from ...core.oci.digest import Digest
from ...core.oci.errors import Conflict, CurveConflict, PreconditionFailed
from ...core.oci.names import check_tag
from ...core.records import inventory, labels, tags
from ...core.records.artifacts import Precondition
from ..endpoint import NoQuery, described
from ..v2.answer import Answer
from .answers import created, done
from .lists import Listed, listed
from .operation import Call, Operation
from .places import ARTIFACT, address, artifact, require_deletes
from .shown import Tag, tag_of
from .texts import Id, Word


class Tags(Listed, frozen=True, kw_only=True):
    """Which tags."""

    with_signature: Annotated[bool, described("Taken, and without effect.")] = False
    with_immutable_status: bool = False


class NewTag(msgspec.Struct, frozen=True):
    """A tag's name."""

    name: Word


class LabelId(msgspec.Struct, frozen=True):
    """A label by its id; whatever else is said of it is not looked at."""

    id: Id


async def _list(call: Call[Tags]) -> Answer:
    async with call.database.acquire() as conn:
        _, found = await artifact(conn, call)
        rows, total = await inventory.tag_page(conn, found.id, call.query.with_immutable_status, call.query.asked)
    return listed(call, [tag_of(row) for row in rows], total)


async def _create(call: Call[NoQuery]) -> Answer:
    """By the same transaction as any push of a tag, which decides what may have which name: rights were asked."""
    name = check_tag(call.body.name)
    async with call.database.acquire() as conn:
        place, found = await artifact(conn, call)
    local = LocalRepository(call.services.store, SYSTEM, place.name, call.actor)
    stored, raw, _ = await local.open_manifest(found.digest)
    body, digest = Body(once(raw), len(raw), None), Digest(found.digest)
    try:
        await local.push_manifest(body, stored.media_type, digest, [name], Precondition(none=True))
    except PreconditionFailed:
        raise Conflict(f"the repository has a tag {name} already") from None
    except CurveConflict as error:
        raise Conflict(error.message) from None
    return created(f"{address(place.name, found.digest)}/tags/{name}")


async def _delete(call: Call[NoQuery]) -> Answer:
    require_deletes(call)
    name = call.path["tag_name"]
    async with call.database.acquire() as conn:
        place, found = await artifact(conn, call)
    await tags.take(call.database, place.id, found.id, name, call.services.store.limits.lease, call.actor)
    return done()


async def _put_on(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        _, found = await artifact(conn, call)
        await labels.put_on(conn, call.principal, call.project_id, found, call.body.id, call.audit)
    return done()


async def _take_off(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        _, found = await artifact(conn, call)
        label = call.number("label_id")
        await labels.take_off(conn, call.principal, call.project_id, found, label, call.audit)
    return done()


_TAGS = ARTIFACT + "/tags"
OPERATIONS = (
    Operation("GET", _TAGS, "Tags of an artifact", _list, Tags, result=list[Tag], needs=Action.TAG_LIST),
    Operation(
        "POST",
        _TAGS,
        "Give an artifact a tag that no other has",
        _create,
        body=NewTag,
        status=201,
        needs=Action.TAG_CREATE,
        statuses={409: "The repository has this tag."},
    ),
    Operation(
        "DELETE",
        _TAGS + "/{tag_name}",
        "Take a tag from an artifact",
        _delete,
        needs=Action.TAG_DELETE,
        statuses={405: "Deletes are off.", 412: "A rule keeps it."},
    ),
    Operation(
        "POST",
        ARTIFACT + "/labels",
        "Put a label on an artifact",
        _put_on,
        body=LabelId,
        needs=Action.ARTIFACT_LABEL_CREATE,
        statuses={409: "It has it."},
    ),
    Operation(
        "DELETE",
        ARTIFACT + "/labels/{label_id}",
        "Take a label from an artifact",
        _take_off,
        needs=Action.ARTIFACT_LABEL_DELETE,
    ),
)
