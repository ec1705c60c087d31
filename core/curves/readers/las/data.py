"""The data section of a LAS file cut into values, without a Python object for each: rows x columns, or a refusal.

A row that does not fill its columns refuses the file with its line. Text is cut in blocks of a few megabytes by numpy,
values are parsed by Arrow; quotes take the slower road through csv.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...errors import LasRefused
from ..limits import Limits

DELIMITERS = {"SPACE": None, "": None, "TAB": "\t", "COMMA": ","}
NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_BLOCK = 4 << 20
_COMMENT = re.compile(rb"^[ \t]*#[^\n]*", re.MULTILINE)
_SOLID = np.ones(256, dtype=bool)
_SOLID[[9, 10, 11, 12, 13, 26, 32]] = False  # 26: Ctrl-Z, the end of a file under DOS


@dataclass(frozen=True, eq=False)
class Table:
    """Values of shape (rows, columns), row-major and flat.

    texts: as printed. numbers: float64, NaN where the text is no plain number. decimals: digits behind the point.
    shifted: whether an exponent follows, or None where no value has one. lines: of each row, from 1.
    """

    columns: int
    texts: pa.LargeStringArray
    numbers: npt.NDArray[np.float64]
    decimals: npt.NDArray[np.int32]
    shifted: npt.NDArray[np.bool_] | None
    lines: npt.NDArray[np.int64]

    def column(self, at: int) -> pa.LargeStringArray:
        """The texts of a column."""
        return self.texts.take(np.arange(at, len(self.texts), self.columns))


def table_of(text: str, line: int, columns: int, delimiter: str | None, wrapped: bool, limits: Limits) -> Table:
    """The values of a data section. line: of its title; delimiter None: white space.

    LasRefused where a row does not have exactly `columns` values, or the whole more than `limits` allow.
    """
    pieces: list[tuple[pa.LargeStringArray, npt.NDArray[np.int64]]] = []
    for block, first in _blocks(text, line + 1):
        texts, at = _cut(block, delimiter)
        at += first
        if not wrapped:
            _check_rows(at, columns)
        pieces.append((texts, at))
        limits.check_samples(sum(len(texts) for texts, _ in pieces) // columns, columns, f"the section of line {line}")
    texts = pa.concat_arrays([texts for texts, _ in pieces]) if pieces else pa.array([], pa.large_string())
    at = np.concatenate([at for _, at in pieces]) if pieces else np.empty(0, dtype=np.int64)
    if not len(texts):
        raise LasRefused("the file is cut off or empty: its data section has no row", line)
    if wrapped:
        _check_wrapped(at, columns)
    return table_from(texts, at, columns)


def table_from(texts: pa.LargeStringArray, at: npt.NDArray[np.int64], columns: int) -> Table:
    """A table of values in hand. at: the line of each."""
    return Table(columns, texts, numbers_of(texts), _decimals(texts), _shifted(texts), at[::columns])


def _blocks(text: str, line: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines of some megabytes, and the number of the first."""
    start = 0
    while start < len(text):
        stop = text.find("\n", start + _BLOCK)
        stop = len(text) if stop < 0 else stop + 1
        part = text[start:stop]
        block = (part.replace("\xa0", " ") if not part.isascii() else part).encode("utf-8", "surrogatepass")
        yield _COMMENT.sub(b"", block) if b"#" in block else block, line
        line += part.count("\n")
        start = stop


def _cut(block: bytes, delimiter: str | None) -> tuple[pa.LargeStringArray, npt.NDArray[np.int64]]:
    """The values of a block as large_string, and of each the number of line breaks before it."""
    if b'"' in block:
        return _cut_quoted(block, delimiter)
    data = np.frombuffer(block, np.uint8)
    breaks = np.flatnonzero(data == 10)
    if delimiter is None:
        solid = _SOLID[data]
        turns = np.flatnonzero(solid[1:] != solid[:-1]) + 1
        if len(solid) and solid[0]:
            turns = np.concatenate(([0], turns))
        if len(turns) % 2:
            turns = np.append(turns, len(solid))
        starts, stops = turns[::2], turns[1::2]
        return _strings(data[solid], stops - starts), _lines(starts, breaks)
    parts = (data == ord(delimiter)) | (data == 10)
    stops = np.flatnonzero(parts)
    if len(data) and data[-1] != 10:
        stops = np.append(stops, len(data))
    starts = np.concatenate(([0], stops[:-1] + 1)) if len(stops) else stops
    texts = pc.ascii_trim(_strings(data[~parts], stops - starts), " \t\r\v\f\x1a")
    at = _lines(starts, breaks)
    filled = pc.binary_length(texts).to_numpy(zero_copy_only=False) > 0
    empty = np.bincount(at, filled) == 0
    blank = (empty if delimiter == "\t" else empty & (np.bincount(at) == 1))[at]
    return (texts.filter(pa.array(~blank)), at[~blank]) if blank.any() else (texts, at)


def _lines(starts: npt.NDArray[np.int64], breaks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Of each start the number of line breaks before it: counted line by line, since lines are fewer than values."""
    ends = np.append(np.searchsorted(starts, breaks, side="right"), len(starts))
    return np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))


def _strings(data: npt.NDArray[np.uint8], lengths: npt.NDArray[np.int64]) -> pa.LargeStringArray:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets.data), pa.py_buffer(data.data)]
    texts: Any = pa.Array.from_buffers(pa.large_string(), len(lengths), buffers)
    return cast(pa.LargeStringArray, texts)


def _cut_quoted(block: bytes, delimiter: str | None) -> tuple[pa.LargeStringArray, npt.NDArray[np.int64]]:
    texts: list[str] = []
    at: list[int] = []
    for number, line in enumerate(block.decode("utf-8", "surrogatepass").split("\n")):
        values = split_line(line, delimiter)
        texts += values
        at += [number] * len(values)
    return pa.array(texts, pa.large_string()), np.array(at, dtype=np.int64)


def split_line(text: str, delimiter: str | None) -> list[str]:
    """The values of a line; an empty line has none. Quotes hold text with delimiters in it together (LAS 3.0)."""
    bare = text.strip()
    if not bare:
        return []
    text = bare if delimiter != "\t" else text.strip(" \r\n")
    if '"' not in text:
        return [part.strip() for part in text.split(delimiter)]
    try:
        if delimiter is None:
            return next(csv.reader([re.sub(r"\s+", " ", text)], delimiter=" "))
        return [part.strip() for part in next(csv.reader([text], delimiter=delimiter, skipinitialspace=True))]
    except csv.Error as error:
        raise LasRefused(f"a data line cannot be cut into its values: {error}: {text[:40]}") from error


def delimiter_of(text: str, declared: str | None, columns: int) -> str | None:
    """The delimiter that cuts the first row into its columns: the declared one, else another that does."""
    first = next((line for line in text[:65536].split("\n") if line.strip() and not line.strip().startswith("#")), "")
    commas = any(part.endswith(",") for part in re.sub(r'"[^"]*"', '""', first).split())
    for delimiter in (declared, ",", "\t", None):
        if len(split_line(first, delimiter)) == columns and not (delimiter is None and commas):
            return delimiter
    return declared


def _check_rows(at: npt.NDArray[np.int64], columns: int) -> None:
    if not len(at):
        return
    counts = np.bincount(at - at[0])
    wrong = np.flatnonzero((counts != columns) & (counts > 0))
    if len(wrong):
        found, line = int(counts[wrong[0]]), int(wrong[0] + at[0])
        raise LasRefused(f"the row does not fill its columns: {_ragged(found, columns)}", line)


def _check_wrapped(at: npt.NDArray[np.int64], columns: int) -> None:
    """Each row begins on a line of its own."""
    heads = np.arange(columns, len(at), columns)
    inside = np.flatnonzero(at[heads] == at[heads - 1])
    if len(inside):
        head = int(heads[inside[0]])
        found = columns + int(np.searchsorted(at, at[head], side="right")) - head
        raise LasRefused(f"a wrapped row runs into the next: {_ragged(found, columns)}", int(at[head - columns]))
    if left := len(at) % columns:
        raise LasRefused(f"the file is cut off: its last row has {left} of {columns} values", int(at[-left]))


def _ragged(found: int, columns: int) -> str:
    hint = "values that run together, or a missing value" if found < columns else "a curve without a definition in ~C"
    return f"{found} values where {columns} columns are defined (look for {hint})"


def numbers_of(texts: pa.LargeStringArray) -> npt.NDArray[np.float64]:
    """float64: NaN for what is no plain number (`nan`, `inf` and `1_0` are none), infinite for one too large."""
    try:
        numbers = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
        if not np.isinf(numbers).any():
            return numbers
    except pa.ArrowInvalid:
        pass
    plain: Any = pc.match_substring_regex(texts, NUMBER)
    kept: Any = pc.if_else(plain, pc.ascii_ltrim(texts, "+"), None)
    try:
        numbers = kept.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:  # beyond float64
        numbers = np.array([np.nan if text is None else float(text) for text in kept.to_pylist()])
    return numbers


def _decimals(texts: pa.LargeStringArray) -> npt.NDArray[np.int32]:
    point = pc.find_substring(texts, ".").to_numpy(zero_copy_only=False)
    digits = pc.binary_length(texts).to_numpy(zero_copy_only=False) - point - 1
    return np.where(point >= 0, digits, 0).astype(np.int32)


def _shifted(texts: pa.LargeStringArray) -> npt.NDArray[np.bool_] | None:
    data = texts.buffers()[2]
    if data is None or not ((np.frombuffer(memoryview(data), np.uint8) | 32) == ord("e")).any():
        return None
    return pc.match_substring(texts, "e", ignore_case=True).to_numpy(zero_copy_only=False)
