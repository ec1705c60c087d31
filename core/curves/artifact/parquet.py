"""The Parquet files that layers are: one column, one row group, small, and readable by anyone.

Values: the column `value`, BYTE_STREAM_SPLIT floats, DELTA_BINARY_PACKED integers, dictionaries for texts and for
integers of few distinct values, a LIST of them for array curves; index: DELTA_BINARY_PACKED decimals or timestamps;
zstd level 3, no Arrow schema, nulls as nulls. Bytes differ between writers; identity is the content id (content.py).
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..content import Samples
from ..dtypes import elements_of
from ..errors import ContentMismatch
from ..model import Index, Ticks, Values, index_type

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
    table = pa.table({index.kind: index_array(index.ticks[start:stop], index_type(index.scale))})
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


def scale_of(index: Values) -> int | None:
    """The decimals of an index column, None for timestamps."""
    return None if pa.types.is_timestamp(index.type) else int(index.type.scale)


def index_floats(array: Values) -> Values:
    """Index values as the nearest float64 (exact decimals are for joins, floats for arithmetic and plots)."""
    if pa.types.is_timestamp(array.type):
        return array
    return pa.array(index_ticks(array) / np.float64(Decimal(10) ** array.type.scale))


def encode_table(table: pa.Table, notes: Mapping[str, str]) -> bytes:
    """An index column and value columns as one Parquet file, encoded as layers are, with notes in its footer."""
    return encode_pieces([table], max(table.num_rows, 1), notes)


def encode_pieces(pieces: Iterable[pa.Table], rows: int, notes: Mapping[str, str]) -> bytes:
    """Tables of an index column and value columns, one behind the other, as one file with row groups of `rows` rows.

    Equal rows give equal bytes however they are parted, under one pyarrow. ContentMismatch where columns differ.
    """
    blocks = _blocks(pieces, rows)
    first = next(blocks)
    encodings = {first.column_names[0]: "DELTA_BINARY_PACKED"}
    for name, column in zip(first.column_names[1:], first.columns[1:], strict=True):
        encodings |= _value_encoding(name, column.combine_chunks())
    sink = io.BytesIO()
    with _writer(sink, first.schema, encodings, rows) as writer:
        writer.write_table(first, row_group_size=rows)
        for block in blocks:
            if block.schema != first.schema:
                raise ContentMismatch(f"layers differ in type: {block.schema.types} after {first.schema.types}")
            writer.write_table(block, row_group_size=rows)
        writer.add_key_value_metadata(dict(notes))
    return sink.getvalue()


def _blocks(pieces: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of `rows` rows, the last one shorter, or empty where there are none."""
    rest: pa.Table | None = None
    given = False
    for piece in pieces:
        rest = piece if rest is None or not rest.num_rows else pa.concat_tables([rest, piece])
        whole = rest.num_rows - rest.num_rows % rows
        for start in range(0, whole, rows):
            yield rest.slice(start, rows)
            given = True
        rest = rest.slice(whole)
    if rest is not None and (rest.num_rows or not given):
        yield rest


def _value_encoding(name: str, values: Values) -> dict[str, str]:
    """The encoding of a value column by the path of its leaf; none means a dictionary."""
    lists: Any = values
    path = name + _ELEMENT if _is_list(values.type) else name
    elements = lists.flatten() if isinstance(values.type, pa.ListType) else elements_of(values)
    if pa.types.is_floating(elements.type):
        return {path: "BYTE_STREAM_SPLIT"}
    few = pa.types.is_string(elements.type) or elements.type.bit_width == 8
    if few or pc.count_distinct(elements).as_py() <= _FEW_DISTINCT:
        return {}
    return {path: "DELTA_BINARY_PACKED"}


def _is_list(kind: pa.DataType) -> bool:
    """Written as FixedSizeList, read back as List."""
    return isinstance(kind, pa.FixedSizeListType | pa.ListType)


def _encode(table: pa.Table, encodings: dict[str, str]) -> bytes:
    """One row group; columns without a named encoding get a dictionary."""
    sink = io.BytesIO()
    rows = max(table.num_rows, 1)
    with _writer(sink, table.schema, encodings, rows) as writer:
        writer.write_table(table, row_group_size=rows)
    return sink.getvalue()


def _writer(sink: io.BytesIO, schema: pa.Schema, encodings: dict[str, str], rows: int) -> pq.ParquetWriter:
    paths = (column.name + _ELEMENT if _is_list(column.type) else column.name for column in schema)
    dictionary: Any = [path for path in paths if path not in encodings]  # the stubs know only a bool
    return pq.ParquetWriter(
        sink,
        schema,
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
    )
