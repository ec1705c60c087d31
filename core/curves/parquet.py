"""The Parquet files that layers are: one column, one row group, small, and readable by anyone.

Values: the column `value`, BYTE_STREAM_SPLIT floats, DELTA_BINARY_PACKED integers, dictionaries for texts and for
integers of few distinct values, a LIST of them for array curves; index: DELTA_BINARY_PACKED decimals or timestamps;
zstd level 3, no Arrow schema, nulls as nulls. Bytes differ between writers; identity is the content id (content.py).
"""

import io
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .content import Samples
from .dtypes import elements_of
from .model import Index, Ticks, Values

VALUE = "value"
"""The column of every value segment: the file's name says which curve, so that equal values share a file."""

_ZSTD_LEVEL = 3
# One page a segment: page boundaries cost bytes and serve no reader of whole layers.
_PAGE_BYTES = 1 << 30
_FEW_DISTINCT = 256
_ELEMENT = ".list.element"


def encode_values(samples: Samples) -> bytes:
    """A value segment of shape (rows,) or (rows, width) as a Parquet file with the one column `value`."""
    values = samples.array
    return _encode(pa.table({VALUE: values}), _value_encoding(VALUE, values))


def encode_index(index: Index, start: int, stop: int) -> bytes:
    """Rows [start, stop) of an index as a Parquet file with one column named after its kind."""
    table = pa.table({index.kind: index_array(index.ticks[start:stop], index.arrow_type)})
    return _encode(table, {index.kind: "DELTA_BINARY_PACKED"})


def index_array(ticks: Ticks, kind: pa.DataType) -> Values:
    """Ticks of shape (rows,) as exact decimals or timestamps."""
    if pa.types.is_timestamp(kind):
        return pa.array(ticks).cast(kind)
    # A decimal128 is 16 bytes little-endian; the upper half repeats the sign.
    words = np.empty((len(ticks), 2), dtype="<i8")
    words[:, 0], words[:, 1] = ticks, ticks >> 63
    return pa.Array.from_buffers(kind, len(ticks), [None, pa.py_buffer(words.tobytes())])


def index_ticks(array: Values) -> Ticks:
    """The inverse of index_array."""
    if pa.types.is_timestamp(array.type):
        return np.asarray(array.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)
    data = array.buffers()[1]
    words = np.frombuffer(memoryview(data) if data is not None else b"", dtype="<i8").reshape(-1, 2)
    return np.asarray(words[array.offset : array.offset + len(array), 0], dtype=np.int64)


def index_floats(array: Values) -> Values:
    """Index values as the nearest float64 (exact decimals are for joins, floats for arithmetic and plots)."""
    if pa.types.is_timestamp(array.type):
        return array
    return pa.array(index_ticks(array) / np.float64(Decimal(10) ** array.type.scale))


def encode_table(table: pa.Table, notes: Mapping[str, str]) -> bytes:
    """An index column and a value column as one Parquet file, encoded as layers are, with notes in its footer."""
    index, name = table.column_names
    values = table.column(1).combine_chunks()
    return _encode(table, {index: "DELTA_BINARY_PACKED"} | _value_encoding(name, values), notes)


def _value_encoding(name: str, values: Values) -> dict[str, str]:
    """The encoding of a value column by the path of its leaf; none means a dictionary."""
    elements = elements_of(values)
    path = name if elements.type == values.type else name + _ELEMENT
    if pa.types.is_floating(elements.type):
        return {path: "BYTE_STREAM_SPLIT"}
    few = pa.types.is_string(elements.type) or elements.type.bit_width == 8
    if few or pc.count_distinct(elements).as_py() <= _FEW_DISTINCT:
        return {}
    return {path: "DELTA_BINARY_PACKED"}


def _encode(table: pa.Table, encodings: dict[str, str], notes: Mapping[str, str] | None = None) -> bytes:
    """One row group; columns without a named encoding get a dictionary."""
    sink = io.BytesIO()
    rows = max(table.num_rows, 1)
    paths = (
        column.name + _ELEMENT if isinstance(column.type, pa.FixedSizeListType) else column.name
        for column in table.schema
    )
    dictionary: Any = [path for path in paths if path not in encodings]  # the stubs know only a bool
    with pq.ParquetWriter(
        sink,
        table.schema,
        version="2.6",
        data_page_version="2.0",
        data_page_size=_PAGE_BYTES,
        write_batch_size=rows,
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=dictionary,
        column_encoding=encodings or None,
        store_schema=False,
        store_decimal_as_integer=True,
    ) as writer:
        writer.write_table(table, row_group_size=rows)
        if notes:
            writer.add_key_value_metadata(dict(notes))
    return sink.getvalue()
