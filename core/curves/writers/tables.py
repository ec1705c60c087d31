"""Parquet and Arrow IPC: the table itself, its columns' units and origins in the schema's metadata.

Parquet is written a row group a chunk, encoded as layers are; the index stands as exact decimals or UTC timestamps.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from .. import schema
from ..windows.aligned import Aligned

_ZSTD_LEVEL = 3


class _Tray:
    """A file that is only written to, and emptied as it grows."""

    def __init__(self) -> None:
        self.closed = False
        self._parts: list[bytes] = []
        self._written = 0

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        self._written += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        return self._written

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        self.closed = True

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


def write_arrow(chunks: Iterable[Aligned]) -> Iterator[bytes]:
    """An Arrow IPC stream (arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format), a batch a chunk."""
    tray, writer = _Tray(), None
    sink: Any = tray  # the stubs ask for more of a file than Arrow uses
    for chunk in chunks:
        table = annotated(chunk)
        writer = writer or pa.ipc.new_stream(sink, table.schema)
        writer.write_table(table)
        yield tray.take()
    if writer:
        writer.close()
        yield tray.take()


def write_parquet(chunks: Iterable[Aligned]) -> Iterator[bytes]:
    """A Parquet file, zstd, a row group a chunk; nulls as nulls, no statistics left out."""
    tray, writer = _Tray(), None
    for chunk in chunks:
        table = annotated(chunk)
        if writer is None:
            writer = _parquet_writer(tray, chunk, table.schema)
            notes = table.schema.metadata or {}
        if len(table):
            writer.write_table(table, row_group_size=len(table))
        yield tray.take()
    if writer:
        writer.add_key_value_metadata({key.decode(): note.decode() for key, note in notes.items()})
        writer.close()
        yield tray.take()


def _parquet_writer(tray: Any, chunk: Aligned, kinds: pa.Schema) -> pq.ParquetWriter:
    paths = {chunk.kind: "DELTA_BINARY_PACKED"}
    words: list[str] = []
    for column in chunk.columns:
        array = isinstance(column.values.type, pa.FixedSizeListType)
        element = column.values.type.value_type if array else column.values.type
        path = f"{column.name}.list.element" if array else column.name
        if pa.types.is_floating(element) and "." not in column.name:
            paths[path] = "BYTE_STREAM_SPLIT"
        else:
            words.append(path)
    dictionary: Any = words  # the stubs know only a bool
    return pq.ParquetWriter(
        tray,
        kinds.remove_metadata(),
        version="2.6",
        data_page_version="2.0",
        compression="zstd",
        compression_level=_ZSTD_LEVEL,
        use_dictionary=dictionary,
        column_encoding=paths,
        store_schema=False,
        store_decimal_as_integer=True,
    )


def annotated(chunk: Aligned) -> pa.Table:
    """The table, its schema's metadata under the names that manifests use; `curves` is a JSON list of name, mnemonic,
    frame, unit and description."""
    first = chunk.columns[0].config
    notes = {schema.WELL: first.well.name, schema.INDEX_KIND: chunk.kind, schema.INDEX_UNIT: chunk.unit}
    if len(chunk.columns) == 1:
        notes |= {schema.FRAME: first.frame, schema.MNEMONIC: first.mnemonic, schema.UNIT: chunk.columns[0].unit}
    curves = [
        {
            "name": column.name,
            "mnemonic": column.config.mnemonic,
            "frame": column.config.frame,
            "unit": column.unit,
            "description": column.config.description,
        }
        for column in chunk.columns
    ]
    notes["io.dataforge.curves"] = json.dumps(curves, ensure_ascii=False, separators=(",", ":"))
    return chunk.table.replace_schema_metadata({key: note for key, note in notes.items() if note})
