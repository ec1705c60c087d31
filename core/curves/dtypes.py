"""The types of value that curves hold, by the names that configs and content ids give them.

A scalar curve has one value a row; an array curve (waveform, image) has `width` numbers a row, an Arrow FixedSizeList.
"""

from typing import Any

import pyarrow as pa

from .errors import CurveError
from .model import Values

TEXT = "utf8"
DTYPES: dict[str, pa.DataType] = {
    "float32": pa.float32(),
    "float64": pa.float64(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "uint8": pa.uint8(),
    "uint16": pa.uint16(),
    "uint32": pa.uint32(),
    TEXT: pa.string(),
}
_NAMES = {kind: name for name, kind in DTYPES.items()}


def described(kind: pa.DataType) -> tuple[str, int]:
    """dtype and width of an Arrow type, or CurveError for one that curves do not have."""
    width = 1
    element = kind
    if isinstance(kind, pa.FixedSizeListType):
        width, element = kind.list_size, kind.value_type
    name = _NAMES.get(element)
    if name is None or width < 1 or (name == TEXT and element is not kind):
        raise CurveError(
            f"a curve holds {', '.join(DTYPES)}, or arrays of one number of such numbers a row, not {kind}"
        )
    return name, width


def arrow_type(dtype: str, width: int = 1) -> pa.DataType:
    """The Arrow type of a curve's values, or CurveError for a dtype there is none of."""
    if dtype not in DTYPES or width < 1 or (dtype == TEXT and width > 1):
        raise CurveError(f"there are no curves of dtype {dtype!r} and width {width}")
    return DTYPES[dtype] if width == 1 else pa.list_(DTYPES[dtype], width)


def elements_of(values: Values) -> Values:
    """The elements of an array of shape (rows,) or (rows, width), row by row; of an absent row, as they lie there."""
    if not isinstance(values.type, pa.FixedSizeListType):
        return values
    lists: Any = values  # flatten() would drop the elements of absent rows
    width = values.type.list_size
    elements: Values = lists.values.slice(values.offset * width, len(values) * width)
    return elements


def lists_of(elements: Values, width: int) -> Values:
    """The inverse of elements_of: elements of shape (rows * width,) as an array of shape (rows, width)."""
    return pa.FixedSizeListArray.from_arrays(elements, width)
