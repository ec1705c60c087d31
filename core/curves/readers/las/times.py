"""Dates and times of an index column: ISO 8601, or a stated format, `DD/MM/YYYY hh:mm:ss` (LAS 3.0 "Date and Time").

Times without a zone are taken as UTC. A date that could be read two ways, day or month first, is not guessed.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PARTS = {
    "YYYY": r"(?P<year>\d{4})",
    "YY": r"(?P<year>\d{2})",
    "MMMM": r"(?P<month>[A-Za-z]{3,9})",
    "MMM": r"(?P<month>[A-Za-z]{3})",
    "MM": r"(?P<month>\d{2})",
    "M": r"(?P<month>\d{1,2})",
    "DD": r"(?P<day>\d{2})",
    "D": r"(?P<day>\d{1,2})",
    "hh": r"(?P<hour>\d{1,2})",
    "mm": r"(?P<minute>\d{2})",
    "ss": r"(?P<second>\d{2}(?:\.\d{1,9})?)",
}
_FORMAT = re.compile("|".join(_PARTS))
_NAMED_MONTH = re.compile(r"(?P<day>\d{1,2})[-/ .](?P<month>[A-Za-z]{3,9})[-/ .](?P<year>\d{4}|\d{2})", re.ASCII)
_ISO_DATE = re.compile(r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})", re.ASCII)
_NUMBERED = re.compile(r"(?P<first>\d{1,2})[-/.](?P<second>\d{1,2})[-/.](?P<year>\d{4}|\d{2})", re.ASCII)
_CLOCK = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d{1,9})?))?", re.ASCII)

Reader = Callable[[str], int | None]
"""A text as microseconds since 1970-01-01 UTC, or None where it cannot be read."""


def iso_micros(text: str) -> int | None:
    """ISO 8601, with or without a zone."""
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _since_epoch(stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC))


def reader_of(form: str) -> Reader | None:
    """A reader for a stated format with a day in it (`DD/MM/YYYY hh:mm:ss`), or None for what states none."""
    pieces = _FORMAT.split(form)
    names = _FORMAT.findall(form)
    if not {"YYYY", "YY"} & set(names) or not {"D", "DD"} & set(names) or len({name[0] for name in names}) < len(names):
        return None
    pattern = re.escape(pieces[0])
    for name, literal in zip(names, pieces[1:], strict=True):
        pattern += _PARTS[name] + re.escape(literal).replace(r"\ ", r"\s+")
    compiled = re.compile(pattern, re.ASCII)

    def read(text: str) -> int | None:
        match = compiled.fullmatch(text.strip())
        return _micros(**match.groupdict()) if match else None

    return read


def day_micros(text: str) -> int | None:
    """A date that reads one way only: `01-Jan-20`, `2020-01-31`."""
    match = _NAMED_MONTH.fullmatch(text) or _ISO_DATE.fullmatch(text)
    return _micros(**match.groupdict()) if match else None


def clock_micros(text: str) -> int | None:
    """Microseconds since midnight of `hh:mm`, `hh:mm:ss` or with fractions."""
    match = _CLOCK.fullmatch(text)
    return _micros("1970", "1", "1", **match.groupdict()) if match else None


def all_read(texts: Sequence[str], read: Reader) -> list[int] | int:
    """The microseconds of all texts, or the row of the first that cannot be read."""
    seen: dict[str, int] = {}
    for row, text in enumerate(texts):
        if text not in seen:
            micros = read(text)
            if micros is None:
                return row
            seen[text] = micros
    return [seen[text] for text in texts]


def one_way_date(text: str) -> str | None:
    """ISO date of a header date that reads one way only: 06-21-97 does, 01/02/2001 does not."""
    words = text.split("T")[0].strip()
    for candidate in (words, words.split(" ")[0]):
        if (micros := day_micros(candidate)) is not None:
            return datetime.fromtimestamp(micros // 1_000_000, UTC).date().isoformat()
        if match := _NUMBERED.fullmatch(candidate):
            orders = ((match["first"], match["second"]), (match["second"], match["first"]))
            found = {_micros(match["year"], month, day) for day, month in orders} - {None}
            return _iso(found.pop()) if len(found) == 1 else None
    return None


def dated(text: str, form: str) -> str | None:
    """ISO date of a text in a stated format, or None."""
    read = reader_of(form)
    return _iso(read(text)) if read else None


def _iso(micros: int | None) -> str | None:
    return None if micros is None else datetime.fromtimestamp(micros // 1_000_000, UTC).date().isoformat()


def _micros(
    year: str, month: str, day: str, hour: str | None = None, minute: str | None = None, second: str | None = None
) -> int | None:
    """None where the parts are no date. 24:00 is midnight; two digits of a year are 1969 to 2068, as POSIX has it."""
    word = month[:3].casefold()
    number = int(month) if month.isdigit() else _MONTHS.index(word) + 1 if word in _MONTHS else 0
    full = int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 69 else 1900)
    whole, _, fraction = (second or "0").partition(".")
    seconds = int(hour or 0) * 3600 + int(minute or 0) * 60 + int(whole)
    if int(minute or 0) > 59 or int(whole) > 59 or seconds > 86_400:
        return None
    try:
        days = (date(full, number, int(day)) - date(1970, 1, 1)).days
    except ValueError:
        return None
    return (days * 86_400 + seconds) * 1_000_000 + int((fraction + "000000")[:6])


def _since_epoch(stamp: datetime) -> int:
    delta = stamp - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
