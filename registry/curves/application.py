"""/api/v1/: from a path to its operation, from an error to its answer. Plain ASGI, as /v2/ is."""

from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

import structlog
from starlette.types import Receive, Scope, Send

from ...core.body import Body, BodyBroken
from ...core.curves.errors import ContentMismatch, CurveError
from ...core.oci.errors import (
    ManifestInvalid,
    ManifestUnknown,
    MethodNotAllowed,
    NameUnknown,
    QueryInvalid,
    RegistryError,
    Unauthorized,
)
from ...core.reading import TruncatedBlob
from ...core.records.artifacts import Actor
from ..endpoint import Endpoint
from ..engines.inbox import AnswerCut
from ..errors import error_answer
from ..origin import address
from ..v2.answer import Answer, Request
from . import (
    data,
    diff,
    files,
    history,
    holds,
    links,
    originals,
    pushes,
    search,
    segments,
    tables,
    welldata,
    wells,
)
from .call import Call, Services
from .openapi import with_document

PREFIX = b"/api/v1/"
ENDPOINTS: tuple[Endpoint, ...] = with_document(
    *data.ENDPOINTS,
    *diff.ENDPOINTS,
    *files.ENDPOINTS,
    *history.ENDPOINTS,
    *holds.ENDPOINTS,
    *links.ENDPOINTS,
    *originals.ENDPOINTS,
    *pushes.ENDPOINTS,
    *search.ENDPOINTS,
    *segments.ENDPOINTS,
    *tables.ENDPOINTS,
    *welldata.ENDPOINTS,
    *wells.ENDPOINTS,
)

log = structlog.get_logger("api")


class CurveApi:
    """The operations of ENDPOINTS over one store."""

    def __init__(self, services: Services, endpoints: Sequence[Endpoint] = ENDPOINTS) -> None:
        self._services = services
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            found = await self._answer(request)
        except RegistryError as error:
            found = error_answer(_challenged(error))
        except ContentMismatch as error:
            found = error_answer(ManifestInvalid(f"the stored curve cannot be read: {error}"))
        except CurveError as error:
            found = error_answer(QueryInvalid(str(error)))
        except BodyBroken:
            log.info("the client left before its body was whole")
            return
        try:
            await found.send(send, head=request.method == "HEAD")
        except (TruncatedBlob, CurveError) as error:  # in the middle of a stream: its length must not look right
            raise AnswerCut(str(error)) from error

    async def _answer(self, request: Request) -> Answer:
        path = _path(request.scope["raw_path"])
        endpoint, parameters = self._find(request.method, path)
        state = request.scope["state"]
        state["endpoint"] = f"api.{endpoint.name}"
        door = self._services.door
        principal = door.nobody(request.scope) if endpoint.signed else await door.principal(request.scope)
        state["actor"] = principal.name or principal.kind
        actor = Actor(principal.name or principal.kind, address(request.scope), state.get("request_id", ""))
        query = endpoint.parse_query(request)
        body = endpoint.parse_body(await _body(request, endpoint.most)) if endpoint.body else None
        return await endpoint.answer(Call(self._services, request, principal, actor, parameters, query, body))

    def _find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]]:
        methods: list[str] = []
        for endpoint in self._endpoints:
            match = endpoint.pattern.fullmatch(path)
            if match is None:
                continue
            if method == endpoint.method or (method == "HEAD" and endpoint.method == "GET"):
                return endpoint, match.groupdict()
            methods += [endpoint.method, "HEAD"] if endpoint.method == "GET" else [endpoint.method]
        if methods:
            names = ", ".join(dict.fromkeys(methods))
            raise MethodNotAllowed(f"this address takes {names}", headers={"allow": names})
        raise NameUnknown("there is no such endpoint below /api/v1/; /api/v1/openapi.json lists them")


def _path(raw_path: bytes) -> str:
    """The decoded path below /api/v1. An encoded slash or NUL parts no segment and stands in no name."""
    segments = raw_path.partition(b"?")[0][len(PREFIX) - 1 :].split(b"/")
    texts = [unquote_to_bytes(segment).decode("utf-8", "replace") for segment in segments]
    if any("/" in text or "\0" in text for text in texts):
        raise ManifestUnknown("nothing here has a name with a slash or NUL in it")
    return "/".join(texts)


async def _body(request: Request, most: int) -> bytes:
    raw = await Body(request.body(), request.length, None).read(most)
    if raw is None:
        raise QueryInvalid(f"the body may have at most {most} bytes")
    return raw


def _challenged(error: RegistryError) -> RegistryError:
    if isinstance(error, Unauthorized):
        error.headers = {**error.headers, "www-authenticate": 'Basic realm="DataForge Registry"'}
    return error
