"""Artifacts: lists, one of them, its deletion, and copies from elsewhere in the registry."""

from typing import Annotated, Any

import msgspec

from ...core.access import SYSTEM, Action, require
from ...core.copying import copy
from ...core.local import LocalRepository
from ...core.oci.errors import CurveConflict, NotFound, QueryInvalid, Unsupported
from ...core.oci.names import project_of
from ...core.records import accounts, holdings, inventory, removal
from ..endpoint import NoQuery, answer, described
from ..v2.answer import Answer
from .answers import created, done
from .images import IMAGE, said_of_image
from .lists import Listed, listed
from .operation import Call, Operation
from .places import ARTIFACT, ARTIFACTS, address, artifact, repository, require_deletes
from .shown import Accessory, Artifact, With, accessory_of, artifacts_of


class OfProject(With, frozen=True, kw_only=True):
    """The same of all repositories."""

    latest_in_repository: Annotated[bool, described("The last pushed of each repository alone.")] = False


class From(msgspec.Struct, frozen=True, rename={"source": "from"}):
    """What is copied: PROJECT/REPOSITORY@DIGEST or PROJECT/REPOSITORY:TAG."""

    source: Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


async def _list(call: Call[With]) -> Answer:
    async with call.database.acquire() as conn:
        place = await repository(conn, call)
        rows, total = await inventory.of_repository(conn, place.id, call.query.asked)
        return listed(call, await artifacts_of(conn, rows, call.query), total)


async def _of_project(call: Call[OfProject]) -> Answer:
    query = call.query
    async with call.database.acquire() as conn:
        rows, total = await inventory.of_project(conn, call.project_id, query.latest_in_repository, query.asked)
        return listed(call, await artifacts_of(conn, rows, query), total)


async def _get(call: Call[With]) -> Answer:
    async with call.database.acquire() as conn:
        place, found = await artifact(conn, call)
        row = await inventory.get(conn, found.id)
        (shown,) = await artifacts_of(conn, [row], call.query, whole=True)
    if shown.type == IMAGE:
        local = LocalRepository(call.services.store, SYSTEM, place.name, call.actor)  # rights were asked
        said = await said_of_image(local, found.digest)
        shown = msgspec.structs.replace(shown, extra_attrs=said | shown.extra_attrs)
    return answer(shown)


async def _delete(call: Call[NoQuery]) -> Answer:
    require_deletes(call)
    async with call.database.acquire() as conn:
        place, found = await artifact(conn, call)
    await removal.delete(call.database, place.id, found, call.services.store.limits.undo, call.actor)
    return done()


async def _copy(call: Call[From]) -> Answer:
    source, digest = await _source(call, call.query.source)
    target = f"{call.project}/{call.path['repository_name']}"
    try:
        await copy(call.services.store, source.name, digest.id, target, call.actor)
    except CurveConflict as error:
        raise Unsupported(f"{source.name} cannot be copied to {target}: {error.message}") from None
    return created(address(target, digest.digest))


async def _source(call: Call[Any], text: str) -> tuple[holdings.Place, inventory.Found]:
    """What `from` names, where the caller may pull it."""
    name, mark, reference = text.rpartition("@") if "@" in text else text.rpartition(":")
    if not (mark and name and reference) or "\0" in text:
        raise QueryInvalid("from reads PROJECT/REPOSITORY@DIGEST or PROJECT/REPOSITORY:TAG")
    project, _, below = name.partition("/")
    async with call.database.acquire() as conn:
        rights = await accounts.rights(conn, call.principal, project_of(name))
        if rights.admin and rights.project_id is None:
            raise NotFound(f"there is no project {project[:80]}")
        require(call.principal, rights, Action.PULL)
        assert rights.project_id is not None
        place = await holdings.find(conn, rights.project_id, project, below or project)
        return place, await inventory.find(conn, place.id, reference)


async def _accessories(call: Call[Listed]) -> Answer:
    async with call.database.acquire() as conn:
        _, found = await artifact(conn, call)
        rows, total = await inventory.accessory_page(conn, found.id, call.query.asked)
    return listed(call, [accessory_of(row) for row in rows], total)


_ARTIFACT_LIST = list[Artifact]
OPERATIONS = (
    Operation(
        "GET",
        "/projects/{project_name_or_id}/artifacts",
        "Artifacts of a project",
        _of_project,
        OfProject,
        result=_ARTIFACT_LIST,
        needs=Action.ARTIFACT_LIST,
    ),
    Operation(
        "GET",
        ARTIFACTS,
        "Artifacts of a repository",
        _list,
        With,
        result=_ARTIFACT_LIST,
        needs=Action.ARTIFACT_LIST,
    ),
    Operation(
        "POST",
        ARTIFACTS,
        "Copy an artifact from elsewhere in the registry",
        _copy,
        From,
        status=201,
        needs=Action.ARTIFACT_CREATE,
    ),
    Operation("GET", ARTIFACT, "An artifact", _get, With, result=Artifact, needs=Action.ARTIFACT_READ),
    Operation(
        "DELETE",
        ARTIFACT,
        "Delete an artifact, and what is only there for it",
        _delete,
        needs=Action.DELETE,
        statuses={405: "Deletes are off.", 412: "An index lists it, or a rule keeps it."},
    ),
    Operation(
        "GET",
        ARTIFACT + "/accessories",
        "What is attached to an artifact",
        _accessories,
        Listed,
        result=list[Accessory],
        needs=Action.ACCESSORY_LIST,
    ),
)
