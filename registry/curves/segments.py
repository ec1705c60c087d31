"""POST /api/v1/segments:lookup: which of some values the registry holds already, so that a push need not send them."""

from typing import Annotated

import msgspec

from ...core.records.segments import MOST, held
from ..endpoint import Endpoint, NoQuery, answer
from ..v2.answer import Answer
from .call import Call

Content = Annotated[str, msgspec.Meta(max_length=200)]


class Lookup(msgspec.Struct, frozen=True):
    """Content ids of segments, `sha256:HEX`."""

    contents: Annotated[list[Content], msgspec.Meta(max_length=MOST)]


class HeldEntry(msgspec.Struct, frozen=True):
    """A blob with those values, and a repository to mount it from."""

    content: str
    digest: str
    size: int
    repository: str


class HeldList(msgspec.Struct, frozen=True):
    """Those that are held where the caller may read, judged by their bytes."""

    segments: list[HeldEntry]


async def _lookup(call: Call[NoQuery]) -> Answer:
    found = await held(call.services.store.database, call.principal, call.body.contents)
    return answer(HeldList([HeldEntry(each.content, each.digest, each.size, each.repository) for each in found]))


ENDPOINTS = (
    Endpoint("POST", "/segments:lookup", "Which values are here already", _lookup, body=Lookup, result=HeldList),
)
