"""Columns of a LAS table as they will be stored: float32 where the printed text comes back, integers, texts, arrays.

A value is what the text says: nothing is guessed. A value that is no number among numbers is refused with its line.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...dtypes import lists_of
from ...errors import LasRefused
from ...model import Values
from .data import Table

# How loggers and spreadsheets print an absent value where NULL should stand.
ABSENT = frozenset(
    {"", "-", "--", "---", "nan", "na", "n/a", "#n/a", "null", "(null)", "none", "err", "error"}
    | {"1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"}
)
_FLOAT64_DIGITS = 15


@dataclass(frozen=True, eq=False)
class Column:
    """A column as it will be stored. decimals: as in Curve.text_decimals; odd: spellings read as absent, counted."""

    values: Values
    decimals: int | None
    odd: dict[str, int]


def column_of(mnemonic: str, table: Table, at: int, null: float | None, form: str = "") -> Column:
    """The column at a place; form: its LAS 3.0 format (`F10.4`, `S`, `I`), which says text or integer for sure.

    Without one, texts where the first value is none. LasRefused where a number is expected and something else stands.
    """
    if is_text(form):
        return _texts(table, at, null)
    numbers, odd = _numbers(mnemonic, table, at, null, sure=bool(form))
    if numbers is None:
        return _texts(table, at, null)
    return Column(*_stored(numbers, _decimals(table, at, numbers), form), odd)


def array_of(mnemonic: str, table: Table, places: Sequence[int], null: float | None, form: str) -> Column:
    """Neighbouring columns of numbers as one: a FixedSizeList of shape (rows, width), of one type and precision."""
    columns: list[npt.NDArray[np.float64]] = []
    decimals: list[int | None] = []
    odd: dict[str, int] = {}
    for number, at in enumerate(places, 1):
        numbers, strange = _numbers(f"{mnemonic}[{number}]", table, at, null, sure=True)
        assert numbers is not None
        columns.append(numbers)
        decimals.append(_decimals(table, at, numbers))
        for text, count in strange.items():
            odd[text] = odd.get(text, 0) + count
    known = [count for count in decimals if count is not None]
    values, kept = _stored(np.column_stack(columns).ravel(), max(known) if len(known) == len(decimals) else None, form)
    return Column(lists_of(values, len(columns)), kept, odd)


def _numbers(
    mnemonic: str, table: Table, at: int, null: float | None, *, sure: bool
) -> tuple[npt.NDArray[np.float64] | None, dict[str, int]]:
    """The numbers of a column, NaN where absent, and odd spellings of that; None for a column of texts, if not sure."""
    numbers = table.numbers[at :: table.columns].copy()
    odd: dict[str, int] = {}
    strange = np.isnan(numbers)
    if strange.any():
        texts = table.column(at)
        if not sure and _first_is_text(texts, strange, numbers, null):
            return None, odd
        for text, count in _counted(texts.filter(pa.array(strange))):
            if text.casefold() not in ABSENT:
                row = pc.index(texts, pa.scalar(text, texts.type)).as_py()
                raise LasRefused(_no_number(mnemonic, text), int(table.lines[row]))
            odd[text] = count
    if np.isinf(numbers).any():
        row = int(np.flatnonzero(np.isinf(numbers))[0])
        text = str(table.texts[row * table.columns + at])
        raise LasRefused(f"{mnemonic}: {text} is beyond what a 64-bit float holds", int(table.lines[row]))
    if null is not None:
        numbers[numbers == null] = np.nan
    return numbers, odd


def is_text(form: str) -> bool:
    """{S}, {S32}, and dates and times, which are kept as printed."""
    return bool(form) and form[0].upper() not in "FIE"


def _first_is_text(
    texts: pa.LargeStringArray, strange: npt.NDArray[np.bool_], numbers: npt.NDArray[np.float64], null: float | None
) -> bool:
    """Whether the first value that is neither absent nor NULL is no number."""
    plain = np.flatnonzero(~strange & (numbers != null) if null is not None else ~strange)
    stop = int(plain[0]) if len(plain) else len(texts)
    before = texts.slice(0, stop).filter(pa.array(strange[:stop]))
    return any(str(text).casefold() not in ABSENT for text in before.unique())


def _counted(texts: pa.LargeStringArray) -> list[tuple[str, int]]:
    """Distinct texts in the order they stand, counted."""
    counted: Any = pc.value_counts(texts)
    return [(pair["values"], pair["counts"]) for pair in counted.to_pylist()]


def _decimals(table: Table, at: int, numbers: npt.NDArray[np.float64]) -> int | None:
    """Digits behind the point that the present values print with; None where one has an exponent."""
    present = ~np.isnan(numbers)
    if table.shifted is not None and (table.shifted[at :: table.columns] & present).any():
        return None
    return int(np.max(table.decimals[at :: table.columns], where=present, initial=0))


def _stored(numbers: npt.NDArray[np.float64], decimals: int | None, form: str) -> tuple[Values, int | None]:
    if form[:1].upper() == "I" and decimals == 0:
        absent = np.isnan(numbers)
        whole = np.where(absent, 0.0, numbers)
        if np.abs(whole).max(initial=0.0) < 2**53:
            small = np.abs(whole).max(initial=0.0) < 2**31
            return pa.array(whole.astype(np.int32 if small else np.int64), mask=absent), 0
    return narrow(numbers, decimals)


def _no_number(mnemonic: str, text: str) -> str:
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        return f"{mnemonic}: {text!r} has a decimal comma; write a point, or part the values if they are two"
    shown = text if len(text) <= 40 else text[:40] + "…"
    return f"{mnemonic}: {shown!r} is no number, while others of it are; correct it, or write NULL where it is absent"


def _texts(table: Table, at: int, null: float | None) -> Column:
    texts = table.column(at)
    absent = pc.binary_length(texts).to_numpy(zero_copy_only=False) == 0
    if null is not None:
        absent = absent | (table.numbers[at :: table.columns] == null)
    return Column(pc.if_else(pa.array(absent), None, texts).cast(pa.string()), None, {})


def narrow(numbers: npt.NDArray[np.float64], decimals: int | None) -> tuple[Values, int | None]:
    """float32 if the printed text is recoverable, else float64; NaN becomes null.

    Second result: with how many decimals every value prints as received, or None where its shortest text does.
    """
    absent = np.isnan(numbers)
    holes = bool(absent.any())
    present = numbers[~absent] if holes else numbers
    with np.errstate(over="ignore"):
        singles = numbers.astype(np.float32)
    kept = singles[~absent] if holes else singles
    mask = absent if holes else None
    if decimals is not None and _within_last_digit(kept.astype(np.float64), present, decimals):
        return pa.array(singles, mask=mask), decimals
    if np.array_equal(pa.array(kept).cast(pa.string()).cast(pa.float64()).to_numpy(), present):
        return pa.array(singles, mask=mask), None
    largest = float(np.max(np.abs(present), initial=0.0))
    exact = decimals is not None and len(str(math.floor(largest))) + decimals <= _FLOAT64_DIGITS
    return pa.array(numbers, mask=mask), decimals if exact else None


def _within_last_digit(kept: npt.NDArray[np.float64], printed: npt.NDArray[np.float64], decimals: int) -> bool:
    """Whether rounding to the printed decimals brings every printed value back (a hair under half a digit)."""
    with np.errstate(invalid="ignore"):
        return bool(np.all(np.abs(kept - printed) < 0.499999 * 10.0**-decimals))
