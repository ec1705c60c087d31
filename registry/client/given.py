"""Samples as a person hands them over, a DataFrame, a table, two arrays or what was read: as exact ticks and values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ...core.curves.artifact.parquet import index_ticks
from ...core.curves.errors import CurveError
from ...core.curves.model import DEFAULT_SCALE, Ticks, Values
from ...core.curves.windows.aligned import Aligned
from .log import Log

_MAX_SCALE = 12
# How far a computed depth (numpy.arange(1000, 2000, 0.1524)) may lie from a decimal, in ticks, and still be it.
_NEAR = 1e-3
_KINDS = "a pandas or polars DataFrame, a pyarrow Table, a pair (depths, values), or what read() gave"


@dataclass(frozen=True, eq=False)
class Given:
    """index and values of shape (rows,), as they came. unit: of the index, where it is known."""

    index: Values
    values: Values
    unit: str | None = None


def given(frame: Any, mnemonic: str, index_names: Sequence[str] = ()) -> Given:
    """The index and one value column of a frame: the one of that mnemonic, or the only one.

    The index is the column of one of these names (any case), else a DataFrame's index, else the first column.
    """
    library = type(frame).__module__.partition(".")[0]
    if isinstance(frame, Log):
        return _picked(frame.exact, mnemonic, index_names, frame.unit)
    if isinstance(frame, Aligned):
        return _picked(frame.table, mnemonic, index_names, frame.unit)
    if isinstance(frame, tuple | list) and len(frame) == 2:
        return Given(_arrow(frame[0]), _arrow(frame[1]))
    if library == "pandas":
        return _of_pandas(frame, mnemonic, index_names)
    if library == "polars":
        frame = frame.to_arrow()
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    if isinstance(frame, pa.Table):
        return _picked(frame, mnemonic, index_names, None)
    raise CurveError(f"{type(frame).__name__} holds no samples of a curve: give {_KINDS}")


def _of_pandas(frame: Any, mnemonic: str, index_names: Sequence[str]) -> Given:
    if not hasattr(frame, "columns"):
        return Given(_arrow(frame.index.to_numpy()), _arrow(frame))
    known = {name.casefold() for name in index_names}
    if not any(str(name).casefold() in known for name in frame.columns):
        if type(frame.index).__name__ == "RangeIndex" and frame.index.name is None:
            raise CurveError(f"the DataFrame has no depths: set them as its index, or name a column {index_names[0]}")
        index = frame.index.to_numpy()
        table = {str(name): _arrow(frame[name]) for name in frame.columns}
        return _picked(pa.table({"\0": _arrow(index), **table}), mnemonic, ["\0"], None)
    return _picked(pa.table({str(name): _arrow(frame[name]) for name in frame.columns}), mnemonic, index_names, None)


def _picked(table: pa.Table, mnemonic: str, index_names: Sequence[str], unit: str | None) -> Given:
    names = table.column_names
    known = {name.casefold() for name in index_names}
    place = next((place for place, name in enumerate(names) if name.casefold() in known), 0)
    others = [name for at, name in enumerate(names) if at != place]
    wanted = [name for name in others if name.casefold() == mnemonic.casefold()] or others
    if len(wanted) != 1:
        raise CurveError(f"the frame has the columns {', '.join(names)}: which is {mnemonic}? give it that name")
    index, values = table.column(place).combine_chunks(), table.column(wanted[0]).combine_chunks()
    return Given(_whole(index), _whole(values), unit)


def _whole(values: Any) -> Values:
    """One array of a plain type: dictionaries and large strings as texts."""
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    kind = values.type
    if pa.types.is_dictionary(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        values = values.cast(pa.string())
    found: Values = values
    return found


def _arrow(values: Any) -> Values:
    """An Arrow array of anything array-like, NaN as null."""
    try:
        if isinstance(values, np.ndarray) and values.ndim == 2:
            flat = pa.array(np.ascontiguousarray(values).reshape(-1), from_pandas=True)
            return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
        if hasattr(values, "to_arrow"):
            return _whole(values.to_arrow())
        return _whole(values if isinstance(values, pa.Array) else pa.array(values, from_pandas=True))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise CurveError(f"a column holds mixed or foreign values: {str(error).splitlines()[0]}") from error


def ticks_in(index: Values, scale: int | None) -> Ticks:
    """Index values as ticks of a scale (None: timestamps). CurveError for nulls, NaN, or what the scale cannot say."""
    if index.null_count:
        raise CurveError(f"the index has {index.null_count} rows without a value; drop them")
    if scale is None:
        if not (pa.types.is_timestamp(index.type) or pa.types.is_date(index.type)):
            raise CurveError(f"the index holds {index.type}, where this curve has dates and times")
        return index_ticks(index.cast(pa.timestamp("us", "UTC")))
    if pa.types.is_decimal(index.type):
        exact = index.cast(pa.decimal128(38, scale)) if index.type.scale != scale else index
        return index_ticks(exact)
    numbers = _numbers(index)
    ticks = _rounded(numbers, scale)
    if ticks is None:
        worst = numbers[int(np.argmax(np.abs(numbers * 10.0**scale - np.rint(numbers * 10.0**scale))))]
        raise CurveError(f"the index value {worst!s} needs more than the {scale} decimals of this curve; round it")
    return ticks


def scale_for(index: Values) -> int | None:
    """The decimals of a new index: four, or as many as it needs, up to twelve; None for timestamps."""
    if pa.types.is_timestamp(index.type) or pa.types.is_date(index.type):
        return None
    if pa.types.is_decimal(index.type):
        return max(int(index.type.scale), DEFAULT_SCALE)
    numbers = _numbers(index)
    fitting = (scale for scale in range(DEFAULT_SCALE, _MAX_SCALE + 1) if _rounded(numbers, scale) is not None)
    scale = next(fitting, None)
    if scale is None:
        raise CurveError("the index cannot be kept exactly: it needs more than 15 digits; round it to 4 decimals")
    return scale


def _numbers(index: Values) -> "np.ndarray[Any, np.dtype[np.float64]]":
    if not (pa.types.is_floating(index.type) or pa.types.is_integer(index.type)):
        raise CurveError(f"the index holds {index.type}, not depths")
    numbers = np.asarray(index.to_numpy(zero_copy_only=False), dtype=np.float64)
    if not np.all(np.isfinite(numbers)):
        raise CurveError(f"the index has {int(np.sum(~np.isfinite(numbers)))} rows without a value; drop them")
    return numbers


def _rounded(numbers: "np.ndarray[Any, np.dtype[np.float64]]", scale: int) -> Ticks | None:
    scaled = numbers * 10.0**scale
    ticks = np.rint(scaled)
    if len(ticks) and (np.max(np.abs(ticks)) >= 10.0**15 or np.max(np.abs(scaled - ticks)) > _NEAR):
        return None
    return ticks.astype(np.int64)
