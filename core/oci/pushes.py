"""Pushes of many manifests in one message, each with small blobs that it names: an import then costs a request for all
that waits, not one a curve. Each is a push of its own, done or refused as if it had come alone.

The body is MessagePack, of type `media.PUSHES`. Digests do not travel: they are made of the bytes.
"""

from typing import Annotated, Any, Final

import msgspec

from .bundle import BUNDLED

PUSHES: Final = 256
"""Pushes of one message."""
LONGEST: Final = 8 << 20
"""Bytes of one message."""
ROOM: Final = LONGEST - BUNDLED
"""Bytes of manifests and blobs from which a message is sent: what else it says has room beside."""


class ManifestPush(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """One push. blobs: places in the message's list; tags: all that the manifest gets, `along` as well, of which the
    conditions ask nothing; match: the digest that the tags must name (If-Match, or `*`); none: there must be no such
    tags; numbered: with the next version number."""

    repository: str
    media_type: str
    manifest: bytes
    tags: list[str]
    along: list[str] = []
    match: str | None = None
    none: bool = False
    numbered: bool = False
    blobs: list[Annotated[int, msgspec.Meta(ge=0)]] = []


class Pushes(msgspec.Struct, array_like=True, frozen=True):
    """What stands in the body: pushes, and blobs, each once."""

    pushes: Annotated[list[ManifestPush], msgspec.Meta(max_length=PUSHES)]
    blobs: list[bytes]


class PushError(msgspec.Struct, frozen=True):
    """An entry of the distribution specification's list of errors."""

    code: str
    message: str
    detail: Any = None


class PushResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one: status and errors as the answer of a PUT has them; digest and all tags where it is 201."""

    status: int
    digest: str = ""
    tags: list[str] = []
    errors: list[PushError] = []


class PushResults(msgspec.Struct, frozen=True):
    """One for each push, in order."""

    results: list[PushResult]
