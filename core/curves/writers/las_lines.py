"""Header lines of a LAS file, `MNEM.UNIT VALUE : DESCRIPTION`, and the NULL that no value is (LAS 2.0 section 5)."""

import math
import re

import numpy as np
import pyarrow as pa

from ..readers.las.check import number_of
from ..readers.las.header import Item
from ..units import convert
from ..windows.aligned import Aligned
from .texts import Printed

_NULLS = ("-999.25", "-9999", "-99999", "-999999.25", "-1.0E+30")
_PARTING = r"[.:\s\x00-\x1f\x7f]+"


class Labels:
    """Mnemonics as they are printed: without dots, colons and spaces, which part a header line.

    A name that only our numbering made, `GR:2` as the second GR, is printed as GR again.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}

    def label(self, name: str) -> str:
        base, colon, number = name.rpartition(":")
        plain = _mnemonic(base if colon and number.isdigit() and self._seen.get(base) == int(number) - 1 else name)
        key = base if colon and plain == _mnemonic(base) else name
        self._seen[key] = self._seen.get(key, 0) + 1
        return plain


def _mnemonic(name: str) -> str:
    plain = re.sub(rf"^{_PARTING}|{_PARTING}$", "", name)
    return re.sub(_PARTING, "_", plain).lstrip("~#") or "UNKNOWN"


def header_line(mnemonic: str, unit: str, value: str, description: str) -> str:
    """One line; what would part it otherwise is replaced."""
    unit = re.sub(r"[\s:]+", "", unit)
    return f"{mnemonic:<5}.{unit:<6} {_plain(value):<24} : {_described(description)}".rstrip()


def index_line(first: Aligned, labels: Labels) -> str:
    """The index's line of ~Curve."""
    index = first.columns[0].config.index
    unit = index.unit_original if first.unit == index.unit else first.unit
    return header_line(labels.label(first.mnemonic or first.kind), unit, "", first.kind)


def curve_line(column: Printed, labels: Labels) -> str:
    """A curve's line of ~Curve."""
    return header_line(labels.label(column.name), column.unit, "", column.column.config.description)


def with_value(line: str, item: Item, value: str, unit: str) -> str:
    """A header line with another value (and unit), its columns left where they are."""
    head, dot, rest = line.partition(".")
    start = rest.find(item.unit) + len(item.unit) if item.unit else 0
    at = rest.find(item.value, start) if item.value else -1
    if at < 0 or unit != item.unit:
        return header_line(item.mnemonic, unit, value, item.description)
    gap = " " if at == 0 else ""
    return f"{head}{dot}{rest[:at]}{gap}{value}{rest[at + len(item.value) :]}"


def null_of(first: Aligned, printed: str | None) -> str:
    """The text that stands for absent values: the header's, else the curves' own, else one that no curve reaches."""
    ranges: list[tuple[float, float, str | None]] = []
    for column in first.columns:
        stats, config = column.config.stats, column.config
        if stats.min is not None and stats.max is not None:
            ends = convert(pa.array([stats.min, stats.max], pa.float64()), config.unit, column.unit)
            low, high = np.sort(ends.to_numpy()).tolist()
            ranges.append((low, high, config.null_original))
    own = [column.config.null_original or "" for column in first.columns]
    for text in (printed or "", *own, *_NULLS):
        number = number_of(text)
        if number is None:
            continue
        if not any(low <= number <= high and number_of(null or "") != number for low, high, null in ranges):
            return text
    lowest, highest = min(low for low, _, _ in ranges), max(high for _, high, _ in ranges)
    below = math.nextafter(lowest, -math.inf)
    return repr(below if math.isfinite(below) else math.nextafter(highest, math.inf))


def _plain(text: str) -> str:
    return " ".join(text.split())


def _described(text: str) -> str:
    return _plain(text.translate(str.maketrans(":{}|", ";()/")))
