"""Curves of one well side by side: GET /api/v1/wells/{project}/{well}/data."""

from typing import Annotated, Any

import msgspec

from ...core.curves.names import Reference, slug
from ...core.oci.errors import NameUnknown, QueryInvalid
from ...core.records import catalog_wells
from ..endpoint import Endpoint, described
from ..v2.answer import Answer
from .call import Call
from .data import ENDPOINTS as ONE
from .data import MOST_CURVES, WindowQuery, data_answer
from .opened import open_curve
from .search import Text
from .wells import pulling

MOST_LISTED = 10_000


class WellDataQuery(WindowQuery, frozen=True, rename={"start": "from", "stop": "to"}):
    """Which curves of a well, side by side."""

    curve: Annotated[
        list[Text],
        msgspec.Meta(max_length=MOST_CURVES),
        described("A mnemonic, a family, or FRAME/CURVE[:TAG]; as often as there are curves."),
    ] = msgspec.field(default_factory=list)


async def _well_data(call: Call[WellDataQuery]) -> Answer:
    query, who = call.query, await pulling(call)
    if not query.curve:
        raise QueryInvalid("name the curves: ?curve=GR&curve=run-two/rhob")
    if query.bins is not None:
        raise QueryInvalid("bins are of one curve: ask for each, /api/v1/curves/.../data?bins=")
    project, well = call.path["project"], call.path["well"]
    segment = Reference.parse(f"{project}/{well}").segments[1]
    entries = await catalog_wells.curves(call.services.store.database, who, segment, None, MOST_LISTED)
    if not entries:
        raise NameUnknown("the catalogue has no such well in this project")
    references = [
        Reference.parse(f"{project}/{segment}/{text}") if "/" in text else Reference.parse(_only(text, entries))
        for text in query.curve
    ]
    return await data_answer(call, query, [await open_curve(call, reference, query.at) for reference in references])


def _only(text: str, entries: list[Any]) -> str:
    """The one curve that a mnemonic or family means."""
    name, colon, tag = text.partition(":")
    wanted = slug(name, "curve")
    found = [row["ref"] for row in entries if slug(row["mnemonic"], "curve") == wanted]
    found = found or [row["ref"] for row in entries if row["family"] == name]
    if len(found) == 1:
        return f"{found[0]}{colon}{tag}"
    choices = [ref.partition("/")[2].partition("/")[2] for ref in found[:20]]
    if not found:
        has = ", ".join(sorted({row["mnemonic"] for row in entries})[:40])
        raise QueryInvalid(f"the well has no curve or family {name!r}; it has {has}")
    raise QueryInvalid(f"{name!r} may be any of {', '.join(choices)}: name one of them")


ENDPOINTS = (
    Endpoint(
        "GET",
        "/wells/{project}/{well}/data",
        "A window of several curves of a well, on one index",
        _well_data,
        query=WellDataQuery,
        produces=ONE[0].produces,
        statuses=ONE[0].statuses,
    ),
)
