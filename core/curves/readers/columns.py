"""Columns of typed numbers, as DLIS, LIS, CSV and Parquet hold them, as an index and as values of curves.

A binary float is what its shortest text says: that text gives the number back, and is what an instrument meant.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..dtypes import DTYPES, lists_of
from ..errors import CurveError
from ..model import DEFAULT_SCALE, Ticks, Values

_MAX_SCALE = 12
_KINDS = {np.dtype(kind.to_pandas_dtype()): kind for name, kind in DTYPES.items() if name != "utf8"}
_WIDER = {"e": np.float32, "g": np.float64}  # half and long floats


class OutOfOrder(CurveError):
    """An index that is no index. row: the first (from 0) that shows it."""

    def __init__(self, reason: str, row: int) -> None:
        super().__init__(reason)
        self.row = row


def exact_ticks(numbers: npt.NDArray[Any], findings: list[str]) -> tuple[Ticks, int]:
    """Ticks and scale of an index of shape (rows,): as many decimals as its shortest texts have, at least 4.

    OutOfOrder where a value is absent. What needs more than 15 digits is rounded to those, and that is a finding.
    """
    if numbers.dtype.kind in "iu":
        scale = DEFAULT_SCALE if np.abs(numbers.astype(np.float64)).max(initial=0) < 10.0**10 else 0
        return numbers.astype(np.int64) * 10**scale, scale
    missing = np.flatnonzero(~np.isfinite(numbers))
    if len(missing):
        raise OutOfOrder(
            f"the index has no value in row {missing[0] + 1}; every row needs its depth or time", int(missing[0])
        )
    texts: Any = pa.array(numbers).cast(pa.string()).cast(pa.float64())
    exact = texts.to_numpy(zero_copy_only=False)  # of float32 the number that its shortest text means
    largest = float(np.abs(exact).max(initial=0.0))
    if largest >= 10.0**14:
        raise OutOfOrder(f"the index holds {largest:g}, which is no depth or time", int(np.abs(exact).argmax()))
    scale = DEFAULT_SCALE
    for scale in range(DEFAULT_SCALE, _MAX_SCALE + 1):
        if largest >= 10.0 ** (15 - scale):
            scale = max(scale - 1, DEFAULT_SCALE)
            break
        ticks = np.rint(exact * 10.0**scale)
        if np.array_equal(ticks / 10.0**scale, exact):
            return ticks.astype(np.int64), scale
    findings.append(f"the index has more than 15 digits; it is rounded to {scale} decimals")
    return np.rint(exact * 10.0**scale).astype(np.int64), scale


def order_of(ticks: Ticks) -> tuple[str, npt.NDArray[np.intp] | None]:
    """`down` (rising) or `up` (falling) as recorded, and the order that makes it ascend; equal rows keep theirs.

    None stands for the order that is there already. OutOfOrder for an index that turns back or does not move.
    """
    steps = np.diff(ticks)
    if len(ticks) > 1 and not np.any(steps):
        raise OutOfOrder("the index does not move: all rows have the same depth or time", 0)
    rising = np.sum(steps > 0) >= np.sum(steps < 0)
    wrong = np.flatnonzero(steps < 0 if rising else steps > 0)
    if len(wrong):
        word = "rises" if rising else "falls"
        raise OutOfOrder(
            f"the index {word}, but turns back here; sort the rows, or import the runs apart", int(wrong[0] + 1)
        )
    return ("down", None) if rising else ("up", np.argsort(ticks, kind="stable"))


def values_of(numbers: npt.NDArray[Any], absent: float | None = None) -> Values:
    """Numbers of shape (rows,) or (rows, ...) as a curve's values; NaN, and `absent` among floats, become null.

    CurveError for what is no plain number (complex, objects).
    """
    if numbers.dtype.kind == "b":
        numbers = numbers.astype(np.uint8)
    if numbers.dtype.char in _WIDER:
        numbers = numbers.astype(_WIDER[numbers.dtype.char])
    kind = _KINDS.get(numbers.dtype.newbyteorder("="))
    if kind is None:
        raise CurveError(f"values of type {numbers.dtype} are no curve")
    width = int(np.prod(numbers.shape[1:], dtype=np.int64))
    flat = np.ascontiguousarray(numbers, dtype=numbers.dtype.newbyteorder("=")).ravel()
    mask = None
    if flat.dtype.kind == "f":
        mask = np.isnan(flat)
        if absent is not None:
            mask |= flat == flat.dtype.type(absent)
    values: Values = pa.array(flat, kind, mask=mask)
    return values if width == 1 else lists_of(values, width)
