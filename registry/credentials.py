"""The Authorization header: Basic (RFC 7617) or Bearer (RFC 6750), or nothing."""

import base64
import binascii
from dataclasses import dataclass

from starlette.types import Scope

from ..core.oci.errors import Unauthorized
from .origin import header


@dataclass(frozen=True, slots=True, repr=False)
class Basic:
    """A name and a password."""

    username: str
    password: str


@dataclass(frozen=True, slots=True, repr=False)
class Bearer:
    """A token."""

    token: str


def credentials(scope: Scope) -> Basic | Bearer | None:
    """What the request brings; None without the header. Unauthorized where it cannot be read."""
    lines = header(scope, b"authorization")
    if not lines:
        return None
    scheme, _, value = lines[0].partition(" ")
    value = value.strip()
    if len(lines) > 1:
        raise Unauthorized("there is more than one Authorization header")
    if scheme.lower() == "bearer" and value:
        return Bearer(value)
    if scheme.lower() != "basic":
        raise Unauthorized("the Authorization header is neither Basic nor Bearer")
    try:
        username, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        colon = ""
    if not colon:
        raise Unauthorized("Basic credentials are the base64 of name:password in UTF-8")
    return Basic(username, password)
