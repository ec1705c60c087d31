"""GET /api/v1/diff: what differs between two versions of a curve; /diff/wells: between two states of a well."""

from typing import Annotated

import msgspec

from ...core.curves.compare.compared import compare, wanted_layers
from ...core.curves.compare.diff_wells import WellDiff, diff_wells
from ...core.curves.compare.differences import CurveDiff
from ...core.curves.names import LATEST, Reference
from ...core.curves.schema import Manifest, parse_manifest
from ...core.newest import newest
from ...core.oci import media
from ...core.oci.errors import QueryInvalid
from ...core.oci.media import JSON
from ..endpoint import Endpoint, answer, described
from ..v2.answer import Answer
from .call import Call
from .opened import named_at, open_curve
from .times import At

Ref = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


class DiffQuery(msgspec.Struct, frozen=True, rename={"old": "from", "new": "to"}):
    """Which two."""

    old: Annotated[Ref, described("The old version: PROJECT/WELL[/FRAME/CURVE][:TAG|@TAG|@DIGEST].")]
    new: Annotated[Ref, described("The new version.")]
    from_at: At = None
    to_at: At = None


def _reference(text: str, *lengths: int) -> Reference:
    reference = Reference.parse(text)
    if reference.base is not None or len(reference.segments) not in lengths:
        raise QueryInvalid(f"{text!r} does not name one here: {'a well' if 2 in lengths else 'a curve'} is meant")
    return reference


async def _curves(call: Call[DiffQuery]) -> Answer:
    old = await open_curve(call, _reference(call.query.old, 4), call.query.from_at)
    new = await open_curve(call, _reference(call.query.new, 4), call.query.to_at)
    blobs = [old.raw, *await old.blobs([old.config_digest]), new.raw, *await new.blobs([new.config_digest])]
    sandbox, limit = call.services.sandbox, call.services.file_limit
    if old.size + new.size > limit:
        raise QueryInvalid(f"the two hold {old.size + new.size} bytes, and up to {limit} are compared at once")
    (of_old, of_new), _ = await sandbox.run(wanted_layers, None, blobs)
    layers = [*await old.blobs(of_old), *await new.blobs(of_new)]
    _, (found,) = await sandbox.run(compare, None, [*blobs, *layers])
    for curve in (old, new):
        curve.count()
    return Answer(200, {"content-type": JSON, "cache-control": "private, no-cache"}, found)


async def _wells(call: Call[DiffQuery]) -> Answer:
    old, new = _reference(call.query.old, 2), _reference(call.query.new, 2)
    return answer(diff_wells(await _index(call, old, call.query.from_at), await _index(call, new, call.query.to_at)))


async def _index(call: Call[DiffQuery], reference: Reference, at: str | None) -> Manifest:
    target = reference.target
    if at is not None and ":" not in target:
        target = await named_at(call, reference.repository, target, at)
    _, raw = await call.repository(reference.repository).get_manifest(target)
    index = parse_manifest(raw, media.WELL)
    return await newest(call.repository, reference.well, index) if target == LATEST else index


ENDPOINTS = (
    Endpoint(
        "GET", "/diff", "What differs between two versions of a curve", _curves, query=DiffQuery, result=CurveDiff
    ),
    Endpoint("GET", "/diff/wells", "Curves added, removed, changed", _wells, query=DiffQuery, result=WellDiff),
)
