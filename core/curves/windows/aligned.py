"""Several curves on one index: what tables, exports and answers about more than one curve are made from.

Curves of one frame share their index and are put side by side as they are. Others are joined on their exact decimal
index values, absent where a curve has no sample there, or brought to a regular grid (resample.py says how).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pyarrow as pa

from ..artifact.parquet import index_array, index_ticks
from ..artifact.read import WHOLE, Window, bounds, ends
from ..dtypes import arrow_type
from ..errors import CurveError
from ..mnemonics import each_once
from ..model import DEFAULT_SCALE, Ticks, Values, index_type, tick_text
from ..schema import Config
from ..unit_table import UNITS, Unit
from ..units import convert
from .index_units import MAX_SCALE, IndexUnit, usual_step, whole_span
from .resample import Rows, grid, on_grid, step_ticks

HOW = ("outer", "inner", "left")


@dataclass(frozen=True, eq=False)
class Column:
    """One curve of an Aligned. values: Arrow array of shape (rows,), nulls for absent samples.

    name: its mnemonic, made unique (`GR`, `GR:2`). unit: what the values are in, config.unit unless converted.
    decimals: as config.text_decimals, None where values were converted or interpolated and have no printed form.
    """

    name: str
    config: Config
    values: Values
    unit: str
    decimals: int | None


@dataclass(frozen=True, eq=False)
class Aligned:
    """ticks: int64 of shape (rows,), ascending, maybe none; value = ticks / 10**scale in `unit`, or, with scale None,
    microseconds since 1970-01-01 UTC. notes: what was rounded."""

    kind: str  # MD, TVD, TIME, INDEX: the index column's name
    mnemonic: str  # of the first curve's index, as printed: DEPT
    unit: str  # canonical: m
    scale: int | None
    ticks: Ticks
    columns: tuple[Column, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ticks)

    @property
    def index(self) -> Values:
        """The index as exact decimals or UTC timestamps, of shape (rows,)."""
        return index_array(self.ticks, index_type(self.scale))

    @property
    def table(self) -> pa.Table:
        """Index column and value columns, each under its name."""
        arrays = [self.index, *(column.values for column in self.columns)]
        return pa.table(arrays, names=[self.kind, *(column.name for column in self.columns)])

    def index_texts(self) -> list[str]:
        """The index values as text, `2000.5` or ISO 8601."""
        return [tick_text(tick, self.scale) for tick in self.ticks.tolist()]

    def slice(self, start: int, stop: int) -> "Aligned":
        """Rows [start, stop)."""
        columns = tuple(replace(column, values=column.values.slice(start, stop - start)) for column in self.columns)
        return replace(self, ticks=self.ticks[start:stop], columns=columns)

    def chunks(self, rows: int) -> Iterator["Aligned"]:
        """Itself in pieces of at most that many rows; one empty piece where there are none."""
        for start in range(0, max(len(self), 1), rows):
            yield self.slice(start, min(start + rows, len(self)))

    def in_units(self, wanted: Mapping[str, str], table: Mapping[str, Unit] = UNITS) -> "Aligned":
        """Values in other units: name or mnemonic -> unit. CurveError for a name that is not here or no way to it."""
        here = {column.name for column in self.columns} | {column.config.mnemonic for column in self.columns}
        if missing := sorted(wanted.keys() - here):
            raise CurveError(f"no curve {missing[0]} here to convert: there are {', '.join(sorted(here))}")
        columns: list[Column] = []
        for column in self.columns:
            unit = wanted.get(column.name, wanted.get(column.config.mnemonic))
            if unit is None or unit == column.unit:
                columns.append(column)
                continue
            try:
                values = convert(column.values, column.unit, unit, table)
            except CurveError as error:
                raise CurveError(f"{column.name}: {error}") from error
            columns.append(replace(column, values=values, unit=unit, decimals=None))
        return replace(self, columns=tuple(columns))


@dataclass(frozen=True, eq=False)
class _Series:
    """One curve with its index already in the common unit and scale."""

    config: Config
    ticks: Ticks
    values: Values
    usual: Decimal  # the usual step of the whole curve
    span: Ticks  # the first and last index value of the whole curve


def align(
    series: Sequence[tuple[Config, pa.Table]],
    *,
    step: str | None = None,
    unit: str | None = None,
    how: str = "outer",
    window: Window = WHOLE,
) -> Aligned:
    """Curves of one kind of index, each an index column and a value column as read.assemble gives them, side by side.

    unit: of the index; None is the first curve's. step: of a regular grid in that unit (seconds for timestamps), from
    the window's start or the first sample on; without it rows join where index values are equal: `outer` keeps all,
    `inner` those that every curve has, `left` the first curve's. A value that one curve has twice joins in order.
    window: in `unit`; rows outside are left out. Read reading_window(...) of each curve for it.
    CurveError: different kinds of index, no way between units, a step that makes more than ten million rows.
    """
    if not series:
        raise CurveError("no curve to align: name at least one")
    if how not in HOW:
        raise CurveError(f"how is outer, inner or left, not {how!r}")
    first = series[0][0]
    _same_kind([config for config, _ in series])
    units = [IndexUnit.of(config, unit if unit is not None else first.index.unit) for config, _ in series]
    scale = None if first.index.scale is None else max(each.scale or 0 for each in units)
    if step is not None and scale is not None:
        scale = _finer(scale, step, window.start)
    brought = [_brought(config, table, each, scale) for (config, table), each in zip(series, units, strict=True)]
    low, high = ends(window, scale)
    if step is None:
        ticks, rows = _joined([each.ticks for each in brought], how)
        start, stop = bounds(ticks, low, high)
        ticks, rows = ticks[start:stop], [row[start:stop] for row in rows]
        columns = [(_taken(each.values, row), True) for each, row in zip(brought, rows, strict=True)]
    else:
        ticks = _grid(brought, int(step_ticks(step, scale)), low, high)
        columns = [on_grid(each.ticks, each.values, ticks, each.usual) for each in brought]
    names = each_once([first.index.kind, *(config.mnemonic for config, _ in series)])[1:]
    notes = [
        f"the index of {name} is rounded to 1e-4 {each.unit}"
        for name, each in zip(names, units, strict=True)
        if each.rounded
    ]
    return Aligned(
        kind=first.index.kind,
        mnemonic=first.index.mnemonic,
        unit=units[0].unit,
        scale=scale,
        ticks=ticks,
        columns=tuple(
            Column(name, each.config, values, each.config.unit, each.config.text_decimals if received else None)
            for name, each, (values, received) in zip(names, brought, columns, strict=True)
        ),
        notes=tuple(notes),
    )


def _same_kind(configs: Sequence[Config]) -> None:
    first = configs[0]
    for config in configs[1:]:
        index, other = first.index, config.index
        if index.kind != other.kind or (index.scale is None) != (other.scale is None):
            said = [f"{each.frame}/{each.mnemonic} on {_kind(each)}" for each in (first, config)]
            raise CurveError(f"{said[0]} and {said[1]} have no index in common; read them apart")


def _kind(config: Config) -> str:
    index = config.index
    return "dates and times" if index.scale is None else f"{index.kind} in {index.unit or 'no unit'}"


def _brought(config: Config, table: pa.Table, unit: IndexUnit, scale: int | None) -> _Series:
    more = 0 if scale is None or unit.scale is None else scale - unit.scale
    ticks, span = (
        unit.apply(each) * 10**more for each in (index_ticks(table.column(0).combine_chunks()), whole_span(config))
    )
    usual = usual_step(config) * unit.factor.numerator / unit.factor.denominator
    values: Values = table.column(1).combine_chunks()
    wanted = arrow_type(config.dtype, config.width)
    return _Series(config, ticks, values if values.type == wanted else values.cast(wanted), usual.scaleb(more), span)


def _finer(scale: int, step: str, start: str | None) -> int:
    """The decimals that also say the step and the start of the grid."""
    for text in (step, start):
        if text is not None:
            step_ticks(step, scale)
            exponent = Decimal(text).normalize().as_tuple().exponent
            scale = max(scale, -exponent if isinstance(exponent, int) else 0)
    if scale > MAX_SCALE:
        raise CurveError(f"a step or start with more than {MAX_SCALE} decimals; round it")
    return max(scale, DEFAULT_SCALE)


def _grid(series: Sequence[_Series], step: int, low: Decimal | None, high: Decimal | None) -> Ticks:
    """From the window's start, else the first sample, by steps; without what lies before or behind all samples.

    Told from the whole curves, not from what was read of them: so a window is cut out of the same grid.
    """
    first, last = min(int(each.span[0]) for each in series), max(int(each.span[1]) for each in series)
    start = first if low is None else int(low)
    start += max(0, -((start - first) // step)) * step
    return grid(start, last if high is None else min(int(high), last), step)


def _joined(indexes: Sequence[Ticks], how: str) -> tuple[Ticks, list[Rows]]:
    """The common index, and for each series the row that stands at each of its values, -1 where there is none."""
    if all(np.array_equal(indexes[0], ticks) for ticks in indexes[1:]):
        return indexes[0], [np.arange(len(indexes[0]), dtype=np.int64)] * len(indexes)
    values = np.unique(np.concatenate(indexes))
    places = [np.searchsorted(values, ticks) for ticks in indexes]
    counts = [np.bincount(place, minlength=len(values)) for place in places]
    repeats = counts[0] if how == "left" else np.max(counts, axis=0) if how == "outer" else np.min(counts, axis=0)
    offsets = np.cumsum(repeats) - repeats
    rows: list[Rows] = []
    for ticks, place in zip(indexes, places, strict=True):
        again = np.arange(len(ticks)) - np.searchsorted(ticks, ticks, side="left")  # which repeat of its value it is
        kept = again < repeats[place]
        row = np.full(int(repeats.sum()), -1, dtype=np.int64)
        row[(offsets[place] + again)[kept]] = np.flatnonzero(kept)
        rows.append(row)
    return np.repeat(values, repeats), rows


def _taken(values: Values, rows: Rows) -> Values:
    if len(rows) and rows[0] >= 0 and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
        return values.slice(int(rows[0]), len(rows))
    return values.take(pa.array(rows, pa.int64(), mask=rows < 0))
