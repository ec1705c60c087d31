"""What a comparison of two curve versions or two wells says: typed, bounded in size, and ready to be JSON."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ..artifact.placed import span
from ..model import Ticks, tick_text
from ..schema import Config, Struct
from ..ticks import TIME_SCALE
from .alignment import Axis, Rows, constant_shift

# What says the same in another way, or how it is stored: told by counts, intervals and segments instead.
_NOT_HEADER = ("stats", "segments", "values_id", "chunking", "lineage", "width")
_DIGITS = 6

Amounts = npt.NDArray[np.float64]


class HeaderChange(Struct, frozen=True):
    """A field of the config by its path (`unit`, `well.uwi`), null where it was or is empty."""

    field: str
    old: Any
    new: Any


class IndexSpan(Struct, frozen=True):
    """First and last index value, exact; step null for an irregular index."""

    kind: str
    unit: str
    start: str
    stop: str
    step: str | None
    rows: int


class IndexChange(Struct, frozen=True):
    """shift: what every index value of the old version moved by, `+0.5`, in the unit of `new` (times: seconds); null
    where there is no such constant. said: the change in words."""

    old: IndexSpan
    new: IndexSpan
    shift: str | None
    said: str


class Interval(Struct, frozen=True):
    """Neighbouring samples that differ in one way: `changed`, `added` or `removed`. start and stop are index values,
    both included, of the new version (`removed`: of the old). largest: absolute change, null where none can be told."""

    kind: str
    start: str
    stop: str
    samples: int
    largest: float | None


class SegmentCounts(Struct, frozen=True):
    """Segments of each version, and how many contents of the new one the old one has too."""

    old: int
    new: int
    shared: int


class CurveDiff(Struct, frozen=True):
    """Two versions of a curve, or two curves. Counts are samples (of an array curve: rows).

    changed: at the same index value in both, with another value; of them nulled have none any more, and filled had
    none. added, removed: at index values that only one has. largest, mean: absolute change of what has a value in
    both, six digits; largest_at: where. intervals: the longest, in order; interval_count: all of them.
    new_bytes: of layers, config and manifest that only the new version has.
    """

    old: str
    new: str
    equal: bool
    values_equal: bool
    rows_old: int
    rows_new: int
    changed: int
    added: int
    removed: int
    nulled: int
    filled: int
    largest: float | None
    largest_at: str | None
    mean: float | None
    header: list[HeaderChange]
    index: IndexChange | None
    interval_count: int
    intervals: list[Interval]
    segments: SegmentCounts
    new_bytes: int


@dataclass(frozen=True, eq=False)
class Runs:
    """Differing samples of one kind: their index values in ticks of `scale`, and where a run of them begins."""

    kind: str
    scale: int | None
    ticks: Ticks
    begins: Rows
    amount: Amounts | None


def runs(kind: str, scale: int | None, ticks: Ticks, amount: Amounts | None, *rows: Rows) -> Runs:
    """Samples in order, cut into runs wherever one of their row numbers does not follow the one before."""
    breaks = np.zeros(len(ticks), dtype=bool)
    breaks[:1] = True
    for numbers in rows:
        breaks[1:] |= np.diff(numbers) != 1
    return Runs(kind, scale, ticks, np.flatnonzero(breaks), amount)


def intervals(parts: list[Runs], most: int) -> tuple[list[Interval], int]:
    """The `most` longest runs as intervals, by their first index value, and the number of all."""
    found: list[tuple[int, int, Runs, int]] = []
    for part in parts:
        ends = np.append(part.begins[1:], len(part.ticks))
        lengths = ends - part.begins
        longest = np.argsort(-lengths, kind="stable")[:most]
        found += [(int(lengths[at]), int(part.ticks[part.begins[at]]), part, int(part.begins[at])) for at in longest]
    found.sort(key=lambda run: -run[0])
    chosen = sorted(found[:most], key=lambda run: run[1])
    return [_interval(part, begin, length) for length, _, part, begin in chosen], sum(len(p.begins) for p in parts)


def _interval(part: Runs, begin: int, length: int) -> Interval:
    amount = np.empty(0) if part.amount is None else part.amount[begin : begin + length]
    amount = amount[~np.isnan(amount)]
    return Interval(
        kind=part.kind,
        start=tick_text(int(part.ticks[begin]), part.scale),
        stop=tick_text(int(part.ticks[begin + length - 1]), part.scale),
        samples=length,
        largest=figure(float(amount.max())) if len(amount) else None,
    )


def figure(number: float) -> float:
    """Six significant digits: what a difference of float32 has."""
    return float(f"{number:.{_DIGITS}g}")


def header_changes(old: Config, new: Config) -> list[HeaderChange]:
    """The fields that say something else of the curve, in the order of the config; what was found, and where a file
    came from besides its name, is no such field."""
    before, after = _fields(old), _fields(new)
    return [
        HeaderChange(field=field, old=before.get(field), new=after.get(field))
        for field in before | after
        if before.get(field) != after.get(field)
    ]


def _fields(config: Config) -> dict[str, Any]:
    tree = msgspec.to_builtins(config, enc_hook=str)  # a Digest is a str of its own class
    for name in _NOT_HEADER:
        tree.pop(name, None)
    for name in ("index_id", "regular"):
        tree["index"].pop(name, None)
    tree["index"].setdefault("recorded_direction", "down")
    original = tree.pop("original", None) or {}
    tree["original"] = {name: original.get(name) for name in ("file", "format")}
    return {name: value for name, value in _flat("", tree) if value not in ("", [], None)}


def _flat(prefix: str, tree: dict[str, Any]) -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for name, value in tree.items():
        leaves += _flat(f"{prefix}{name}.", value) if isinstance(value, dict) else [(prefix + name, value)]
    return leaves


def index_change(
    old: Config, new: Config, axis: Axis | None, ticks: tuple[Ticks, Ticks] | None, shift: int | None
) -> IndexChange | None:
    """How the index of a curve changed, or None. ticks: of both on the axis, where they are known whole; shift: the one
    that samples were matched under, None where their values are the same."""
    if old.index.index_id == new.index.index_id:
        return None
    before, after = _span(old), _span(new)
    if shift is None and ticks:
        shift = constant_shift(*ticks)
    moved = signed(shift, axis.scale) if shift and axis else None
    if moved:
        said = f"shifted by {moved} {after.unit or 's'}"
        if before.rows != after.rows:
            said += f"; {_words(before)} -> {_words(after)}"
    elif ticks and np.array_equal(*ticks):
        said = f"the same places in another unit, {before.unit} -> {after.unit}"
    elif old.values_id == new.values_id and ticks and axis:
        by = ticks[1] - ticks[0]
        low, high = (signed(int(end), axis.scale) for end in (by.min(), by.max()))
        said = f"the same values at other places, moved by {low} to {high} {after.unit or 's'}"
    else:
        said = f"{_words(before)} -> {_words(after)}"
    return IndexChange(old=before, new=after, shift=moved, said=said)


def signed(ticks: int, scale: int | None) -> str:
    """A difference of index values, `+0.5`; of times in seconds."""
    return f"{'-' if ticks < 0 else '+'}{tick_text(abs(ticks), TIME_SCALE if scale is None else scale)}"


def _span(config: Config) -> IndexSpan:
    index, (start, stop) = config.index, span(config)
    return IndexSpan(
        kind=index.kind,
        unit=index.unit,
        start=start,
        stop=stop,
        step=index.regular.step if index.regular else None,
        rows=config.rows,
    )


def _words(span: IndexSpan) -> str:
    step = f"step {span.step}" if span.step else "no constant step"
    return f"{span.start} to {span.stop} {span.unit}".strip() + f" ({span.rows:,} rows, {step})"
