"""The index column of a LAS file: exact ticks, ascending, or a refusal that names the line."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from .errors import LasRefused
from .las_data import ABSENT
from .model import DEFAULT_SCALE, Ticks

_MAX_SCALE = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def ticks_of(texts: Sequence[str], lines: Sequence[int], null: float | None) -> tuple[Ticks, int | None]:
    """Ticks in recorded order and their scale (None: microseconds of ISO 8601 times)."""
    for text, line in zip(texts, lines, strict=True):
        if text.casefold() in ABSENT:
            raise LasRefused(f"the index has no value here ({text!r}); every row needs its depth or time", line)
    try:
        numbers = np.array([_number(text) for text in texts])
    except ValueError:
        return _times(texts, lines), None
    if null is not None and np.any(numbers == null):
        line = lines[int(np.flatnonzero(numbers == null)[0])]
        raise LasRefused("the index is NULL here; every row needs its depth or time", line)
    for scale in range(DEFAULT_SCALE, _MAX_SCALE + 1):
        scaled = np.rint(numbers * 10.0**scale)
        if np.max(np.abs(scaled)) >= 10.0 ** (14 if scale == DEFAULT_SCALE else 15):
            break
        if np.array_equal(scaled / 10.0**scale, numbers):
            return scaled.astype(np.int64), scale
    raise LasRefused(
        "the index cannot be kept exactly: it needs more than 15 digits or 12 decimals; round it to 4 decimals",
        lines[0],
    )


def direction_of(ticks: Ticks, lines: Sequence[int]) -> tuple[str, npt.NDArray[np.intp]]:
    """`down` (rising) or `up` (falling) as recorded, and the order that makes it ascend; equal rows keep theirs."""
    steps = np.diff(ticks)
    if len(ticks) > 1 and not np.any(steps):
        raise LasRefused("the index does not move: all rows have the same depth or time", lines[0])
    rising = np.sum(steps > 0) >= np.sum(steps < 0)
    wrong = np.flatnonzero(steps < 0 if rising else steps > 0)
    if len(wrong):
        word = "rises" if rising else "falls"
        raise LasRefused(
            f"the index {word}, but turns back here; sort the rows, or import the runs apart", lines[wrong[0] + 1]
        )
    return ("down" if rising else "up"), np.argsort(ticks, kind="stable")


def _number(text: str) -> float:
    if "_" in text or not np.isfinite(number := float(text)):
        raise ValueError(text)
    return number


def _times(texts: Sequence[str], lines: Sequence[int]) -> Ticks:
    ticks = np.empty(len(texts), dtype=np.int64)
    for row, text in enumerate(texts):
        try:
            stamp = datetime.fromisoformat(text)
        except ValueError as error:
            reason = f"the index value {text!r} is neither a number nor an ISO 8601 date and time"
            hint = "write depths or seconds, or times such as 2020-01-31T12:00:00"
            raise LasRefused(f"{reason}; {hint}", lines[row]) from error
        stamp = stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)
        delta = stamp - _EPOCH
        ticks[row] = (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
    return ticks
