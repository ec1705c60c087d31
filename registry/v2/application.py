"""/v2/: from a raw path to an endpoint, from an error to its answer. Plain ASGI."""

from collections.abc import Awaitable, Callable

import structlog
from starlette.types import Receive, Scope, Send

from ...core.access import ANONYMOUS, Principal
from ...core.body import BodyBroken
from ...core.local import LocalRepository
from ...core.oci.digest import Digest
from ...core.oci.errors import MethodNotAllowed, RegistryError, Unauthorized
from ...core.oci.media import JSON
from ...core.reading import TruncatedBlob
from ...core.records import repositories
from ...core.records.artifacts import Actor
from ...core.store import Store
from ..access import Door, repository_scope
from ..engines.inbox import AnswerCut
from ..errors import error_answer
from ..origin import address
from . import blobs, lists, manifests, uploads
from .answer import Answer, Request
from .redirects import Redirects
from .routing import Route, parse

ALLOWED = {
    "base": ("GET", "HEAD"),
    "catalog": ("GET", "HEAD"),
    "discover": ("GET", "HEAD"),
    "manifest": ("GET", "HEAD", "PUT", "DELETE"),
    "blob": ("GET", "HEAD", "DELETE"),
    "uploads": ("POST",),
    "upload": ("GET", "PATCH", "PUT", "DELETE"),
    "tags": ("GET", "HEAD"),
    "referrers": ("GET", "HEAD"),
}
ACTIONS = {"GET": ("pull",), "HEAD": ("pull",), "DELETE": ("delete",)}
VERSION = {"docker-distribution-api-version": "registry/2.0"}
OURS = {"dataforge-api-version": "1"}
"""With the version check: that this registry takes many pushes at once (registry/curves/pushes.py)."""

log = structlog.get_logger("v2")


class Distribution:
    """The OCI distribution API over one store."""

    def __init__(self, store: Store, door: Door, deletes: bool, redirects: Redirects) -> None:
        self._store = store
        self._redirects = redirects
        self._door = door
        self._deletes = deletes
        self._endpoints: dict[str, Callable[[Request, Route, LocalRepository], Awaitable[Answer]]] = {
            "manifest": self._manifest,
            "blob": self._blob,
            "uploads": self._uploads,
            "upload": self._upload,
            "tags": self._tags,
            "referrers": self._referrers,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        route = None
        try:
            route = parse(scope["raw_path"])
            scope["state"]["endpoint"] = f"v2.{route.endpoint}"
            answer = await self._answer(request, route)
        except RegistryError as error:
            answer = error_answer(self._challenged(request, route, error))
        except BodyBroken:
            log.info("the client left before its body was whole")
            return
        try:
            await answer.send(send, head=request.method == "HEAD")
        except TruncatedBlob as error:
            raise AnswerCut(str(error)) from error

    async def _answer(self, request: Request, route: Route) -> Answer:
        allowed = ALLOWED[route.endpoint]
        if request.method not in allowed:
            names = ", ".join(allowed)
            raise MethodNotAllowed(f"this address takes {names}", headers={"allow": names})
        principal = await self._door.principal(request.scope)
        request.scope["state"]["actor"] = principal.name or principal.kind
        if not route.name:
            return await self._of_registry(request, route, principal)
        if request.method == "DELETE" and route.endpoint != "upload" and not self._deletes:
            raise MethodNotAllowed("deleting is switched off here", headers={"allow": "GET, HEAD"})
        actor = Actor(
            principal.name or principal.kind,
            address(request.scope),
            request.scope["state"].get("request_id", ""),
        )
        repository = LocalRepository(self._store, principal, route.name, actor)
        return await self._endpoints[route.endpoint](request, route, repository)

    async def _of_registry(self, request: Request, route: Route, principal: Principal) -> Answer:
        # nobody's token passes where nobody without one does, but for the version check that clients repeat with it
        if principal is ANONYMOUS or (principal == ANONYMOUS and route.endpoint == "catalog"):
            raise Unauthorized("sign in first")
        await self._door.holds(principal)
        if route.endpoint == "catalog":
            limit, after = lists.page(request)
            found = await repositories.catalog(self._store.database, principal, after, limit + 1)
            return lists.catalog(request, found, limit)
        if route.endpoint == "discover":
            return lists.discover()
        return Answer(200, {"content-type": JSON, **VERSION, **OURS}, b"{}")

    async def _manifest(self, request: Request, route: Route, repository: LocalRepository) -> Answer:
        match request.method:
            case "HEAD":
                return await manifests.head(request, repository, manifests.reference_of(route.reference))
            case "GET":
                return await manifests.get(request, repository, manifests.reference_of(route.reference))
            case "PUT":
                return await manifests.put(request, repository, route.name, route.reference)
            case _:
                return await manifests.delete(repository, route.reference)

    async def _blob(self, request: Request, route: Route, repository: LocalRepository) -> Answer:
        digest = Digest.parse(route.reference)
        if request.method == "HEAD":
            return await blobs.head(request, repository, digest)
        if request.method == "DELETE":
            return await blobs.delete(repository, digest)
        return await blobs.get(request, repository, self._store.reading, self._redirects, digest)

    async def _uploads(self, request: Request, route: Route, repository: LocalRepository) -> Answer:
        return await uploads.start(request, repository, route.name, self._store.limits.blob)

    async def _upload(self, request: Request, route: Route, repository: LocalRepository) -> Answer:
        limit = self._store.limits.blob
        match request.method:
            case "PATCH":
                return await uploads.patch(request, repository, route.name, route.reference, limit)
            case "PUT":
                return await uploads.put(request, repository, route.name, route.reference, limit)
            case "DELETE":
                return await uploads.cancel(repository, route.reference)
            case _:
                return await uploads.status(repository, route.name, route.reference)

    async def _tags(self, request: Request, route: Route, repository: LocalRepository) -> Answer:
        return await lists.tags(request, repository, route.name)

    async def _referrers(self, request: Request, route: Route, repository: LocalRepository) -> Answer:
        return await lists.referrers(request, repository, route.name, Digest.parse(route.reference))

    def _challenged(self, request: Request, route: Route | None, error: RegistryError) -> RegistryError:
        """A 401 says where to get a token, and for what (distribution-api.md A1)."""
        if not isinstance(error, Unauthorized):
            return error
        scopes = []
        if route is not None and route.name:
            pushing = request.method in ("POST", "PUT", "PATCH") or route.endpoint == "upload"
            scopes = [repository_scope(route.name, *(("pull", "push") if pushing else ACTIONS[request.method]))]
            if "mount" in request.query and (source := request.query.get("from", [""])[0]):
                scopes.append(repository_scope(source, "pull"))
        elif route is not None and route.endpoint == "catalog":
            scopes = ["registry:catalog:*"]
        try:
            challenge = self._door.challenge(request.scope, scopes, error)
        except RegistryError as bad_host:
            return bad_host
        error.headers = {**error.headers, "www-authenticate": challenge, **VERSION}
        return error
