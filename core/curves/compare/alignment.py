"""Which rows of two versions of a curve stand at the same place, told from their configs as far as these can tell.

Rows are matched by their index value, equal values in their order. A shift is a constant that all index values of the
old version are moved by before they are matched; the one under which most rows lie in segments of equal content is
taken, and none where that is as good.
"""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from ..artifact.placed import Placed, placed, span
from ..errors import CurveError
from ..model import Ticks, parse_tick
from ..schema import Config, IndexHeader
from ..ticks import TIME_SCALE
from ..units import conversion

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """What the ticks of both versions are brought to before they are matched. scale None: microseconds."""

    scale: int | None
    unit: str

    def ticks(self, ticks: Ticks, index: IndexHeader) -> Ticks:
        """Ticks of one version on this axis; another length unit is converted and rounded to the scale."""
        if self.scale is None or index.scale is None:
            return ticks
        if index.unit == self.unit:
            return ticks * np.int64(10 ** (self.scale - index.scale))
        factor, _ = conversion(index.unit, self.unit)
        converted: Ticks = np.rint(ticks * float(factor * 10 ** (self.scale - index.scale))).astype(np.int64)
        return converted

    def tick(self, text: str) -> int:
        """One index value as configs write it, in the unit of this axis."""
        return int(parse_tick(text, self.scale))


def common_axis(old: IndexHeader, new: IndexHeader) -> Axis | None:
    """The axis both indexes can be brought to, in the new one's unit; None where no two index values mean the same."""
    if old.kind != new.kind or (old.scale is None) != (new.scale is None):
        return None
    if old.scale is None or new.scale is None:
        return Axis(None, "s")
    try:
        conversion(old.unit, new.unit)
    except CurveError:
        return None
    return Axis(max(old.scale, new.scale), new.unit)


def regular_ticks(index: IndexHeader) -> Ticks | None:
    """The ticks of a regular index of shape (count,), in its own scale; None for an irregular one."""
    if index.regular is None:
        return None
    start = int(parse_tick(index.regular.start, index.scale))
    step = int(Decimal(index.regular.step).scaleb(TIME_SCALE if index.scale is None else index.scale))
    return start + step * np.arange(index.regular.count, dtype=np.int64)


def same_steps(old: IndexHeader, new: IndexHeader) -> bool:
    """Both regular, in one unit and with one step: then first value and number of rows say all of a segment."""
    if not old.regular or not new.regular or old.unit != new.unit:
        return False
    return Decimal(old.regular.step) == Decimal(new.regular.step)


def shifts(old: Config, new: Config, axis: Axis) -> tuple[int, ...]:
    """The shifts, in ticks of the axis, that are worth trying: one, or two where the segments cannot tell."""
    votes = Counter({0: 0})
    if same_steps(old.index, new.index) and old.rows == new.rows:
        votes[axis.tick(span(new)[0]) - axis.tick(span(old)[0])] += 0
    if old.index.unit == new.index.unit:
        mine, theirs = _single(old), _single(new)
        for content in mine.keys() & theirs.keys():
            here, there = ([axis.tick(text) for text in segment.index] for segment in (mine[content], theirs[content]))
            if there[0] - here[0] == there[1] - here[1]:
                votes[there[0] - here[0]] += mine[content].rows
    best = max(votes.values())
    return tuple([shift for shift in votes if votes[shift] == best][:2])


def constant_shift(old: Ticks, new: Ticks) -> int | None:
    """What all index values of one axis were moved by, None where they were not moved alike."""
    if len(old) != len(new):
        return None
    moved = int(new[0] - old[0])
    return moved if np.array_equal(old + moved, new) else None


def match(old: Ticks, new: Ticks) -> tuple[Rows, Rows]:
    """Positions (in old, in new) of equal values of two ascending arrays, the k-th of equal ones with the k-th."""
    rank = np.arange(len(old)) - np.searchsorted(old, old, "left")
    at = np.searchsorted(new, old, "left") + rank
    inside = np.flatnonzero(at < len(new))
    inside = inside[new[at[inside]] == old[inside]]
    return inside, at[inside]


def _single(config: Config) -> dict[str, Placed]:
    """Segments whose content stands once in a curve: a constant interval says nothing about a shift."""
    times = Counter(segment.content for segment in config.segments)
    return {segment.content: segment for segment in placed(config) if times[segment.content] == 1}
