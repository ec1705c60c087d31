"""The index column of a LAS table: exact ticks in recorded order, or a refusal that names the line."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...errors import LasRefused
from ...model import DEFAULT_SCALE, Ticks
from ..columns import OutOfOrder, order_of
from .columns import ABSENT
from .data import Table
from .header import Item
from .times import Reader, all_read, clock_micros, day_micros, iso_micros, reader_of

_MAX_SCALE = 12
_DAY = 86_400_000_000


def index_of(
    table: Table, items: Sequence[Item], at: int, null: float | None, findings: list[str]
) -> tuple[Ticks, int | None]:
    """Ticks in recorded order and their scale (None: microseconds of dates and times). at: the index column's place."""
    numbers = table.numbers[at :: table.columns]
    if np.isnan(numbers).any():
        texts = texts_of(table, at)
        for row in np.flatnonzero(np.isnan(numbers)):
            if texts[row].casefold() in ABSENT:
                reason = f"the index has no value here ({texts[row]!r}); every row needs its depth or time"
                raise LasRefused(reason, int(table.lines[row]))
        return _times(table, items, at, texts, findings), None
    if null is not None:
        _check_null(numbers, null, table, findings)
    for scale in range(DEFAULT_SCALE, _MAX_SCALE + 1):
        scaled = np.rint(numbers * 10.0**scale)
        if np.max(np.abs(scaled)) >= 10.0 ** (14 if scale == DEFAULT_SCALE else 15):
            break
        if np.array_equal(scaled / 10.0**scale, numbers):
            return scaled.astype(np.int64), scale
    raise LasRefused(
        "the index cannot be kept exactly: it needs more than 15 digits or 12 decimals; round it to 4 decimals",
        int(table.lines[0]),
    )


def _check_null(numbers: npt.NDArray[np.float64], null: float, table: Table, findings: list[str]) -> None:
    """A depth that happens to equal NULL is a depth where it stands in sequence between its neighbours."""
    for row in np.flatnonzero(numbers == null):
        around = numbers[max(0, row - 1) : row + 2]
        steps = np.diff(around)
        if len(around) < 3 or steps[0] * steps[1] <= 0 or max(abs(steps)) > 2 * min(abs(steps)):
            raise LasRefused("the index is NULL here; every row needs its depth or time", int(table.lines[row]))
        findings.append(f"index value {null:g} equals NULL; read as a depth, for it stands in sequence")


def _times(table: Table, items: Sequence[Item], at: int, texts: list[str], findings: list[str]) -> Ticks:
    """Of the index column alone, or of a day's column and an hour's column together."""
    readers = [read for form in _stated(items[at]) if (read := reader_of(form))] or [iso_micros, day_micros]
    failures = [all_read(texts, read) for read in readers]
    if found := next((micros for micros in failures if isinstance(micros, list)), None):
        days_alone = all(micros % _DAY == 0 for micros in found)
        clock = _partner(table, items, "TIME", at, [clock_micros]) if days_alone else None
        return _sum(found, clock, f"the index is {items[at].mnemonic} and TIME together, taken as UTC", findings)
    hours = all_read(texts, clock_micros)
    if isinstance(hours, list):
        day = _partner(table, items, "DATE", at, [iso_micros, day_micros])
        if day is not None:
            return _sum(hours, day, f"the index is {items[at].mnemonic} on the day in DATE, taken as UTC", findings)
    row = max(failure for failure in failures if isinstance(failure, int))
    raise LasRefused(
        f"the index value {texts[row]!r} is neither a number nor an ISO 8601 date and time; write depths or seconds, "
        "times such as 2020-01-31T12:00:00, or state the format, as in {DD/MM/YYYY hh:mm:ss}",
        int(table.lines[row]),
    )


def _partner(
    table: Table, items: Sequence[Item], mnemonic: str, at: int, readers: Sequence[Reader]
) -> list[int] | None:
    """The column of that name beside the index, read as days or hours."""
    for place, item in enumerate(items):
        if place != at and item.mnemonic.casefold() == mnemonic.casefold():
            stated = [read for form in _stated(item) if (read := reader_of(form))]
            texts = texts_of(table, place)
            for read in stated or readers:
                if isinstance(micros := all_read(texts, read), list):
                    return micros
    return None


def texts_of(table: Table, at: int) -> list[str]:
    """A column as a list of str, none of them None."""
    return [str(text) for text in table.column(at).to_pylist()]


def _stated(item: Item) -> tuple[str, str]:
    return item.format, item.unit


def _sum(first: list[int], second: list[int] | None, finding: str, findings: list[str]) -> Ticks:
    ticks = np.array(first, dtype=np.int64)
    if second is None:
        return ticks
    findings.append(finding)
    return ticks + np.array(second, dtype=np.int64)


def direction_of(ticks: Ticks, lines: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.intp] | None]:
    """As columns.order_of; the refusal names the line."""
    try:
        return order_of(ticks)
    except OutOfOrder as error:
        raise LasRefused(str(error), int(lines[error.row])) from error
