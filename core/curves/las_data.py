"""The data section of a LAS file: rows of text to typed columns, exact to the printed digits.

A value is what the text says: nothing is guessed. A row that does not fill its columns, or a value that is no number
among numbers, refuses the file with its line.
"""

import csv
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .errors import LasRefused
from .model import Values

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
# How loggers and spreadsheets print an absent value where NULL should stand.
ABSENT = frozenset(
    {"", "-", "--", "---", "nan", "na", "n/a", "#n/a", "null", "(null)", "none", "err", "error"}
    | {"1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
)
DELIMITERS = {"SPACE": None, "": None, "TAB": "\t", "COMMA": ","}
_FLOAT64_DIGITS = 15


@dataclass(frozen=True)
class Row:
    """The texts of one index value, and the line (from 1) it starts on."""

    line: int
    texts: list[str]


def rows_of(lines: Iterable[tuple[int, str]], columns: int, delimiter: str | None, wrapped: bool) -> list[Row]:
    """The rows of numbered lines. columns: values per row, index included; delimiter None: white space.

    LasRefused where a row does not have exactly that many values.
    """
    rows: list[Row] = []
    open_row: Row | None = None
    for line, text in lines:
        texts = split_line(text, delimiter)
        if not texts:
            continue
        if wrapped and open_row is not None:
            open_row.texts.extend(texts)
        else:
            open_row = Row(line, texts)
        found = len(open_row.texts)
        if found > columns or (found < columns and not wrapped):
            raise LasRefused(_ragged(found, columns, wrapped), line)
        if found == columns:
            rows.append(open_row)
            open_row = None
    if open_row is not None:
        raise LasRefused(
            f"the file is cut off: its last row has {len(open_row.texts)} of {columns} values", open_row.line
        )
    return rows


def split_line(text: str, delimiter: str | None) -> list[str]:
    """The values of a line; an empty line has none. Quotes hold text with delimiters in it together (LAS 3.0)."""
    text = text.strip() if delimiter != "\t" else text.strip(" \r\n")
    if not text:
        return []
    if delimiter is None:
        return text.split() if '"' not in text else next(csv.reader([re.sub(r"\s+", " ", text)], delimiter=" "))
    parts = (
        next(csv.reader([text], delimiter=delimiter, skipinitialspace=True)) if '"' in text else text.split(delimiter)
    )
    return [part.strip() for part in parts]


def _ragged(found: int, columns: int, wrapped: bool) -> str:
    hint = "values that run together, or a missing value" if found < columns else "a curve without a definition in ~C"
    where = "a wrapped row runs into the next" if wrapped else "the row does not fill its columns"
    return f"{where}: {found} values where ~C defines {columns} (look for {hint})"


@dataclass(frozen=True, eq=False)
class Column:
    """A column as it will be stored. decimals: as in Curve.text_decimals; odd: spellings read as absent, counted."""

    values: Values
    decimals: int | None
    odd: dict[str, int]


def column_of(mnemonic: str, texts: Sequence[str], lines: Sequence[int], null: float | None) -> Column:
    """float32 where every printed value can be had back from it, else float64; texts where the first value is none.

    LasRefused where a number is expected and something else stands.
    """
    odd: dict[str, int] = {}
    numbers = np.full(len(texts), np.nan)
    decimals = 0
    shifted = False  # an exponent: digits behind the point say nothing about precision
    numeric = False
    for row, text in enumerate(texts):
        if _NUMBER.fullmatch(text):
            number = float(text)
            if number == null:
                continue
            numeric = True
            numbers[row] = number
            decimals = max(decimals, len(text) - text.index(".") - 1 if "." in text else 0)
            shifted = shifted or "e" in text or "E" in text
        elif text.casefold() in ABSENT:
            odd[text] = odd.get(text, 0) + 1
        elif not numeric:
            return _texts(texts, null)
        else:
            raise LasRefused(_no_number(mnemonic, text), lines[row])
    if np.any(np.isinf(numbers)):
        row = int(np.flatnonzero(np.isinf(numbers))[0])
        raise LasRefused(f"{mnemonic}: {texts[row]} is beyond what a 64-bit float holds", lines[row])
    values, kept = narrow(numbers, None if shifted else decimals)
    return Column(values, kept, odd)


def _no_number(mnemonic: str, text: str) -> str:
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        return f"{mnemonic}: {text!r} has a decimal comma; write a point, or declare DLM COMMA if it parts two values"
    return f"{mnemonic}: {text!r} is no number, while values above it are; correct it, or write NULL where it is absent"


def _texts(texts: Sequence[str], null: float | None) -> Column:
    kept = [None if not text or (_NUMBER.fullmatch(text) and float(text) == null) else text for text in texts]
    return Column(pa.array(kept, pa.string()), None, {})


def narrow(numbers: npt.NDArray[np.float64], decimals: int | None) -> tuple[Values, int | None]:
    """float32 if the printed text is recoverable, else float64; NaN becomes null.

    Second result: with how many decimals every value prints as received, or None where its shortest text does.
    """
    absent = np.isnan(numbers)
    present = numbers[~absent]
    with np.errstate(over="ignore"):
        singles = numbers.astype(np.float32)
    kept = singles[~absent]
    if decimals is not None and _within_last_digit(kept.astype(np.float64), present, decimals):
        return pa.array(singles, mask=absent), decimals
    if all(float(str(single)) == number for single, number in zip(kept, present.tolist(), strict=True)):
        return pa.array(singles, mask=absent), None
    largest = float(np.max(np.abs(present), initial=0.0))
    exact = decimals is not None and len(str(math.floor(largest))) + decimals <= _FLOAT64_DIGITS
    return pa.array(numbers, mask=absent), decimals if exact else None


def _within_last_digit(kept: npt.NDArray[np.float64], printed: npt.NDArray[np.float64], decimals: int) -> bool:
    """Whether rounding to the printed decimals brings every printed value back (a hair under half a digit)."""
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(kept - printed) < 0.499999 * 10.0**-decimals))
