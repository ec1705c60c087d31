"""What tags named and when, and the way back: projects/{project}/history, deleted, restore."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from ...core.access import Action
from ...core.curves.names import checked_project
from ...core.oci.digest import Digest
from ...core.oci.errors import NameUnknown, QueryInvalid
from ...core.oci.names import check_repository, check_tag
from ...core.records import history
from ..endpoint import Endpoint, answer, described
from ..v2.answer import Answer
from .call import Call
from .paging import Cursor, Limit, cut, paged, start
from .times import At, time_of

Text = Annotated[str, msgspec.Meta(max_length=256)]
Name = Annotated[Text, described("PROJECT/... as /v2/ has it.")]


class HistoryQuery(msgspec.Struct, frozen=True):
    """Which tag."""

    repository: Name
    tag: Annotated[Text, described("The tag.")] = "latest"
    at: At = None
    limit: Limit = 100
    cursor: Cursor = None


class DeletedQuery(msgspec.Struct, frozen=True):
    """Which repository."""

    repository: Name
    limit: Limit = 100
    cursor: Cursor = None


class Restore(msgspec.Struct, frozen=True):
    """With a digest alone: a deleted artifact and its tags. With a tag: that tag, on the digest or, without one, where
    it was before it moved or went last; with `at`, what it named then."""

    repository: Text
    tag: Text | None = None
    digest: Text | None = None
    at: Text | None = None


class TagMove(msgspec.Struct, frozen=True):
    """from null: the tag was made; to null: it was removed."""

    tag: str
    old: str | None = msgspec.field(name="from")
    new: str | None = msgspec.field(name="to")
    user: str
    time: datetime


class TagMoves(msgspec.Struct, frozen=True):
    """A page of moves, the last first."""

    moves: list[TagMove]


class DeletedEntry(msgspec.Struct, frozen=True):
    """An artifact that can be restored until a time. size: of its manifest, in bytes."""

    digest: str
    type: str
    size: int
    deleted: datetime
    until: datetime


class DeletedArtifacts(msgspec.Struct, frozen=True):
    """A page of deleted artifacts, the last made first."""

    artifacts: list[DeletedEntry]


class Restored(msgspec.Struct, frozen=True):
    """What is there again, and the tags that name it because of this."""

    digest: str
    tags: list[str]


async def found_repository(call: Call[Any], name: str, action: Action) -> int:
    """The id of a repository of the path's project, for one who may act there."""
    project = checked_project(call.path["project"])
    await call.require(action, project)
    if check_repository(name).partition("/")[0] != project:
        raise QueryInvalid(f"repository: {name} is not in the project {project}")
    found = await history.repository(call.services.store.database, project, name)
    if found is None:
        raise NameUnknown("there is no such repository")
    return found


async def _moves(call: Call[HistoryQuery]) -> Answer:
    query = call.query
    repository = await found_repository(call, query.repository, Action.PULL)
    database, before = call.services.store.database, start(query.cursor, int)
    tag, at = check_tag(query.tag), time_of(query.at)
    shown, last = cut(await history.moves(database, repository, tag, at, before, query.limit + 1), query.limit)
    moves = [TagMove(each.tag, each.from_digest, each.to_digest, each.username, each.op_time) for each in shown]
    return paged(call.request, TagMoves(moves), last and last.id)


async def _deleted(call: Call[DeletedQuery]) -> Answer:
    query = call.query
    repository = await found_repository(call, query.repository, Action.PULL)
    before = start(query.cursor, int)
    rows = await history.deleted(call.services.store.database, repository, before, query.limit + 1)
    shown, last = cut(rows, query.limit)
    entries = [DeletedEntry(each.digest, each.type, each.size, each.deleted_at, each.keep_until) for each in shown]
    return paged(call.request, DeletedArtifacts(entries), last and last.id)


async def _restore(call: Call[Any]) -> Answer:
    body: Restore = call.body
    repository = await found_repository(call, body.repository, Action.DELETE)
    database, lease = call.services.store.database, call.services.store.limits.lease
    digest: str | None = Digest.parse(body.digest) if body.digest is not None else None
    if body.tag is None:
        if digest is None or body.at is not None:
            raise QueryInvalid("name a digest, or a tag and maybe the time when it was right")
        return answer(Restored(digest, await history.restore(database, repository, digest, lease, call.actor)))
    tag = check_tag(body.tag)
    if body.at is not None:
        if digest is not None:
            raise QueryInvalid("a tag is restored to a digest or to a time, not both")
        found = await history.moves(database, repository, tag, time_of(body.at), None, 1)
        if not found or found[0].to_digest is None:
            raise QueryInvalid(f"at: {tag} named nothing then")
        digest = found[0].to_digest
    return answer(Restored(await history.restore_tag(database, repository, tag, digest, lease, call.actor), [tag]))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/projects/{project}/history",
        "What a tag named, when, and who moved it",
        _moves,
        query=HistoryQuery,
        result=TagMoves,
    ),
    Endpoint(
        "GET",
        "/projects/{project}/deleted",
        "Deleted artifacts that can be restored",
        _deleted,
        query=DeletedQuery,
        result=DeletedArtifacts,
    ),
    Endpoint(
        "POST",
        "/projects/{project}/restore",
        "Bring a tag or a deleted artifact back, inside the undo window",
        _restore,
        body=Restore,
        result=Restored,
    ),
)
