"""The segments of a config with their places, as it says them together: rows by counting, ends of a regular index by
its step."""

from dataclasses import dataclass

from ..errors import CurveError
from ..schema import Config
from ..ticks import TIME_SCALE, tick_text, whole_tick


@dataclass(frozen=True)
class Placed:
    """A segment. index: first and last index value of its rows."""

    content: str
    rows: int
    first_row: int
    index: tuple[str, str]
    nulls: int


def placed(config: Config) -> tuple[Placed, ...]:
    """All segments in row order; CurveError where one of an irregular index does not say its ends."""
    index, found, row = config.index, [], 0
    start, step = 0, 0
    if index.regular is not None:
        start = whole_tick(index.regular.start, index.scale)
        step = whole_tick(index.regular.step, TIME_SCALE if index.scale is None else index.scale)
    for number, segment in enumerate(config.segments, 1):
        stop = row + segment.rows
        if segment.index:
            ends = (segment.index[0], segment.index[1])
        elif index.regular is not None:
            ends = (tick_text(start + step * row, index.scale), tick_text(start + step * (stop - 1), index.scale))
        else:
            raise CurveError(f"segment {number} says no index, and the index is not regular")
        found.append(Placed(segment.content, segment.rows, row, ends, segment.nulls))
        row = stop
    return tuple(found)


def span(config: Config) -> tuple[str, str]:
    """The first and last index value of the curve."""
    segments = placed(config)
    return segments[0].index[0], segments[-1].index[1]
