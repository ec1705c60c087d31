"""The whole at a glance: search, statistics, health and the room on the store."""

from typing import Annotated, Any

import msgspec

from ...core.access import SystemAction
from ...core.oci.errors import NotFound
from ...core.records import overview
from ...core.storage_errors import storage_errors
from ..endpoint import NoQuery, answer, described
from ..v2.answer import Answer
from .operation import Anyone, Call, Operation
from .projects import Project, project_of
from .texts import Word


class Search(msgspec.Struct, frozen=True):
    """What is looked for."""

    q: Annotated[Word, described("Part of a name.")] = ""


class FoundRepository(msgspec.Struct, frozen=True):
    """A repository and its project."""

    repository_name: str
    project_id: int
    project_name: str
    project_public: bool
    pull_count: int
    artifact_count: int


class Found(msgspec.Struct, frozen=True):
    """At most 100 of each, by name."""

    project: list[Project]
    repository: list[FoundRepository]


class Statistic(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the caller may see. The totals are a system administrator's."""

    private_project_count: int
    private_repo_count: int
    public_project_count: int
    public_repo_count: int
    total_project_count: int | None = None
    total_repo_count: int | None = None
    total_storage_consumption: int | None = None


class Volume(msgspec.Struct, frozen=True):
    """Bytes of the store."""

    total: int
    free: int


class Volumes(msgspec.Struct, frozen=True):
    """The stores there are: one."""

    storage: list[Volume]


class Component(msgspec.Struct, frozen=True):
    """healthy or unhealthy; the reason is in the log."""

    name: str
    status: str


class Healthy(msgspec.Struct, frozen=True):
    """healthy where every component is."""

    status: str
    components: list[Component]


async def _search(call: Call[Search]) -> Answer:
    projects, repositories = await overview.search(call.database, call.principal, call.query.q)
    return answer(Found([project_of(row) for row in projects], [FoundRepository(**dict(row)) for row in repositories]))


async def _statistics(call: Call[NoQuery]) -> Answer:
    found = await overview.counts(call.database, call.principal)
    none = {"projects": 0, "repositories": 0}
    private, public = found.get(False, none), found.get(True, none)
    totals: dict[str, Any] = {}
    if call.rights.admin and call.principal.ceiling is None:
        totals = {
            "total_project_count": private["projects"] + public["projects"],
            "total_repo_count": private["repositories"] + public["repositories"],
            "total_storage_consumption": await overview.stored(call.database),
        }
    return answer(
        Statistic(private["projects"], private["repositories"], public["projects"], public["repositories"], **totals)
    )


async def _volumes(call: Call[NoQuery]) -> Answer:
    with storage_errors():
        space = await call.services.store.driver.space()
    if space is None:
        raise NotFound(f"the {call.services.config.storage.driver} driver cannot tell how much room it has")
    return answer(Volumes([Volume(space.total, space.free)]))


async def _health(call: Call[NoQuery]) -> Answer:
    parts = await call.services.health.components()
    words = {name: "healthy" if good else "unhealthy" for name, good in parts.items()}
    status = "healthy" if all(parts.values()) else "unhealthy"
    return answer(Healthy(status, [Component(name, word) for name, word in words.items()]))


OPERATIONS = (
    Operation(
        "GET",
        "/search",
        "Projects and repositories whose names hold a text",
        _search,
        Search,
        result=Found,
        needs=Anyone.ANONYMOUS,
    ),
    Operation(
        "GET", "/statistics", "How much the caller may see", _statistics, result=Statistic, needs=Anyone.SIGNED_IN
    ),
    Operation(
        "GET",
        "/systeminfo/volumes",
        "The room on the store",
        _volumes,
        result=Volumes,
        needs=SystemAction.VOLUMES_READ,
    ),
    Operation("GET", "/health", "How each part is", _health, result=Healthy, needs=Anyone.ANONYMOUS),
)
