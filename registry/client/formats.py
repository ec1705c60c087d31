"""A depth window as CSV, JSON or Parquet, each value with the digits it was received with."""

import csv
import io
import json
import math
from collections.abc import Iterator
from enum import StrEnum

import pyarrow as pa

from ...core.curves import schema
from ...core.curves.model import tick_text
from ...core.curves.parquet import encode_table, index_ticks
from ...core.curves.schema import Config


class Format(StrEnum):
    """What `--format` takes."""

    csv = "csv"
    json = "json"
    parquet = "parquet"


def render(table: pa.Table, config: Config, kind: Format) -> bytes:
    """The bytes of a window (index column, value column) in a format."""
    if kind is Format.parquet:
        return encode_table(table, _notes(config))
    return _json(table, config) if kind is Format.json else _csv(table, config)


def _notes(config: Config) -> dict[str, str]:
    """What a Parquet file says of its columns, under the names that manifests use."""
    return {
        schema.WELL: config.well.name,
        schema.FRAME: config.frame,
        schema.MNEMONIC: config.mnemonic,
        schema.UNIT: config.unit,
        schema.INDEX_KIND: config.index.kind,
        schema.INDEX_UNIT: config.index.unit,
    }


def index_texts(table: pa.Table) -> list[str]:
    """The index values as text: `2000.5`, or ISO 8601."""
    column = table.column(0).combine_chunks()
    scale = None if pa.types.is_timestamp(column.type) else column.type.scale
    return [tick_text(tick, scale) for tick in index_ticks(column).tolist()]


def value_texts(table: pa.Table, config: Config) -> Iterator[str | None]:
    """The values as they were printed in the file they came from; None where absent."""
    column = table.column(1).combine_chunks()
    if column.type == pa.string():
        yield from column.to_pylist()
        return
    numbers = column.to_numpy(zero_copy_only=False)
    for number, absent in zip(numbers, column.is_null().to_pylist(), strict=True):
        if absent:
            yield None
        elif config.text_decimals is not None and math.isfinite(number):
            yield f"{number:.{config.text_decimals}f}"
        else:
            yield str(number)


def _csv(table: pa.Table, config: Config) -> bytes:
    """RFC 4180 with a header line of names and units, `MD [ft],GR [GAPI]`; an absent value is an empty field."""
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    units = (config.index.unit, config.unit)
    writer.writerow(f"{name} [{unit}]" if unit else name for name, unit in zip(table.column_names, units, strict=True))
    writer.writerows(zip(index_texts(table), value_texts(table, config), strict=True))
    return sink.getvalue().encode()


def _json(table: pa.Table, config: Config) -> bytes:
    """One object: what the curve is, and `data`, a list of [index, value or null]."""
    times = config.index.scale is None
    text = config.dtype == "utf8"
    data = [
        [depth if times else float(depth), None if value is None else value if text else _number(value)]
        for depth, value in zip(index_texts(table), value_texts(table, config), strict=True)
    ]
    body = {
        "well": config.well.name,
        "frame": config.frame,
        "mnemonic": config.mnemonic,
        "unit": config.unit,
        "index": {"kind": config.index.kind, "mnemonic": config.index.mnemonic, "unit": config.index.unit},
        "data": data,
    }
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _number(text: str) -> float | str:
    """JSON has no infinity; it is written as text rather than dropped."""
    number = float(text)
    return number if math.isfinite(number) else text
