"""Two arrays of values, row by row: which samples differ, which came or went, and by how much.

Numbers are compared as they print. So a curve that was float32 and is float64 now has changed where its text has: a
float32 becomes the float64 of its own shortest text (11.027, not 11.0270004) before it is compared with one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..dtypes import elements_of
from ..model import Values

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Changes:
    """Arrays of shape (rows,). A sample of an array curve is its whole row.

    changed: the two samples differ; nulled, filled: changed, and wholly absent in the new or in the old;
    amount: the largest absolute change of a row, NaN where there is none to tell (absent, infinite, or texts).
    total, count: sum and number of the finite absolute changes of all elements that changed.
    """

    changed: Mask
    nulled: Mask
    filled: Mask
    amount: npt.NDArray[np.float64]
    total: float
    count: int

    def only(self) -> "Changes":
        """The same of the rows that changed alone."""
        at = self.changed
        return Changes(at[at], self.nulled[at], self.filled[at], self.amount[at], self.total, self.count)


def changes(old: Values, new: Values) -> Changes:
    """Compare two arrays of equal length and any types that curves have. Null and NaN are one, so are -0.0 and 0.0."""
    gone, come = _absent(new), _absent(old)
    nulled, filled = gone & ~come, come & ~gone
    if not (_numeric(old.type) and _numeric(new.type)) or _width(old.type) != _width(new.type):
        differ = _texts_differ(old, new) if old.type == new.type == pa.string() else ~(gone & come)
        return Changes(differ | nulled | filled, nulled, filled, np.full(len(old), np.nan), 0.0, 0)
    before, before_there, after, after_there = *_numbers(old, new.type), *_numbers(new, old.type)
    both = before_there & after_there
    with np.errstate(invalid="ignore", over="ignore"):
        unequal = both & (before != after)
        steps = np.abs(after.astype(np.float64) - before.astype(np.float64))
    steps[~unequal | ~np.isfinite(steps)] = np.nan
    told = np.isfinite(steps)
    changed = (unequal | (before_there != after_there)).any(axis=1)
    amount = np.where(told.any(axis=1), np.max(np.where(told, steps, -1.0), axis=1), np.nan)
    return Changes(changed, nulled & changed, filled & changed, amount, float(steps[told].sum()), int(told.sum()))


def _numeric(kind: pa.DataType) -> bool:
    return kind != pa.string()


def _width(kind: pa.DataType) -> int:
    return kind.list_size if pa.types.is_fixed_size_list(kind) else 1


def _element(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_fixed_size_list(kind) else kind


def _texts_differ(old: Values, new: Values) -> Mask:
    differ: Values = pc.not_equal(old, new)  # null where either is
    return np.asarray(differ.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)


def _absent(values: Values) -> Mask:
    """Rows without any sample: null, NaN, or an array of nothing else."""
    if not _numeric(values.type):
        return np.asarray(values.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    return ~np.asarray(_numbers(values, values.type)[1].any(axis=1), dtype=bool)


def _numbers(values: Values, other: pa.DataType) -> tuple[Numbers, Mask]:
    """Elements as int64 or float64 of shape (rows, width), and which are there; `other` is what they meet."""
    rows, width = len(values), _width(values.type)
    flat = elements_of(values)
    there = np.asarray(flat.is_valid().to_numpy(zero_copy_only=False), dtype=bool).reshape(rows, width)
    there = there & np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=bool)[:, None]
    mine, theirs = flat.type, _element(other)
    if pa.types.is_integer(mine):
        numbers: Numbers = flat.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        if not pa.types.is_integer(theirs):
            numbers = numbers.astype(np.float64)
    else:
        if mine == pa.float32() and theirs != pa.float32():
            flat = flat.cast(pa.string()).cast(pa.float64())
        numbers = np.asarray(flat.to_numpy(zero_copy_only=False), dtype=np.float64)
    numbers = numbers.reshape(rows, width)
    return numbers, there & ~np.isnan(numbers)
