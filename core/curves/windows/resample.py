"""Curves on a regular grid. The rule, for a grid value g between two neighbouring samples a <= g <= b:

- on a sample, the value is that sample's, whatever its neighbours are;
- else, where b - a is at most twice the curve's usual step (its constant step, or the mean spacing of its whole index):
  numbers are interpolated linearly, absent where a's or b's is; texts, integers and arrays take the nearer sample's
  value, the lower one's at equal distance, absent where that is;
- else, and before the first or behind the last sample, it is absent: nothing is drawn over a gap.

A wider step than the curve's picks single values and does not average.
"""

from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..errors import CurveError
from ..model import Ticks, Values, parse_tick

MAX_GRID_ROWS = 10_000_000
_WIDEST_GAP = 2  # in usual steps

Rows = npt.NDArray[np.int64]


def step_ticks(step: str, scale: int | None) -> Decimal:
    """A step as text, in the index's unit (seconds for timestamps), in ticks; CurveError unless it is above zero."""
    try:
        ticks = parse_tick(step, 6 if scale is None else scale)
    except CurveError as error:
        raise CurveError(f"the step {step!r} is no number: give one above zero, such as 0.1524") from error
    if ticks <= 0:
        raise CurveError(f"the step {step} is not above zero")
    return ticks


def grid(start: int, stop: int, step: int) -> Ticks:
    """start, start + step ... up to stop; CurveError beyond ten million rows."""
    rows = (stop - start) // step + 1 if stop >= start else 0
    if rows > MAX_GRID_ROWS:
        raise CurveError(f"this step makes {rows:,} rows of the window, more than {MAX_GRID_ROWS:,}: give a wider step")
    return start + step * np.arange(rows, dtype=np.int64)


def on_grid(ticks: Ticks, values: Values, at: Ticks, usual: Decimal) -> tuple[Values, bool]:
    """Values of shape (rows,) at the grid `at`, and whether all of them are samples as they were received.

    ticks: ascending, of shape (rows,), in the grid's unit and scale, as is usual, the curve's usual step.
    """
    if not len(ticks):
        return pa.nulls(len(at), values.type), True
    right = np.searchsorted(ticks, at, side="left")
    inside = np.minimum(right, len(ticks) - 1)
    exact = ticks[inside] == at
    left = np.maximum(right - 1, 0)
    spread = ticks[inside] - ticks[left]
    between = ~exact & (right > 0) & (right < len(ticks)) & (spread <= int(usual * _WIDEST_GAP))
    if not pa.types.is_floating(values.type):
        nearer = np.where(at - ticks[left] <= ticks[inside] - at, left, inside)
        rows = np.where(exact, inside, np.where(between, nearer, -1))
        return values.take(pa.array(rows, pa.int64(), mask=rows < 0)), True
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float64)  # absent: NaN, and so is what stands on it
    share = (at - ticks[left]) / np.where(spread == 0, 1, spread)
    with np.errstate(invalid="ignore"):
        drawn = numbers[left] + (numbers[inside] - numbers[left]) * share
    found = np.where(exact, numbers[inside], np.where(between, drawn, np.nan))
    return pa.array(found.astype(values.type.to_pandas_dtype()), mask=np.isnan(found)), not bool(np.any(between))
