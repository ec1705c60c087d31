"""Layers read back: a Parquet file that anybody may have written, as the one array that a layer is.

What the file says of itself is checked before any of it is decoded. Memory that a page asks for beyond that (a lie in
a page header) is bounded only in a process of its own: the server opens such files nowhere else.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..content import text_lengths
from ..dtypes import DTYPES, TEXT, lists_of
from ..errors import ContentMismatch
from ..model import Values
from .footer import Footer, read_footer
from .parquet import index_ticks

MAX_ROWS = 1 << 24
MAX_BYTES = 1 << 28
"""What a layer may hold, decoded (docs/format.md section 3)."""

MAX_PRECISION = 18
_HINT, _HIDDEN = b"ARROW:schema", b"arrow.schema"
_FAILURES = (pa.ArrowException, OSError, UnicodeError, OverflowError, MemoryError)
_THRIFT = {"thrift_string_size_limit": 1 << 20, "thrift_container_size_limit": 1 << 16}


def decode(data: bytes, rows: int | None = None) -> tuple[str, Values]:
    """Name and values of the one column of a layer: of a type curves have, decimal128 or timestamp[us, UTC].

    ContentMismatch says what is wrong: no Parquet, not one column, another number of rows, too large, another type.
    """
    footer = read_footer(data)
    _check_declared(footer, rows)
    data = without_hint(data, footer.start)
    try:
        file = _open(data)
        name, kind = file.schema_arrow.names[0], file.schema_arrow.types[0]
        _check_type(kind)
        if pa.types.is_string(kind):
            file = _open(data, [name])  # a text repeated in each row stays one text until its size is known
        column = file.read(use_threads=False).column(0).combine_chunks()
        if len(column) != footer.rows:
            raise ContentMismatch(f"a layer says {footer.rows} rows and holds {len(column)}")
        return name, _texts(column) if pa.types.is_string(kind) else _arrays(column) if _is_list(kind) else column
    except _FAILURES as error:
        raise ContentMismatch(f"a layer is no readable Parquet file: {_first_line(error)}") from error


def decode_index(data: bytes, rows: int | None = None) -> tuple[str, Values]:
    """An index layer: decimals or UTC timestamps, ascending, none absent; ContentMismatch."""
    name, values = decode(data, rows)
    if not (pa.types.is_decimal128(values.type) or pa.types.is_timestamp(values.type)):
        raise ContentMismatch(f"the index layer holds {values.type}; an index is decimals or timestamps")
    if values.null_count:
        raise ContentMismatch(f"the index layer has {values.null_count} rows without a value")
    steps = np.diff(index_ticks(values))
    if np.any(steps < 0):
        raise ContentMismatch(f"the index layer descends behind its row {int(np.argmax(steps < 0))}")
    return name, values


def decode_values(data: bytes, rows: int | None = None) -> Values:
    """A value segment of shape (rows,) or (rows, width); ContentMismatch."""
    _, values = decode(data, rows)
    if pa.types.is_decimal(values.type) or pa.types.is_timestamp(values.type):
        raise ContentMismatch(f"a value layer holds {values.type}; values are {', '.join(DTYPES)}")
    return values


def without_hint(data: bytes, footer: int) -> bytes:
    """The file without the writer's Arrow schema, by which extension types would come into being: its key in the
    footer is renamed in place, so no reader knows it."""
    if data.find(_HINT, footer) < 0:
        return data
    return data[:footer] + data[footer:].replace(_HINT, _HIDDEN)


def _open(data: bytes, dictionary: list[str] | None = None) -> pq.ParquetFile:
    options: dict[str, Any] = {**_THRIFT, "arrow_extensions_enabled": False}
    return pq.ParquetFile(pa.BufferReader(data), read_dictionary=dictionary, **options)


def _check_declared(footer: Footer, rows: int | None) -> None:
    """ContentMismatch where the footer alone says that this is no layer, or too large a one."""
    if footer.columns != 1 or (rows is not None and footer.rows != rows):
        raise ContentMismatch(
            f"a layer has {footer.rows} rows and {footer.columns} columns; "
            f"its manifest says {'any number' if rows is None else rows} and 1"
        )
    if footer.rows_in_groups != footer.rows:
        raise ContentMismatch(f"a layer says {footer.rows} rows, its row groups {footer.rows_in_groups}")
    if footer.rows > MAX_ROWS or max(footer.size, footer.elements) > MAX_BYTES:
        raise ContentMismatch(
            f"a layer of {footer.rows} rows, {footer.elements} values and {footer.size} bytes is too large: "
            f"at most {MAX_ROWS} rows and {MAX_BYTES} bytes"
        )


def _is_list(kind: Any) -> bool:
    return pa.types.is_list(kind) and kind.value_type in DTYPES.values() and not pa.types.is_string(kind.value_type)


def _check_type(kind: Any) -> None:
    if kind in DTYPES.values() or kind == pa.timestamp("us", "UTC") or _is_list(kind):
        return
    if pa.types.is_decimal128(kind) and kind.precision <= MAX_PRECISION and 0 <= kind.scale <= kind.precision:
        return
    raise ContentMismatch(
        f"a layer holds {kind}; it may hold {', '.join(DTYPES)}, lists of numbers, "
        f"decimals of up to {MAX_PRECISION} digits, or timestamps of microseconds in UTC"
    )


def _texts(encoded: Any) -> Values:
    """Strings of a dictionary of them."""
    encoded.validate(full=True)  # indices within the dictionary, texts in UTF-8
    lengths = np.append(text_lengths(encoded.dictionary), 0)
    slots = encoded.indices.fill_null(len(lengths) - 1).to_numpy(zero_copy_only=False)
    size = int(lengths[slots].sum())
    if size > MAX_BYTES:
        raise ContentMismatch(f"a layer holds {size} bytes of text; at most {MAX_BYTES}")
    texts: Values = encoded.cast(DTYPES[TEXT])
    return texts


def _arrays(lists: Any) -> Values:
    """Lists of one length; the elements of an absent list are all absent."""
    lengths = np.asarray(pc.list_value_length(lists).fill_null(-1).to_numpy(zero_copy_only=False))
    widths = np.unique(lengths[lengths >= 0])
    if len(widths) != 1 or widths[0] < 1:
        raise ContentMismatch(f"the rows of an array curve are lists of one length; found {widths.tolist()[:5]}")
    width, elements = int(widths[0]), pc.list_flatten(lists)
    if lists.null_count:
        if len(lists) * width > MAX_BYTES:
            raise ContentMismatch(f"a layer of {len(lists)} rows of {width} values is too large")
        places = np.repeat(np.cumsum(lengths >= 0) - 1, width) * width + np.tile(np.arange(width), len(lists))
        elements = elements.take(pa.array(places, mask=np.repeat(lengths < 0, width)))
    return lists_of(elements, width) if width > 1 else elements


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
