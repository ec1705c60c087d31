"""Repositories: lists, a description, the end of one."""

from datetime import datetime
from typing import Any

import msgspec

from ...core.access import Action
from ...core.records import holdings, overview
from ..endpoint import NoQuery, answer
from ..v2.answer import Answer
from .answers import done
from .lists import Listed, listed
from .operation import Anyone, Call, Operation
from .places import REPOSITORY, repository, require_deletes
from .texts import Prose


class Repository(msgspec.Struct, frozen=True):
    """A repository; its name begins with the project's."""

    id: int
    project_id: int
    name: str
    description: str
    pull_count: int
    creation_time: datetime
    update_time: datetime
    artifact_count: int


class RepositoryBody(msgspec.Struct, frozen=True):
    """All of a repository that a client can set."""

    description: Prose = ""


def _repository(row: Any) -> Repository:
    return Repository(**dict(row))


async def _all(call: Call[Listed]) -> Answer:
    rows, total = await overview.repositories(call.database, call.principal, call.query.asked)
    return listed(call, [_repository(row) for row in rows], total)


async def _of_project(call: Call[Listed]) -> Answer:
    async with call.database.acquire() as conn:
        rows, total = await holdings.of_project(conn, call.project_id, call.query.asked)
    return listed(call, [_repository(row) for row in rows], total)


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        place = await repository(conn, call)
        return answer(_repository(await holdings.get(conn, place.id)))


async def _update(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        place = await repository(conn, call)
        await holdings.describe(conn, call.principal, call.project_id, place.id, call.body.description, call.audit)
    return done()


async def _delete(call: Call[NoQuery]) -> Answer:
    require_deletes(call)
    async with call.database.acquire() as conn:
        place = await repository(conn, call)
    undo = call.services.store.limits.undo
    await holdings.end(call.database, call.principal, call.project_id, place.id, undo, call.actor)
    return done()


_ALL = "/projects/{project_name}/repositories"
OPERATIONS = (
    Operation(
        "GET",
        "/repositories",
        "Repositories that the caller may see",
        _all,
        Listed,
        result=list[Repository],
        needs=Anyone.ANONYMOUS,
    ),
    Operation(
        "GET",
        _ALL,
        "Repositories of a project",
        _of_project,
        Listed,
        result=list[Repository],
        needs=Action.REPOSITORY_LIST,
    ),
    Operation("GET", REPOSITORY, "A repository", _get, result=Repository, needs=Action.REPOSITORY_READ),
    Operation("PUT", REPOSITORY, "Describe it", _update, body=RepositoryBody, needs=Action.REPOSITORY_UPDATE),
    Operation(
        "DELETE",
        REPOSITORY,
        "Delete it and all its artifacts",
        _delete,
        needs=Action.REPOSITORY_DELETE,
        statuses={405: "Deletes are off.", 412: "Something keeps one of its artifacts: then nothing is deleted."},
    ),
)
