"""Parquet files of others as frames: one index column, every other column a curve.

Nothing of a file but its columns is believed: pandas' metadata and the Arrow schema in it, by which extension types
come into being, are not read. Nested types other than lists of numbers of one length are refused by the column's name.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..artifact.decode import without_hint
from ..artifact.footer import Footer, read_footer
from ..dtypes import DTYPES, lists_of
from ..errors import ContentMismatch, CurveError
from ..mnemonics import distinct
from ..model import DEFAULT_SCALE, Curve, Frame, Ticks, Values
from ..origin import Original
from .columns import exact_ticks, order_of, values_of
from .las.columns import narrow
from .las.times import all_read, day_micros, iso_micros
from .limits import LIMITS, Limits
from .tables import index_column, named_unit, table_frame

_FAILURES = (pa.ArrowException, OSError, UnicodeError, OverflowError, MemoryError)
_INFLATED = 8
"""How many times its limit in bytes a file may grow when it is decoded."""


def read_parquet(
    path: Path,
    content: bytes,
    sha256: str,
    *,
    frame: str | None = None,
    index: str | None = None,
    well: str | None = None,
    first_is_index: bool = False,
    limits: Limits = LIMITS,
) -> list[Frame]:
    """The one frame of a Parquet file. index: its index column's name; first_is_index: where no name tells.

    CurveError in one line.
    """
    try:
        footer = read_footer(content)
    except ContentMismatch as error:
        raise CurveError(f"{path.name} is no readable Parquet file: its footer is missing or broken") from error
    _check(footer, path.name, limits)
    options: dict[str, Any] = {"arrow_extensions_enabled": False}  # the stubs do not know it
    try:
        file = pq.ParquetFile(pa.BufferReader(without_hint(content, footer.start)), **options)
        schema = file.schema_arrow
        for field in schema:
            _check_type(field)
        table = file.read(use_threads=False)
    except _FAILURES as error:
        raise CurveError(f"{path.name} is no readable Parquet file: {_first_line(error)}") from error
    findings: list[str] = []
    named = [named_unit(name) for name in schema.names]
    names = distinct([name or f"column {place}" for place, (name, _) in enumerate(named, 1)], findings)
    place = index_column(names, index, path.name, 0 if first_is_index else None)
    columns = [column.combine_chunks() for column in table.columns]
    ticks, scale = _ticks(columns[place], names[place], findings)
    direction, order = order_of(ticks)
    curves: list[Curve] = []
    for number, (name, column) in enumerate(zip(names, columns, strict=True)):
        if number == place:
            continue
        values, decimals = _values(column, name)
        limits.check_samples(len(values), getattr(values.type, "list_size", 1), f"column {name}")
        unit = named[number][1] or _field_unit(schema.field(number))
        curves.append(Curve(name, unit, values if order is None else values.take(order), text_decimals=decimals))
    unit = named[place][1] or _field_unit(schema.field(place))
    original = Original(path.name, "Parquet", sha256, tuple(findings))
    found = (names[place], unit, ticks if order is None else ticks[order], scale, direction)
    return [table_frame(path, original, found, curves, frame, well)]


def _check(footer: Footer, file: str, limits: Limits) -> None:
    """What the footer says of the whole, before anything is decoded."""
    if footer.rows < 1:
        raise CurveError(f"{file} has no row")
    if footer.rows != footer.rows_in_groups:
        raise CurveError(f"{file} says {footer.rows:,} rows, its row groups say otherwise")
    limits.check_samples(footer.rows, max(footer.columns, -(-footer.elements // footer.rows), 1), file)
    if footer.size > _INFLATED * limits.file_bytes:
        raise CurveError(f"{file} decodes to {footer.size:,} bytes; at most {_INFLATED * limits.file_bytes:,} are read")


def _check_type(field: Any) -> None:
    kind = field.type
    if _is_list(kind):
        kind = kind.value_type
        allowed = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    else:
        allowed = not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_duration(kind))
        allowed = allowed and not (pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
    if not allowed or isinstance(kind, pa.BaseExtensionType):
        raise CurveError(
            f"column {field.name} holds {field.type}; a curve is of numbers, texts, or lists of numbers of one length"
        )


def _is_list(kind: Any) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _field_unit(field: Any) -> str:
    notes = field.metadata or {}
    return next((notes[key].decode("utf-8", "replace") for key in (b"unit", b"units") if key in notes), "")


def _ticks(column: Any, name: str, findings: list[str]) -> tuple[Ticks, int | None]:
    """The index as it stands: ticks and scale, or microseconds and None for times."""
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py() + 1
        raise CurveError(f"the index {name} has no value in row {row}; every row needs its depth or time")
    kind = column.type
    if pa.types.is_decimal(kind):
        if not 0 <= kind.scale <= 12:
            raise CurveError(f"the index {name} is {kind}; at most 12 decimals are kept")
        scale = max(kind.scale, DEFAULT_SCALE)
        try:
            scaled = column.cast(pa.decimal128(38, scale))
            ticks = np.array([int(value.scaleb(scale)) for value in scaled.to_pylist()], dtype=np.int64)
        except (pa.ArrowInvalid, OverflowError) as error:
            raise CurveError(f"the index {name} has more than 15 digits") from error
        if np.abs(ticks.astype(np.float64)).max() >= 10.0**15:
            raise CurveError(f"the index {name} has more than 15 digits")
        return ticks, scale
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        micros = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
        if getattr(kind, "tz", None) is None:
            findings.append(f"{name} gives no time zone; it is read as UTC")
        return micros.cast(pa.int64()).to_numpy(zero_copy_only=False).astype(np.int64), None
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = column.to_pylist()
        readers: tuple[Callable[[str], int | None], ...] = (iso_micros, day_micros)
        read = [all_read(texts, reader) for reader in readers]
        for found in read:
            if isinstance(found, list):
                return np.array(found, dtype=np.int64), None
        row = max(found for found in read if isinstance(found, int))
        raise CurveError(f"the index {name} holds {texts[row]!r} in row {row + 1}, which is no ISO 8601 date and time")
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise CurveError(f"the index {name} holds {kind}; an index is of numbers or times")
    return exact_ticks(_numpy(column), findings)


def _values(column: Any, name: str) -> tuple[Values, int | None]:
    """A column as a curve's values, and with how many decimals they print, where the file says so."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if _is_list(kind):
        return _lists(column, name), None
    if pa.types.is_decimal(kind):
        numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
        return narrow(numbers, max(kind.scale, 0))
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.float32()), None
    if pa.types.is_temporal(kind) or not (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    ):
        return column.cast(pa.string()), None
    if pa.types.is_floating(kind):
        return values_of(_numpy(column)), None
    return _whole(column, name), None


def _whole(column: Any, name: str) -> Values:
    """Integers and booleans, whose nulls have no number to stand for them."""
    kind = pa.uint8() if pa.types.is_boolean(column.type) else column.type
    if kind not in DTYPES.values():  # uint64
        kind = pa.int64()
    try:
        values: Values = column.cast(kind)
    except pa.ArrowInvalid as error:
        raise CurveError(f"column {name} holds integers beyond 64 bits with sign") from error
    return values


def _lists(column: Any, name: str) -> Values:
    """Lists of one length; the elements of an absent row are all absent."""
    lengths = column.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False)
    widths = np.unique(lengths[lengths >= 0])
    if len(widths) != 1 or widths[0] < 1:
        found = ", ".join(str(width) for width in widths[:5]) or "none"
        raise CurveError(f"column {name} holds lists of different lengths ({found}); an array curve has one length")
    width = int(widths[0])
    flat = pc.list_flatten(column)
    elements = values_of(_numpy(flat)) if pa.types.is_floating(flat.type) else _whole(flat, name)
    if column.null_count:
        present = lengths >= 0
        first = (np.cumsum(present) - 1) * width
        places = np.repeat(np.where(present, first, 0), width) + np.tile(np.arange(width), len(column))
        elements = elements.take(pa.array(places, pa.int64(), mask=np.repeat(~present, width)))
    return lists_of(elements, width) if width > 1 else elements


def _numpy(column: Any) -> npt.NDArray[Any]:
    """Floats with NaN for null, integers as they are."""
    numbers: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return numbers


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
