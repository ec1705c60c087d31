"""Projects: lists of those the caller may see, making, changing and ending one."""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from ...core.access import Action, Principal, Rights, SystemAction, permits, require_system
from ...core.oci.errors import Conflict, NotFound, QueryInvalid
from ...core.records import accounts, projects, tenants
from ..endpoint import NoQuery, answer, described
from ..v2.answer import Answer
from .answers import created, done
from .lists import Listed, listed
from .metadata import of_project
from .operation import Anyone, Call, Operation
from .texts import Word

_HIGHEST = (1, 4, 2, 3, 5)
_PLAIN = ("project_id", "name", "owner_id", "owner_name", "creation_time", "update_time", "deleted", "repo_count")
_COUNTS = {
    1: "project_admin_count",
    4: "maintainer_count",
    2: "developer_count",
    3: "guest_count",
    5: "limited_guest_count",
}


class Projects(Listed, frozen=True, kw_only=True):
    """Which projects."""

    name: Annotated[Word, described("Part of the name.")] = ""
    public: bool | None = None
    owner: Annotated[Word, described("Whose.")] = ""
    with_detail: bool = True


class Named(msgspec.Struct, frozen=True):
    """Which project."""

    project_name: Word


class Allowlist(msgspec.Struct, frozen=True):
    """Findings to pass over; nothing scans here, so none can be listed."""

    items: list[Any] | None = None
    project_id: int = 0


class ProjectBody(msgspec.Struct, frozen=True):
    """A project as it is to be."""

    project_name: Word = ""
    public: bool | None = None
    metadata: dict[str, Any] | None = None
    storage_limit: Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)] | None = None
    registry_id: int | None = None
    cve_allowlist: Allowlist | None = None


class Project(msgspec.Struct, frozen=True, omit_defaults=True):
    """A project. current_user_role_ids: those of whoever asks."""

    project_id: int
    name: str
    owner_name: str
    creation_time: datetime
    update_time: datetime
    deleted: bool
    repo_count: int
    metadata: dict[str, str]
    current_user_role_ids: list[int]
    togglable: bool
    cve_allowlist: Allowlist
    current_user_role_id: int = 0
    owner_id: int | None = None


class Deletable(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a project can be deleted, and why not."""

    deletable: bool
    message: str = ""


def project_of(row: Any) -> Project:
    """From a row of `tenants.page`."""
    roles = sorted(set(row["roles"]), key=_HIGHEST.index)
    return Project(
        **{name: row[name] for name in _PLAIN},
        metadata=msgspec.json.decode(row["metadata"]),
        current_user_role_ids=roles,
        togglable=1 in roles,
        cve_allowlist=Allowlist([], row["project_id"]),
        current_user_role_id=roles[0] if roles else 0,
    )


async def _list(call: Call[Projects]) -> Answer:
    query = call.query
    async with call.database.acquire() as conn:
        rows, total = await tenants.page(conn, call.principal, query.asked, query.name, query.public, query.owner)
    return listed(call, [project_of(row) for row in rows], total)


async def _head(call: Call[Named]) -> Answer:
    async with call.database.acquire() as conn:
        rights = await accounts.rights(conn, call.principal, call.query.project_name)
    if call.principal.ceiling is not None or not permits(rights, Action.PROJECT_READ):
        raise NotFound("there is no such project")
    return done()


def _may_create(principal: Principal, rights: Rights, everyone: bool) -> None:
    if not (everyone and principal.kind == "account" and principal.ceiling is None):
        require_system(principal, rights, SystemAction.PROJECT_CREATE)


def _checked(body: ProjectBody) -> dict[str, str]:
    """The body's metadata. QueryInvalid for what is not served."""
    if body.registry_id:
        raise QueryInvalid("there are no proxy caches in this registry: leave out registry_id")
    if body.cve_allowlist and body.cve_allowlist.items:
        raise QueryInvalid("nothing scans in this registry, so cve_allowlist has no items")
    return of_project(body.metadata)


async def _create(call: Call[NoQuery]) -> Answer:
    _may_create(call.principal, call.rights, call.services.config.projects.creation == "everyone")
    body: ProjectBody = call.body
    metadata = {"public": "true" if body.public else "false"} | _checked(body)
    limit = body.storage_limit if call.rights.admin and body.storage_limit else -1
    async with call.database.transaction() as conn:
        try:
            made = await projects.create(
                conn, call.principal, body.project_name, metadata=metadata, storage_limit=limit, where=call.audit
            )
        except projects.ProjectError as error:
            raise Conflict(str(error)) from None
    by_name = call.request.headers.get("x-resource-name-in-location", "").lower() == "true"
    return created(f"/projects/{body.project_name if by_name else made}")


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        return answer(project_of(await tenants.get(conn, call.principal, call.project_id)))


async def _update(call: Call[NoQuery]) -> Answer:
    body: ProjectBody = call.body
    metadata = _checked(body)
    if body.public is not None:
        metadata.setdefault("public", "true" if body.public else "false")
    if metadata:
        async with call.database.transaction() as conn:
            await tenants.change(conn, call.principal, call.project_id, metadata, [], call.audit)
    return done()


async def _delete(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        await tenants.end(conn, call.principal, call.project_id, call.audit)
    return done()


async def _deletable(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        count = await tenants.holding(conn, call.project_id)
    return answer(Deletable(False, tenants.holds(count)) if count else Deletable(True))


async def _summary(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        row = await tenants.summary(conn, call.project_id)
    found: dict[str, Any] = {"repo_count": row["repositories"]}
    if permits(call.rights, Action.QUOTA_READ):
        found["quota"] = {
            "hard": {"storage": row["storage_limit"], "artifact": row["artifact_limit"]},
            "used": {"storage": row["storage_used"], "artifact": row["artifact_count"]},
        }
    if permits(call.rights, Action.MEMBER_LIST):
        found |= {name: list(row["roles"]).count(role) for role, name in _COUNTS.items()}
    return answer(found)


_ONE = "/projects/{project_name_or_id}"
OPERATIONS = (
    Operation(
        "HEAD", "/projects", "Whether there is a project that the caller may see", _head, Named, needs=Anyone.ANONYMOUS
    ),
    Operation(
        "GET",
        "/projects",
        "Projects that the caller may see",
        _list,
        Projects,
        result=list[Project],
        needs=Anyone.ANONYMOUS,
    ),
    Operation(
        "POST",
        "/projects",
        "Make a project",
        _create,
        body=ProjectBody,
        status=201,
        needs=Anyone.SIGNED_IN,
        statuses={409: "There is one of that name."},
    ),
    Operation("GET", _ONE, "A project", _get, result=Project, needs=Action.PROJECT_READ),
    Operation("PUT", _ONE, "Change its metadata", _update, body=ProjectBody, needs=Action.PROJECT_UPDATE),
    Operation(
        "DELETE",
        _ONE,
        "Delete it",
        _delete,
        needs=Action.PROJECT_DELETE,
        statuses={412: "It holds repositories."},
    ),
    Operation(
        "GET",
        _ONE + "/_deletable",
        "Whether it can be deleted",
        _deletable,
        result=Deletable,
        needs=Action.PROJECT_DELETE,
    ),
    Operation("GET", _ONE + "/summary", "What it holds", _summary, result=dict[str, Any], needs=Action.PROJECT_READ),
)
