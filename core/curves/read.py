"""Reading a curve back: which layers a depth window needs, and the table they make. No I/O: the caller fetches.

wanted = plan(manifest, window)
table = assemble(wanted, {digest: fetch(digest) for digest in wanted.digests})
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pyarrow as pa

from ..oci import media
from . import schema
from .decode import decode_index, decode_values
from .dtypes import arrow_type
from .errors import ContentMismatch, CurveError
from .model import Ticks, Values, parse_tick
from .parquet import index_ticks
from .schema import Descriptor, Manifest


@dataclass(frozen=True)
class Window:
    """Index values, both ends included; None is open. In the unit of the curve's index; times as ISO 8601."""

    start: str | None = None
    stop: str | None = None


WHOLE = Window()


@dataclass(frozen=True)
class Plan:
    """The layers that hold a window's rows, index layers first."""

    mnemonic: str
    window: Window
    index: tuple[Descriptor, ...]
    values: tuple[Descriptor, ...]
    rows: int  # of the whole curve

    @property
    def digests(self) -> list[str]:
        """What has to be fetched, each once."""
        return list(dict.fromkeys(layer.digest for layer in (*self.index, *self.values)))


def plan(manifest: Manifest, window: Window = WHOLE) -> Plan:
    """The layers of a curve manifest that a window touches, told from annotations alone. CurveError for no curve."""
    roles: dict[str, list[Descriptor]] = {"index": [], "values": []}
    for layer in manifest.layers:
        roles.setdefault(layer.annotations.get(schema.ROLE, ""), []).append(layer)
    if manifest.artifactType != media.CURVE or not roles["index"] or not roles["values"]:
        raise CurveError("this manifest is no curve: name one curve, PROJECT/WELL/FRAME/CURVE")
    values = tuple(layer for layer in roles["values"] if _touches(layer, window)) or (roles["values"][0],)
    for before, after in pairwise(values):
        if _rows(before)[1] != _rows(after)[0]:
            raise CurveError(f"rows {_rows(after)[0]} of {after.digest} do not follow rows {_rows(before)[1]}")
    first, last = _rows(values[0])[0], _rows(values[-1])[1]
    index = [layer for layer in roles["index"] if _overlaps(layer, first, last)]
    return Plan(
        manifest.annotations.get(schema.MNEMONIC, "values"), window, tuple(index), values, _rows(roles["values"][-1])[1]
    )


def assemble(wanted: Plan, blobs: Mapping[str, bytes]) -> pa.Table:
    """The window's rows: the index (exact decimals or UTC timestamps, ascending) and the values, nulls as nulls.

    Every blob is checked against its digest; ContentMismatch names one that fails.
    """
    kind, index, base = _index(wanted, blobs)
    first = _rows(wanted.values[0])[0]
    values = _joined([decode_values(_bytes(layer, blobs), _count(layer)) for layer in wanted.values])
    index = index.slice(first - base, len(values))
    if len(index) != len(values):
        raise ContentMismatch(f"the index layer has {len(index)} of the {len(values)} rows that the values have")
    scale = None if pa.types.is_timestamp(index.type) else index.type.scale
    start, stop = bounds(index_ticks(index), *ends(wanted.window, scale))
    name = wanted.mnemonic if wanted.mnemonic != kind else f"{wanted.mnemonic}:2"
    return pa.table([index.slice(start, stop - start), values.slice(start, stop - start)], names=[kind, name])


def as_said(table: pa.Table, config: schema.Config) -> pa.Table:
    """What assemble gave, if its values are of the type that the config says; ContentMismatch."""
    found, said = table.schema.types[1], arrow_type(config.dtype, config.width)
    if found != said:
        raise ContentMismatch(f"the layers hold {found}, the config says {said}")
    return table


def parts(wanted: Plan, rows: int) -> list[Plan]:
    """The same rows as plans of some value layers each, about `rows` rows or one layer, to be read one by one."""
    groups: list[list[Descriptor]] = [[]]
    held = 0
    for layer in wanted.values:
        start, stop = _rows(layer)
        if held >= rows:
            groups.append([])
            held = 0
        groups[-1].append(layer)
        held += stop - start
    return [
        replace(
            wanted,
            index=tuple(each for each in wanted.index if _overlaps(each, _rows(group[0])[0], _rows(group[-1])[1])),
            values=tuple(group),
        )
        for group in groups
    ]


def rows_of(wanted: Plan) -> int:
    """The rows of a plan's value layers: at least those of its window."""
    return _rows(wanted.values[-1])[1] - _rows(wanted.values[0])[0]


def read(manifest: bytes, fetch: Callable[[str], bytes], window: Window = WHOLE) -> pa.Table:
    """plan and assemble with a blocking fetch(digest) -> bytes."""
    wanted = plan(schema.parse_manifest(manifest, media.CURVE), window)
    return assemble(wanted, {digest: fetch(digest) for digest in wanted.digests})


def _index(wanted: Plan, blobs: Mapping[str, bytes]) -> tuple[str, Values, int]:
    """The index layers as one array, its name, and the row it starts at."""
    parts = [decode_index(_bytes(layer, blobs), _count(layer) or wanted.rows or None) for layer in wanted.index]
    return parts[0][0], _joined([values for _, values in parts]), _rows(wanted.index[0])[0]


def _joined(parts: list[Values]) -> Values:
    kinds = list(dict.fromkeys(str(part.type) for part in parts))
    if len(kinds) > 1:
        raise ContentMismatch(f"the layers of one column hold different types: {', '.join(kinds)}")
    return pa.concat_arrays(parts)


def _bytes(layer: Descriptor, blobs: Mapping[str, bytes]) -> bytes:
    return layer.check(blobs[layer.digest])


def _count(layer: Descriptor) -> int | None:
    start, stop = _rows(layer)
    return stop - start if stop else None


def _rows(layer: Descriptor) -> tuple[int, int]:
    """[start, stop) of a layer; 0, 0 for an index layer that says nothing: it holds all rows."""
    start, _, stop = layer.annotations.get(schema.ROWS, "0/0").partition("/")
    try:
        return int(start), int(stop)
    except ValueError as error:
        raise CurveError(f"layer {layer.digest} has unreadable rows {start}/{stop}") from error


def _overlaps(layer: Descriptor, first: int, last: int) -> bool:
    start, stop = _rows(layer)
    return stop == 0 or (start < last and stop > first)


def _touches(layer: Descriptor, window: Window) -> bool:
    low, _, high = layer.annotations.get(schema.SPAN, "").partition("/")
    if not high:
        return True
    scale = None if "T" in low else 0
    start, stop = ends(window, scale)
    return (stop is None or parse_tick(low, scale) <= stop) and (start is None or parse_tick(high, scale) >= start)


def bounds(ticks: Ticks, start: Decimal | None, stop: Decimal | None) -> tuple[int, int]:
    """Rows [low, high) of ascending ticks that lie from start to stop, both included, None open."""
    low = 0 if start is None else _search(ticks, start, "left")
    high = len(ticks) if stop is None else _search(ticks, stop, "right")
    return low, max(low, high)


def ends(window: Window, scale: int | None) -> tuple[Decimal | None, Decimal | None]:
    """Both bounds in ticks; CurveError for one that is no index value, and for a window upside down."""
    start, stop = (None if end is None else parse_tick(end, scale) for end in (window.start, window.stop))
    if start is not None and stop is not None and start > stop:
        said = f"the window from {window.start} to {window.stop} is upside down"
        raise CurveError(f"{said}: give the smaller value first")
    return start, stop


def _search(ticks: Ticks, bound: Decimal, side: str) -> int:
    """searchsorted for a bound that may lie between ticks or beyond int64."""
    whole = bound.to_integral_value(rounding="ROUND_FLOOR")
    clipped = int(min(max(whole, Decimal(-(2**63))), Decimal(2**63 - 1)))
    right = side == "right" or whole != bound
    return int(np.searchsorted(ticks, clipped, side="right" if right else "left"))
