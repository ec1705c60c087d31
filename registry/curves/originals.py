"""POST /api/v1/projects/{project}/originals:lookup: which files need not be read again, since all of them is here."""

from typing import Annotated

import msgspec

from ...core.access import Action
from ...core.records.originals import MOST, whole
from ..endpoint import Endpoint, NoQuery, answer
from ..v2.answer import Answer
from .call import Call


class OriginalsLookup(msgspec.Struct, frozen=True):
    """Digests of files, `sha256:HEX`."""

    digests: Annotated[list[Annotated[str, msgspec.Meta(max_length=200)]], msgspec.Meta(max_length=MOST)]


class WholeEntry(msgspec.Struct, frozen=True):
    """A file that a well has, with all curves that were made of it there; reading: how it was read; wells: in how many
    its curves are; curves: `frame/curve` of those in this one; samples: of all of them."""

    digest: str
    repository: str
    reading: str
    wells: str
    curves: list[str]
    samples: int


class WholeList(msgspec.Struct, frozen=True):
    """One for each file and well."""

    originals: list[WholeEntry]


async def _lookup(call: Call[NoQuery]) -> Answer:
    rights = await call.require(Action.PULL, call.path["project"])
    assert rights.project_id is not None  # else nobody may pull
    found = await whole(call.services.store.database, rights.project_id, call.body.digests)
    return answer(WholeList([WholeEntry(*each) for each in found]))


ENDPOINTS = (
    Endpoint(
        "POST",
        "/projects/{project}/originals:lookup",
        "Which files are here with all their curves",
        _lookup,
        body=OriginalsLookup,
        result=WholeList,
    ),
)
