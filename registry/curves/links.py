"""Links that need no credentials: POST /api/v1/links makes one, GET /api/v1/links/{token}/{file} reads it.

The token stands in the path, before a name that ends in .parquet, since readers go by that end. It is in no log.
"""

import time
from typing import Annotated

import msgspec

from ...core.curves.names import Reference
from ...core.local import LocalRepository
from ...core.oci.errors import Denied, QueryInvalid, Unauthorized
from ...core.oci.media import PARQUET
from ...core.records.artifacts import Actor
from ..endpoint import Endpoint, NoQuery, answer
from ..origin import address, public_url
from ..v2.answer import Answer
from . import files
from .call import Call
from .opened import OpenedCurve, open_curve
from .sealed import GONE
from .times import At

# For pages of other origins: a link is all the right there is, so they may as well read it.
_OPEN_TO_PAGES = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Accept-Ranges, Content-Length, Content-Range, ETag",
}


class LinkOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ref: PROJECT/WELL/FRAME/CURVE[:TAG|@TAG|@DIGEST]; ttl: seconds it is good for; at: what the tag named then."""

    ref: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    ttl: Annotated[int, msgspec.Meta(ge=1)] | None = None
    at: At = None


class Link(msgspec.Struct, frozen=True):
    """url: the version that `digest` names, until `expires` (seconds since 1970)."""

    url: str
    expires: int
    digest: str


async def _make(call: Call[NoQuery]) -> Answer:
    order: LinkOrder = call.body
    links = call.services.links
    ttl = links.default if order.ttl is None else order.ttl
    if ttl > links.longest:
        raise QueryInvalid(f"a link is good for at most {links.longest} seconds")
    reference = Reference.parse(order.ref)
    if reference.base is not None or len(reference.segments) != 4:
        raise QueryInvalid("a link is to one curve here: PROJECT/WELL/FRAME/CURVE[:TAG|@TAG|@DIGEST]")
    curve = await open_curve(call, reference, order.at)
    expires = int(time.time()) + ttl
    token = links.seal(call.principal, reference.repository, curve.digest, expires)
    base = public_url(call.request.scope, call.services.external_url)
    url = f"{base}/api/v1/links/{token}/{reference.segments[-1]}{files.SUFFIX}"
    return answer(Link(url, expires, curve.digest), 201, {"cache-control": "no-store"})


async def _read(call: Call[NoQuery]) -> Answer:
    principal, name, digest = call.services.links.open(call.path["token"])
    state = call.request.scope["state"]
    state["actor"] = principal.name or principal.kind
    actor = Actor(state["actor"], address(call.request.scope), state.get("request_id", ""))
    try:
        curve = await OpenedCurve.open(LocalRepository(call.services.store, principal, name, actor), digest)
    except (Denied, Unauthorized):
        raise Denied(GONE) from None
    saved = files.file_name(Reference(tuple(name.split("/")), digest))
    return await files.file_answer(call.request, call.services, curve, saved, True, _OPEN_TO_PAGES)


async def _preflight(call: Call[NoQuery]) -> Answer:
    allowed = {"access-control-allow-methods": "GET, HEAD", "access-control-allow-headers": "Range, If-None-Match"}
    return Answer(204, {**_OPEN_TO_PAGES, **allowed, "access-control-max-age": "86400"})


_PATH = "/links/{token}/{file}"
ENDPOINTS = (
    Endpoint(
        "POST",
        "/links",
        "Make a link to a curve version that needs no credentials until it expires",
        _make,
        body=LinkOrder,
        result=Link,
        status=201,
    ),
    Endpoint(
        "GET",
        _PATH,
        "The Parquet file behind a link",
        _read,
        produces=(PARQUET,),
        statuses=files.STATUSES,
        signed=True,
    ),
    Endpoint(
        "OPTIONS",
        _PATH,
        "What pages of other origins may ask of a link",
        _preflight,
        produces=(),
        status=204,
        signed=True,
    ),
)
