"""/api/v2.0/: from a path to its operation, from an error to its answer. Plain ASGI, as /v2/ is."""

from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

import structlog
from starlette.types import Receive, Scope, Send

from ...core.access import (
    ANONYMOUS,
    Action,
    Principal,
    Rights,
    SystemAction,
    hidden,
    require,
    require_signed_in,
    require_system,
    require_valid,
)
from ...core.body import Body, BodyBroken
from ...core.modes import check_mode
from ...core.oci.errors import MethodNotAllowed, NotFound, QueryInvalid, RegistryError, Unauthorized
from ...core.records import accounts, projects, settings
from ...core.records.artifacts import Actor
from ...core.records.calls import refusals
from ...core.records.database import Connection
from ..origin import address
from ..v2.answer import Answer, Request
from . import (
    additions,
    artifacts,
    audit_logs,
    configurations,
    current,
    gc,
    groups,
    immutable,
    labels,
    members,
    metadata,
    oidc,
    overview,
    purge,
    quotas,
    repositories,
    retentions,
    robots,
    system,
    tags,
    trusts,
    users,
)
from . import projects as management_projects
from .answers import PREFIX
from .errors import error_answer
from .openapi import with_document
from .operation import Anyone, Call, Operation, Services

MOST_BODY = 1 << 20
MOST_DECODING = 4
OPERATIONS: tuple[Operation, ...] = with_document(
    *system.OPERATIONS,
    *management_projects.OPERATIONS,
    *metadata.OPERATIONS,
    *members.OPERATIONS,
    *quotas.OPERATIONS,
    *current.OPERATIONS,
    *users.OPERATIONS,
    *groups.OPERATIONS,
    *robots.OPERATIONS,
    *trusts.OPERATIONS,
    *immutable.OPERATIONS,
    *audit_logs.OPERATIONS,
    *gc.OPERATIONS,
    *configurations.OPERATIONS,
    *oidc.OPERATIONS,
    *purge.OPERATIONS,
    *repositories.OPERATIONS,
    *artifacts.OPERATIONS,
    *additions.OPERATIONS,
    *tags.OPERATIONS,
    *labels.OPERATIONS,
    *overview.OPERATIONS,
    *retentions.OPERATIONS,
)

PUSHES = (Action.PUSH, Action.ARTIFACT_CREATE, Action.TAG_CREATE)

log = structlog.get_logger("api")


class ManagementApi:
    """The operations of OPERATIONS over one registry."""

    def __init__(self, services: Services, operations: Sequence[Operation] = OPERATIONS) -> None:
        self._services = services
        self._operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            found = await self._answer(request)
        except RegistryError as error:
            if isinstance(error, Unauthorized):
                error.headers = {**error.headers, "www-authenticate": 'Basic realm="DataForge Registry"'}
            found = error_answer(error)
        except BodyBroken:
            log.info("the client left before its body was whole")
            return
        # names and descriptions are others' words: JSON, and never anything else
        found = found._replace(headers={"x-content-type-options": "nosniff", **found.headers})
        await found.send(send, head=request.method == "HEAD")

    async def _answer(self, request: Request) -> Answer:
        operation, path = self._find(request.method, _path(request.scope["raw_path"]))
        state = request.scope["state"]
        state["endpoint"] = f"management.{operation.name}"
        visit = await self._services.door.visit(request.scope)
        principal = visit.principal
        state["actor"] = principal.name or principal.kind
        if principal == ANONYMOUS and operation.needs is Anyone.ANONYMOUS:
            project, rights = "", Rights(valid=True)  # ping and health answer also without a database
        else:
            async with self._services.database.acquire() as conn:
                project, rights = await _allowed(conn, operation, principal, path, request)
                if operation.method != "GET" and not operation.always:
                    check_mode(await settings.mode(conn), push=operation.needs in PUSHES)
        query = operation.parse_query(request)
        body = operation.parse_body(await _body(request)) if operation.body else None
        actor = Actor(principal.name or principal.kind, address(request.scope), state.get("request_id", ""))
        call = Call(self._services, request, principal, actor, path, query, body, rights, project)
        with refusals():
            found = await operation.answer(call)
        return found._replace(headers={**found.headers, **visit.headers}) if visit.headers else found

    def _find(self, method: str, path: str) -> tuple[Operation, dict[str, str]]:
        methods: list[str] = []
        for operation in self._operations:
            match = operation.pattern.fullmatch(path)
            if match is None:
                continue
            if method == operation.method or (method == "HEAD" and operation.method == "GET"):
                return operation, {name: _decoded(text) for name, text in match.groupdict().items()}
            methods += [operation.method, "HEAD"] if operation.method == "GET" else [operation.method]
        if methods:
            names = ", ".join(dict.fromkeys(methods))
            raise MethodNotAllowed(f"this address takes {names}", headers={"allow": names})
        raise NotFound("nothing is served here; /api/v2.0/openapi.json lists what is")


def _path(raw_path: bytes) -> str:
    """The path below the prefix, as sent but for a slash at its end, which Harbor's clients write as they like."""
    path = raw_path.partition(b"?")[0][len(PREFIX) :].decode("ascii", "replace")
    return path.rstrip("/") or "/"


def _decoded(text: str) -> str:
    """A parameter decoded until it stays as it is: repository names come encoded twice (a%252Fb)."""
    for _ in range(MOST_DECODING):
        decoded = unquote_to_bytes(text).decode("utf-8", "replace")
        if decoded == text:
            break
        text = decoded
    if "\0" in text:
        raise NotFound("nothing here has a name with NUL in it")
    return text


async def _body(request: Request) -> bytes:
    raw = await Body(request.body(), request.length, None).read(MOST_BODY)
    if raw is None:
        raise QueryInvalid(f"the body may have at most {MOST_BODY} bytes")
    return raw


async def _allowed(
    conn: Connection, operation: Operation, principal: Principal, path: dict[str, str], request: Request
) -> tuple[str, Rights]:
    """The project's name ("" where none is meant) and the caller's rights, if they suffice for the operation."""
    match operation.needs:
        case Action() as action:
            name = await _project(conn, operation, path, request)
            rights = await accounts.rights(conn, principal, name)
            if operation.of is not None and hidden(rights, action, Action.PROJECT_READ):
                require_signed_in(principal, rights)
                raise NotFound("there is no such thing")
            require(principal, rights, action)
            return name, rights
        case SystemAction() as action:
            rights = await accounts.rights(conn, principal, "")
            require_system(principal, rights, action)
            return "", rights
        case Anyone.SIGNED_IN:
            rights = await accounts.rights(conn, principal, "")
            require_signed_in(principal, rights)
            return "", rights
        case Anyone.ANONYMOUS:
            rights = await accounts.rights(conn, principal, "")
            require_valid(rights)
            return "", rights


async def _project(conn: Connection, operation: Operation, path: dict[str, str], request: Request) -> str:
    """The name of the project that the request is about; one that no project has where there is none."""
    if operation.of is not None:
        found = await operation.of(conn, path)
        return (await projects.name_of(conn, found) if found is not None else None) or _NOWHERE
    if "project_name" in path:
        return path["project_name"]
    given = path["project_name_or_id"]
    by_name = request.headers.get("x-is-resource-name", "").lower() == "true"
    if by_name or not given.isdecimal() or len(given) > 18:
        return given
    return await projects.name_of(conn, int(given)) or _NOWHERE


_NOWHERE = "/"
"""No project's name."""
