"""Reading a curve back: which layers a depth window needs, and the table they make. No I/O: the caller fetches.

wanted = plan(manifest, window)
table = assemble(wanted, {digest: fetch(digest) for digest in wanted.digests})
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pyarrow as pa

from ...oci import media
from .. import schema
from ..dtypes import arrow_type
from ..errors import ContentMismatch, CurveError
from ..model import Ticks, Values, index_type, parse_tick
from ..schema import Descriptor, Manifest
from .decode import decode_index, decode_values
from .layout import Layout, Part
from .parquet import index_array, index_ticks, scale_of


@dataclass(frozen=True)
class Window:
    """Index values, both ends included; None is open. In the unit of the curve's index; times as ISO 8601."""

    start: str | None = None
    stop: str | None = None


WHOLE = Window()


@dataclass(frozen=True)
class Plan:
    """The value layers that hold a window's rows, and where its index comes from."""

    mnemonic: str
    window: Window
    layout: Layout
    values: tuple[Part, ...]

    @property
    def index(self) -> tuple[Part, ...]:
        """The index layers needed: none of a regular index, which the manifest says whole."""
        if self.layout.step is not None:
            return ()
        first, last = self.values[0].start, self.values[-1].stop
        return tuple(part for part in self.layout.index if part.start < last and part.stop > first)

    @property
    def layers(self) -> list[Descriptor]:
        """What has to be fetched, index layers first."""
        return [part.layer for part in (*self.index, *self.values)]

    @property
    def digests(self) -> list[str]:
        """The names of the layers, each once."""
        return list(dict.fromkeys(layer.digest for layer in self.layers))


def plan(manifest: Manifest, window: Window = WHOLE) -> Plan:
    """The layers of a curve manifest that a window touches, told from annotations alone. CurveError for no curve."""
    layout = Layout.of(manifest)
    values = layout.touching(*ends(window, layout.scale))
    return Plan(manifest.annotations.get(schema.MNEMONIC, "values"), window, layout, values)


def assemble(wanted: Plan, blobs: Mapping[str, bytes]) -> pa.Table:
    """The window's rows: the index (exact decimals or UTC timestamps, ascending) and the values, nulls as nulls.

    Every blob is checked against its digest; ContentMismatch names one that fails.
    """
    kind = wanted.layout.kind
    values = _joined([decode_values(*_bytes(part, blobs)) for part in wanted.values])
    index = _index(wanted, blobs)
    start, stop = bounds(index_ticks(index), *ends(wanted.window, wanted.layout.scale))
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
    groups: list[list[Part]] = [[]]
    held = 0
    for part in wanted.values:
        if held >= rows:
            groups.append([])
            held = 0
        groups[-1].append(part)
        held += part.stop - part.start
    return [replace(wanted, values=tuple(group)) for group in groups]


def rows_of(wanted: Plan) -> int:
    """The rows of a plan's value layers: at least those of its window."""
    return wanted.values[-1].stop - wanted.values[0].start


def read(manifest: bytes, fetch: Callable[[str], bytes], window: Window = WHOLE) -> pa.Table:
    """plan and assemble with a blocking fetch(digest) -> bytes."""
    wanted = plan(schema.parse_manifest(manifest, media.CURVE), window)
    return assemble(wanted, {digest: fetch(digest) for digest in wanted.digests})


def _index(wanted: Plan, blobs: Mapping[str, bytes]) -> Values:
    """The index of the plan's rows."""
    layout, start, stop = wanted.layout, wanted.values[0].start, wanted.values[-1].stop
    if layout.step is not None:
        ticks: Ticks = layout.marks[0] + layout.step * np.arange(start, stop, dtype=np.int64)
        return index_array(ticks, index_type(layout.scale, max(-layout.marks[0], layout.marks[-1])))
    index = _joined([decode_index(*_bytes(part, blobs))[1] for part in wanted.index])
    if scale_of(index) != layout.scale:
        raise ContentMismatch(f"the index layers hold {index.type}, the manifest says {layout.scale} decimals")
    return index.slice(start - wanted.index[0].start, stop - start)


def _joined(parts: list[Values]) -> Values:
    kinds = list(dict.fromkeys(str(part.type) for part in parts))
    if len(kinds) > 1:
        raise ContentMismatch(f"the layers of one column hold different types: {', '.join(kinds)}")
    return pa.concat_arrays(parts)


def _bytes(part: Part, blobs: Mapping[str, bytes]) -> tuple[bytes, int]:
    """What a layer is, and how many rows it has to have."""
    return part.layer.check(blobs[part.layer.digest]), part.stop - part.start


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
