"""Edited values in the type that the curve has, and with how many decimals they print."""

from typing import Any

import numpy as np
import pyarrow as pa

from ...core.curves.dtypes import DTYPES, TEXT, arrow_type, described
from ...core.curves.errors import CurveError
from ...core.curves.model import Values
from ...core.curves.schema import Config

_HALF = 0.499999  # of the last printed decimal


def typed(values: Values, config: Config, dtype: str | None) -> tuple[Values, int | None]:
    """Values as `dtype`, else as the curve's own type, nulls for what is absent; and text_decimals for them.

    A float64 that comes from the curve's float32 is that float32 again; another is rounded to it (to 6e-8 of itself).
    CurveError where a value cannot be had in the type.
    """
    wanted = dtype or config.dtype
    if wanted not in DTYPES:
        raise CurveError(f"there is no type {wanted!r}: it is one of {', '.join(DTYPES)}")
    width = config.width
    kind = arrow_type(wanted, width)
    try:
        cast = values if values.type == kind else _cast(values, kind)
    except (pa.ArrowException, ValueError) as error:
        first = str(error).splitlines()[0]
        raise CurveError(f"the values are {values.type}, the curve holds {kind}: {first}") from error
    decimals = config.text_decimals
    if decimals is not None and wanted != TEXT and width == 1 and not _prints(cast, decimals):
        decimals = None
    return cast, decimals


def new(values: Values, dtype: str | None) -> Values:
    """Values of a new curve: float32 where that loses nothing or is asked for, else as they are."""
    if dtype is not None:
        if dtype not in DTYPES:
            raise CurveError(f"there is no type {dtype!r}: it is one of {', '.join(DTYPES)}")
        width = described(values.type)[1] if pa.types.is_fixed_size_list(values.type) else 1
        return _cast(values, arrow_type(dtype, width))
    if pa.types.is_boolean(values.type):
        return _cast(values, pa.int8())
    if values.type == pa.float64():
        numbers = np.asarray(values.to_numpy(zero_copy_only=False))
        single = numbers.astype(np.float32)
        if np.array_equal(single.astype(np.float64), numbers, equal_nan=True):
            return _cast(values, pa.float32())
    described(values.type)
    return _absent(values)


def _cast(values: Values, kind: pa.DataType) -> Values:
    if pa.types.is_floating(kind) and pa.types.is_floating(values.type):
        return _absent(values.cast(kind, safe=False))
    found: Values = _absent(values).cast(kind)
    return found


def _absent(values: Values) -> Values:
    """NaN as null."""
    if not pa.types.is_floating(values.type):
        return values
    numbers = np.asarray(values.to_numpy(zero_copy_only=False))
    found: Values = pa.array(numbers, mask=np.isnan(numbers))
    return found


def _prints(values: Values, decimals: int) -> bool:
    """Whether every value is a number of that many decimals, as far as its type can hold one."""
    if not pa.types.is_floating(values.type):
        return True
    numbers: Any = np.asarray(values.drop_null().to_numpy(zero_copy_only=False))
    numbers = numbers[np.isfinite(numbers)]
    rounded = np.round(numbers.astype(np.float64), decimals).astype(numbers.dtype)
    return bool(np.array_equal(rounded, numbers))
