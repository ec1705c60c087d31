"""Conditional requests (RFC 9110 section 13): an entity tag is the digest in quotes."""

from ...core.oci.digest import Digest
from ...core.oci.errors import DigestInvalid, PreconditionFailed
from ...core.records.artifacts import Precondition
from .answer import Request


def not_modified(request: Request, digest: str) -> bool:
    """Whether If-None-Match names what is stored, so that 304 is the answer."""
    header = request.headers.get("if-none-match")
    return header is not None and any(_opaque(tag) in ("*", digest) for tag in header.split(","))


def wanted_range(request: Request, digest: str) -> str | None:
    """The Range header, unless If-Range names something else than what is stored (RFC 9110 section 13.1.5)."""
    condition = request.headers.get("if-range")
    return request.headers.get("range") if condition in (None, f'"{digest}"') else None


def precondition(request: Request) -> Precondition:
    """What a PUT expects of its tags. PreconditionFailed where that cannot be read, since it cannot hold."""
    match, none = request.headers.get("if-match"), request.headers.get("if-none-match")
    if none is not None and none.strip() != "*":
        raise PreconditionFailed('If-None-Match of a PUT takes only *, "there is no such tag yet"')
    if match is None or match.strip() == "*":
        return Precondition(match=match and match.strip(), none=none is not None)
    try:
        return Precondition(match=Digest.parse(match.strip().strip('"')), none=none is not None)
    except DigestInvalid:
        raise PreconditionFailed('If-Match of a PUT takes * or one digest in quotes: "sha256:..."') from None


def _opaque(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')
