"""Minimum and maximum of curves in bins of their index: what a plot of any zoom draws instead of every sample."""

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..artifact.parquet import index_ticks, scale_of
from ..artifact.read import WHOLE, Window, ends
from ..dtypes import elements_of
from ..errors import CurveError
from ..model import Values

MAX_BINS = 20_000


def envelope(table: pa.Table, bins: int, window: Window = WHOLE) -> pa.Table:
    """Bins of equal width from the window's start to its stop (open: the first and last row), one row each.

    table: an ascending index column (decimals or timestamps) and value columns. Result: the index column with each
    bin's lower edge (float64, or timestamps), and for each value column NAME.min and NAME.max (float64, null where the
    bin has no sample; infinities count), and NAME.nulls (int64: rows of the bin without a value). Arrays give the
    extremes of all their elements, texts null. Rows outside the window are left out; the last bin holds its upper edge.
    """
    if not 1 <= bins <= MAX_BINS:
        raise CurveError(f"bins is from 1 to {MAX_BINS:,}, not {bins}")
    index = table.column(0).combine_chunks()
    scale, ticks = scale_of(index), index_ticks(index)
    edges = _edges(ticks, bins, *ends(window, scale))
    starts = np.searchsorted(ticks, edges[:-1], side="left")
    stops = np.append(starts[1:], np.searchsorted(ticks, edges[-1], side="right"))
    lower = edges[:-1]
    shown = lower / 10.0**scale if scale is not None else np.rint(lower).astype(np.int64)
    names, arrays = (
        [table.column_names[0]],
        [pa.array(shown) if scale is not None else pa.array(shown).cast(index.type)],
    )
    for name, column in zip(table.column_names[1:], table.columns[1:], strict=True):
        values = column.combine_chunks()
        low, high = row_extremes(values)
        without = values.is_null().to_numpy(zero_copy_only=False) if pa.types.is_string(values.type) else np.isnan(low)
        absent = np.append(0, np.cumsum(without))
        names += [f"{name}.min", f"{name}.max", f"{name}.nulls"]
        least, most = _reduced(np.fmin, low, starts, stops), _reduced(np.fmax, high, starts, stops)
        arrays += [_nullable(least), _nullable(most), pa.array(absent[stops] - absent[starts])]
    return pa.table(arrays, names=names)


def _edges(
    ticks: npt.NDArray[np.int64], bins: int, low: Decimal | None, high: Decimal | None
) -> npt.NDArray[np.float64]:
    """bins + 1 edges in ticks; a window without rows and ends is one from 0 to 0."""
    start = float(low) if low is not None else float(ticks[0]) if len(ticks) else 0.0
    stop = float(high) if high is not None else float(ticks[-1]) if len(ticks) else start
    return np.linspace(start, max(start, stop), bins + 1)


def row_extremes(values: Values) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The least and the greatest number of each row, float64 of shape (rows,), NaN where there is none (texts)."""
    if pa.types.is_fixed_size_list(values.type):
        width = values.type.list_size
        numbers = _numbers(elements_of(values)).reshape(-1, width)
        numbers[values.is_null().to_numpy(zero_copy_only=False)] = np.nan
        return np.fmin.reduce(numbers, axis=1), np.fmax.reduce(numbers, axis=1)
    numbers = _numbers(values)
    return numbers, numbers


def _numbers(values: Values) -> npt.NDArray[np.float64]:
    if pa.types.is_string(values.type):
        return np.full(len(values), np.nan)
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def _reduced(
    function: np.ufunc, numbers: npt.NDArray[np.float64], starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """function over each [start, stop); NaN for an empty one."""
    reduced = np.full(len(starts), np.nan)
    filled = np.flatnonzero(stops > starts)
    if len(filled):
        # neighbouring bins: each ends where the next that has rows begins
        reduced[filled] = function.reduceat(numbers[: stops[-1]], starts[filled])
    return reduced


def _nullable(numbers: npt.NDArray[np.float64]) -> Values:
    return pa.array(numbers, mask=np.isnan(numbers))
