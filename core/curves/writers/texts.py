"""Columns as text, each value with the digits it was received with; whole columns at once, by Arrow.

A value prints with its column's decimals where those are known, else with its shortest text that reads back equal.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..artifact.parquet import index_array
from ..dtypes import elements_of
from ..model import Ticks, Values
from ..windows.aligned import Aligned, Column

compute: Any = pc  # its stubs do not know texts beside arrays
# Arrow prints a decimal with more in scientific notation where it is small.
_PLAIN_DECIMALS = 6
_EXACT = 2.0**50  # whole numbers up to here come out of a float's multiplication by a power of ten rightly rounded


@dataclass(frozen=True, eq=False)
class Printed:
    """Values and their texts, both of shape (rows,), null where absent. word: the values are texts, not numbers."""

    name: str
    unit: str
    column: Column
    values: Values
    texts: Values
    word: bool


def printed(aligned: Aligned) -> list[Printed]:
    """The value columns as texts; of an array curve one column an element, `NAME[0]`, `NAME[1]` ..."""
    found: list[Printed] = []
    for column in aligned.columns:
        parts = scalars(column)
        for at, values in enumerate(parts):
            name = column.name if not isinstance(column.values.type, pa.FixedSizeListType) else f"{column.name}[{at}]"
            found.append(
                Printed(name, column.unit, column, values, value_texts(values, column.decimals), _is_text(values))
            )
    return found


def scalars(column: Column) -> Iterator[Values]:
    """The values, or the elements of each place of an array curve, as arrays of shape (rows,)."""
    values = column.values
    if not isinstance(values.type, pa.FixedSizeListType):
        yield values
        return
    width, elements = values.type.list_size, elements_of(values)
    for at in range(width):
        part = elements.take(pa.array(np.arange(at, len(elements), width), pa.int64()))
        yield compute.if_else(values.is_valid(), part, None) if values.null_count else part


def index_texts(aligned: Aligned, decimals: int | None = None) -> Values:
    """The index as texts of shape (rows,): with that many decimals, which must say it exactly, or None for the fewest,
    one at least. Times as ISO 8601."""
    if aligned.scale is None:
        texts = compute.replace_substring(aligned.index.cast(pa.string()), " ", "T")
        return _array(compute.replace_substring_regex(texts, r"\.000000Z$", "Z"))
    if decimals is not None and decimals >= aligned.scale:
        return scaled_texts(aligned.ticks * 10 ** (decimals - aligned.scale), decimals)
    if decimals is not None:
        return scaled_texts(aligned.ticks // 10 ** (aligned.scale - decimals), decimals)
    texts = compute.ascii_rtrim(scaled_texts(aligned.ticks, aligned.scale), "0")
    return _array(
        compute.if_else(compute.ends_with(texts, "."), compute.binary_join_element_wise(texts, "0", ""), texts)
    )


def value_texts(values: Values, decimals: int | None) -> Values:
    """A scalar array of shape (rows,) as texts."""
    if _is_text(values):
        return values
    if decimals is None or pa.types.is_integer(values.type):
        return values.cast(pa.string())
    numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    absent = values.is_null()
    ticks = np.where(np.isnan(numbers), 0, numbers) * 10.0**decimals
    if not np.all(np.abs(ticks) < _EXACT):  # infinite, or too many digits
        plain = [None if np.isnan(n) else f"{n:.{decimals}f}" if np.isfinite(n) else str(n) for n in numbers]
        return pa.array(plain, pa.string())
    texts = scaled_texts(np.rint(ticks).astype(np.int64), decimals)
    return _array(compute.if_else(absent, None, texts)) if values.null_count else texts


def scaled_texts(ticks: Ticks, decimals: int) -> Values:
    """ticks / 10**decimals as texts of shape (rows,), exact, with all decimals and without an exponent."""
    if decimals == 0:
        return pa.array(ticks).cast(pa.string())
    if decimals <= _PLAIN_DECIMALS:
        return index_array(ticks, pa.decimal128(19, decimals)).cast(pa.string())
    whole, rest = np.divmod(np.abs(ticks), 10**decimals)
    padded = compute.ascii_lpad(pa.array(rest).cast(pa.string()), decimals, "0")
    sign = pa.array(np.where(ticks < 0, "-", ""))
    bare = compute.binary_join_element_wise(sign, pa.array(whole).cast(pa.string()), "")
    return _array(compute.binary_join_element_wise(bare, padded, "."))


def joined(rows: Values, end: str = "\n", last: str | None = None) -> bytes:
    """Texts of shape (rows,) as one, each followed by `end`; `last` may follow the last one in its place."""
    if not len(rows):
        return b""
    lines = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
    text: str = compute.binary_join(lines, end)[0].as_py()
    return (text + (end if last is None else last)).encode()


def mapped(texts: Values, change: Callable[[str], str]) -> Values:
    """Each distinct text changed by a function, nulls left."""
    encoded = texts.dictionary_encode()
    words = [change(word) for word in encoded.dictionary.to_pylist() if word is not None]
    return pa.array(words, pa.string()).take(encoded.indices)


def _array(values: Any) -> Values:
    """What Arrow's functions give for arrays."""
    found: Values = values
    return found


def _is_text(values: Values) -> bool:
    return bool(pa.types.is_string(values.type))
