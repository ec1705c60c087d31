"""Windows of curves: GET /api/v1/curves/{project}/{well}/{frame}/{curve}/data, in the format that is asked for."""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from ...core.curves.artifact.read import Plan, Window, ends, parts, plan, rows_of
from ...core.curves.errors import CurveError
from ...core.curves.model import tick_text
from ...core.curves.names import Reference
from ...core.curves.schema import Config, parse_config
from ...core.curves.windows.envelope import MAX_BINS
from ...core.curves.windows.index_units import IndexUnit, own_window, reading_window, whole_span
from ...core.curves.writers import MEDIA_TYPES, Format, format_of
from ...core.curves.writers.served import PART_ROWS, STREAMED, WRITER, Order, serve
from ...core.oci.errors import QueryInvalid
from ..endpoint import Endpoint, described
from ..v2.answer import Answer
from ..v2.conditional import not_modified
from .call import Call, Services
from .opened import OpenedCurve, open_curve
from .times import At

MOST_CURVES = 50
MOST_ROWS = 4 << 20
"""Rows, of all curves together, that an answer may have which is made in one piece."""
SERVED = (Format.json, Format.csv, Format.parquet, Format.arrow, Format.las, Format.jwlf)
FixedText = Annotated[str, msgspec.Meta(max_length=64)]
Bins = Annotated[int, msgspec.Meta(ge=1, le=MAX_BINS)]


class WindowQuery(msgspec.Struct, frozen=True, rename={"start": "from", "stop": "to"}):
    """What of a curve to read."""

    start: Annotated[FixedText | None, described("First index value, included; ISO 8601 for times.")] = None
    stop: Annotated[FixedText | None, described("Last index value, included.")] = None
    unit: Annotated[FixedText | None, described("Unit of the index, as m or ft, in window and answer.")] = None
    step: Annotated[FixedText | None, described("Spacing of a regular grid, in that unit, interpolated.")] = None
    bins: Annotated[Bins | None, described("Least and greatest value in so many bins, as JSON.")] = None
    format: Annotated[FixedText | None, described(f"One of {', '.join(SERVED)}; else as Accept says.")] = None
    at: At = None


@dataclass(frozen=True)
class _Wanted:
    """One curve of an answer: where it is, what is read of it."""

    curve: OpenedCurve
    config: Config
    config_raw: bytes
    plan: Plan


async def data_answer(call: Call[Any], query: WindowQuery, curves: Sequence[OpenedCurve]) -> Answer:
    """The window of one or more curves. Each is counted as pulled."""
    kind = _format(call, query)
    tag = _tag([curve.digest for curve in curves], query, kind)
    headers = {
        "content-type": MEDIA_TYPES[kind],
        "etag": f'"{tag}"',
        "vary": "Accept",
        "cache-control": "private, no-cache",
        "dataforge-digest": ", ".join(curve.digest for curve in curves),
        "x-content-type-options": "nosniff",
    }
    if not_modified(call.request, tag):
        return Answer(304, headers)
    wanted = [await _wanted(curve, query) for curve in curves]
    _check_span([each.config for each in wanted], query)
    _check_size(wanted, query, kind, call.services.file_limit)
    pieces = parts(wanted[0].plan, PART_ROWS) if _streams(wanted, query, kind) else []
    rows, first = await _part(call.services, wanted, query, kind, 0, pieces)
    if not rows and len(pieces) <= 1:
        raise QueryInvalid(f"no sample lies in the window: {_runs(wanted[0].config, query.unit)}")
    if call.request.method != "HEAD":
        for curve in curves:
            curve.count()
    if len(pieces) <= 1:
        return Answer(200, headers, b"".join(first))
    return Answer(200, headers, _stream(call.services, wanted, query, kind, pieces, first))


def _format(call: Call[Any], query: WindowQuery) -> Format:
    if query.bins is not None:
        if query.format not in (None, "json") or query.step is not None:
            raise QueryInvalid("bins come as JSON and have no step: leave format and step out")
        return Format.json
    if query.format is not None:
        kind = format_of(query.format)
        if kind not in SERVED:
            raise QueryInvalid(f"format is one of {', '.join(SERVED)}; dfr export writes {kind}")
        return kind
    return _accepted(call.request.headers.get("accept", ""))


def _accepted(header: str) -> Format:
    """The first of the media types, by weight, that is served; JSON where none is (RFC 9110 section 12.5.1)."""
    wishes: list[tuple[float, str]] = []
    for part in header.split(",")[:32]:
        name, *parameters = (text.strip().casefold() for text in part.split(";"))
        weights = [text[2:] for text in parameters if text.startswith("q=")]
        try:
            wishes.append((float(weights[0]) if weights else 1.0, name))
        except ValueError:
            continue
    for weight, name in sorted(wishes, key=lambda wish: -wish[0]):
        for kind in SERVED:
            if weight > 0 and MEDIA_TYPES[kind].partition(";")[0] == name and name != "text/plain":
                return kind
    return Format.json


def _tag(digests: Sequence[str], query: WindowQuery, kind: Format) -> str:
    said = msgspec.json.encode([WRITER, kind, list(map(str, digests)), query])
    return f"{kind}.{hashlib.sha256(said).hexdigest()[:40]}"


async def _wanted(curve: OpenedCurve, query: WindowQuery) -> _Wanted:
    (raw,) = await curve.blobs([curve.config_digest])
    config = parse_config(raw)
    window = reading_window(config, Window(query.start, query.stop), query.unit, query.step)
    return _Wanted(curve, config, raw, plan(curve.manifest, window))


def _check_span(configs: Sequence[Config], query: WindowQuery) -> None:
    """QueryInvalid where the window lies outside all curves."""
    window = Window(query.start, query.stop)
    for config in configs:
        scale = config.index.scale
        start, stop = ends(own_window(window, query.unit, config.index), scale)
        first, last = whole_span(config).tolist()
        if (stop is None or stop >= first) and (start is None or start <= last):
            return
    raise QueryInvalid(f"the window lies outside the curve: {_runs(configs[0], query.unit)}")


def _runs(config: Config, unit: str | None) -> str:
    said = IndexUnit.of(config, unit)
    first, last = (tick_text(int(tick), said.scale) for tick in said.apply(whole_span(config)))
    return f"its {config.index.kind} runs from {first} to {last} {said.unit}".rstrip()


def _streams(wanted: Sequence[_Wanted], query: WindowQuery, kind: Format) -> bool:
    return len(wanted) == 1 and query.step is None and query.bins is None and kind in STREAMED


def _check_size(wanted: Sequence[_Wanted], query: WindowQuery, kind: Format, limit: int) -> None:
    if _streams(wanted, query, kind):
        return
    size = sum(layer.size for each in wanted for layer in each.plan.layers)
    rows = sum(rows_of(each.plan) * each.config.width for each in wanted)
    if size > limit or (rows > MOST_ROWS and query.bins is None):
        raise QueryInvalid(
            f"this asks for {rows} samples in {size} bytes at once; at most {MOST_ROWS} in {limit} are given: "
            "ask for a smaller window, or for one curve as json, csv or arrow without a step, sent as they are read"
        )


async def _part(
    services: Services, wanted: Sequence[_Wanted], query: WindowQuery, kind: Format, number: int, pieces: list[Plan]
) -> tuple[int, list[bytes]]:
    """One part of the rows, or all of them: rows, and bytes."""
    plans = [pieces[number]] if len(pieces) > 1 else [each.plan for each in wanted]
    blobs: list[bytes] = []
    counts: list[int] = []
    for each, needed in zip(wanted, plans, strict=True):
        layers = await each.curve.blobs(needed.digests)
        blobs += [each.curve.raw, each.config_raw, *layers]
        counts.append(2 + len(layers))
    order = Order(
        kind, counts, query.start, query.stop, query.unit, query.step, query.bins, number, max(1, len(pieces))
    )
    rows, answer = await services.sandbox.run(serve, msgspec.to_builtins(order), blobs)
    return int(rows), answer


async def _stream(
    services: Services,
    wanted: Sequence[_Wanted],
    query: WindowQuery,
    kind: Format,
    pieces: list[Plan],
    first: list[bytes],
) -> AsyncGenerator[bytes, None]:
    for piece in first:
        yield piece
    for number in range(1, len(pieces)):
        for piece in (await _part(services, wanted, query, kind, number, pieces))[1]:
            yield piece


async def _answer(call: Call[WindowQuery]) -> Answer:
    path = call.path
    reference = Reference.parse("/".join(path[name] for name in ("project", "well", "frame", "curve")))
    if reference.base is not None:
        raise CurveError("a reference here has no address in front")
    return await data_answer(call, call.query, [await open_curve(call, reference, call.query.at)])


ENDPOINTS = (
    Endpoint(
        "GET",
        "/curves/{project}/{well}/{frame}/{curve}/data",
        "A window of a curve. curve: CURVE, CURVE:TAG, CURVE@TAG or CURVE@sha256:HEX",
        _answer,
        query=WindowQuery,
        produces=tuple(dict.fromkeys(MEDIA_TYPES[kind].partition(";")[0] for kind in SERVED)),
        statuses={304: "The answer is still the one that If-None-Match names."},
    ),
)
