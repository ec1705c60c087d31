"""CSV files as frames: a line of names, perhaps one of units, then rows; quotes as RFC 4180 has them.

Values are what their text says, by the same rules as in LAS files: float32 where the printed digits come back from it.
"""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import CurveError, LasRefused
from ..mnemonics import distinct
from ..model import Curve, Frame
from ..origin import Original
from .las.columns import column_of
from .las.data import NUMBER, Table, table_from, table_of
from .las.header import Item
from .las.index import direction_of, index_of
from .las.sections import text_of
from .las.times import iso_micros
from .limits import LIMITS, Limits
from .tables import index_column, named_unit, table_frame

_DELIMITERS = (",", ";", "\t")
_OBJECT = 16  # how many plain values one quoted value weighs


def read_csv(
    path: Path,
    content: bytes,
    sha256: str,
    *,
    frame: str | None = None,
    index: str | None = None,
    well: str | None = None,
    decimal_comma: bool = False,
    limits: Limits = LIMITS,
) -> list[Frame]:
    """The one frame of a CSV file. index: its index column's name; decimal_comma: `12,5` is a number.

    CurveError, with the line where there is one.
    """
    text = text_of(content, "CSV")
    head, line, start = _line(text, 0, 1)
    if not head:
        raise CurveError(f"{path.name} is empty")
    delimiter = _delimiter(head, decimal_comma, path.name)
    printed = _cells(head, delimiter)
    findings: list[str] = []
    named = [named_unit(name) for name in printed]
    names = distinct([name or f"column {place}" for place, (name, _) in enumerate(named, 1)], findings)
    units = [unit for _, unit in named]
    if all(re.fullmatch(NUMBER, name) for name in names):
        raise CurveError(f"{path.name} begins with numbers; its first line must name the columns")
    place = index_column(names, index, path.name)
    first, first_line, after = _line(text, start, line + 1)
    if not first:
        raise CurveError(f"{path.name} has no row below its names")
    if not any(units):
        second = _line(text, after, first_line + 1)[0]
        cells, below = (_cells(row, delimiter) for row in (first, second))
        if len(cells) == len(names) == len(below) and _is_units(cells, below, place):
            units, start, line = cells, after, first_line
    body = text[start:]
    cut = _quoted if '"' in body else table_of
    table = cut(body, line, len(names), delimiter, False, limits)
    if decimal_comma:
        table = table_from(_with_points(table.texts), np.repeat(table.lines, len(names)), len(names))
    items = [
        Item(name, unit, "", "", "", line, header) for name, unit, header in zip(names, units, printed, strict=True)
    ]
    ticks, scale = index_of(table, items, place, None, findings)
    direction, order = direction_of(ticks, table.lines)
    curves: list[Curve] = []
    for number, item in enumerate(items):
        if number == place:
            continue
        column = column_of(item.mnemonic, table, number, None)
        findings += [
            f"{item.mnemonic}: {text!r} read as absent, {count} times" for text, count in column.odd.items() if text
        ]
        values = column.values if order is None else column.values.take(order)
        curves.append(
            Curve(item.mnemonic, item.unit, values, text_decimals=column.decimals, definition=item.text.strip())
        )
    original = Original(path.name, "CSV", sha256, tuple(findings))
    found = (names[place], units[place], ticks if order is None else ticks[order], scale, direction)
    return [table_frame(path, original, found, curves, frame, well)]


def _line(text: str, start: int, line: int) -> tuple[str, int, int]:
    """The next line that is neither blank nor a comment (`#`), its number, where the text goes on; or an empty one."""
    while start < len(text):
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop
        found, start = text[start:stop], stop + 1
        if found.strip() and not found.lstrip().startswith("#"):
            return found, line, start
        line += 1
    return "", line, start


def _delimiter(head: str, decimal_comma: bool, file: str) -> str:
    """The one that parts the most names, quotes let be."""
    bare = re.sub(r'"[^"]*"', "", head)
    counts = {mark: bare.count(mark) for mark in _DELIMITERS if not (decimal_comma and mark == ",")}
    best = max(counts, key=lambda mark: counts[mark])
    if not counts[best]:
        raise CurveError(f"{file}: the line of names is parted by no comma, semicolon or tab: {head[:60]}")
    return best


def _cells(row: str, delimiter: str) -> list[str]:
    """The cells of one line; where a quote is left open, what is there."""
    try:
        return [cell.strip() for cell in next(csv.reader([row], delimiter=delimiter), [])]
    except csv.Error as error:
        raise CurveError(f"no CSV: {error}") from error


def _quoted(text: str, line: int, columns: int, delimiter: str, _wrapped: bool, limits: Limits) -> Table:
    """As table_of, where quotes hold delimiters, quotes or line breaks: through csv, a Python object for each value."""
    cells: list[str] = []
    at: list[int] = []
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    start = 1
    try:
        for row in reader:
            number, start = line + start, reader.line_num + 1
            if not any(row) or row[0].startswith("#"):
                continue
            if len(row) != columns:
                raise LasRefused(f"{len(row)} values where {columns} columns are defined", number)
            cells += [cell.strip() for cell in row]
            at += [number] * columns
            if len(at) * _OBJECT > limits.samples:
                raise CurveError(
                    f"more than {limits.samples // _OBJECT:,} values in a CSV with quotes; write it without them"
                )
    except csv.Error as error:
        raise LasRefused(f"no CSV: {error}", line + start) from error
    if not cells:
        raise LasRefused("no row below the names has a value", line + 1)
    return table_from(pa.array(cells, pa.large_string()), np.array(at, dtype=np.int64), columns)


def _is_units(first: Sequence[str], second: Sequence[str], place: int) -> bool:
    """Whether the first row below the names holds units: no number in it, and the index begins in the second."""
    if any(_is_number(text) for text in first) or iso_micros(first[place]) is not None:
        return False
    return _is_number(second[place]) or iso_micros(second[place]) is not None


def _is_number(text: str) -> bool:
    return re.fullmatch(NUMBER, text.replace(",", ".")) is not None


def _with_points(cells: pa.LargeStringArray) -> pa.LargeStringArray:
    """Decimal commas as points, in numbers only."""
    numbers: Any = pc.match_substring_regex(cells, r"^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$")
    changed: pa.LargeStringArray = pc.if_else(numbers, pc.replace_substring(cells, ",", "."), cells)
    return changed
