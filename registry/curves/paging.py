"""Long lists in pages: `limit` at a time; the next one by the `next` link (RFC 8288), whose cursor says where."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from ...core.oci.errors import QueryInvalid
from ..endpoint import answer, described
from ..v2.answer import Answer, Request

MOST = 1000
Limit = Annotated[int, msgspec.Meta(ge=1, le=MOST), described("How many at most.")]
_Cursor = Annotated[str, msgspec.Meta(max_length=2048)]
Cursor = Annotated[_Cursor | None, described("From the next link of the page before.")]
FOREIGN = "cursor is not one that a next link of this list gave"
T = TypeVar("T")


def start(cursor: str | None, kind: type[T]) -> T | None:
    """Where a page starts: what `paged` was given for the one before. QueryInvalid where it is none of ours."""
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        found = msgspec.msgpack.decode(raw, type=kind)
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        raise QueryInvalid(FOREIGN) from None
    if not all(map(_is_storable, found if isinstance(found, tuple) else (found,))):
        raise QueryInvalid(FOREIGN)
    return found


def _is_storable(value: Any) -> bool:
    """Whether PostgreSQL has such a text or bigint."""
    return "\0" not in value if isinstance(value, str) else value is None or -(2**63) <= value < 2**63


def paged(request: Request, body: Any, last: Any | None) -> Answer:
    """A page. last: where it ended, if there is more behind it."""
    headers = {"cache-control": "private, no-cache"}
    if last is not None:
        cursor = base64.urlsafe_b64encode(msgspec.msgpack.encode(last)).decode().rstrip("=")
        query = [(name, value) for name, values in request.query.items() if name != "cursor" for value in values]
        path = request.scope["raw_path"].partition(b"?")[0].decode("ascii", "replace")
        headers["link"] = f'<{path}?{urlencode([*query, ("cursor", cursor)], quote_via=quote)}>; rel="next"'
    return answer(body, headers=headers)


def cut(rows: Sequence[T], limit: int) -> tuple[list[T], T | None]:
    """Of `limit + 1` rows asked for those of this page, and its last one if there are more."""
    shown = list(rows[:limit])
    return shown, shown[-1] if len(rows) > limit else None
