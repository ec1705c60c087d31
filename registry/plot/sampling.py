"""Few points that draw like many: at most four to a row of pixels, with the pen lifted where samples are absent."""

import numpy as np

from .model import Floats

POINTS = 4
_GAP_STEPS = 5


def polyline(places: Floats, across: Floats, top: float, bottom: float, rows: int) -> tuple[Floats, Floats]:
    """Points (places, across) of a line through samples between top and bottom, NaN where the pen is up.

    Of each of `rows` rows of pixels the first, least, greatest and last sample stay, which is all that can be seen
    (M4: Jugel et al., VLDB 2014). A row without any sample, or a step over 5 times the usual one, lifts the pen.
    """
    start, stop = shown(places, top, bottom)
    places, across = places[start:stop], across[start:stop]
    if len(places) <= POINTS * rows or bottom <= top:
        return _with_gaps(places, across)
    there = np.isfinite(across)
    places, across = places[there], across[there]
    if not len(places):
        return places, across
    row = ((places - top) / (bottom - top) * rows).astype(np.int64)
    first = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    last = np.r_[first[1:], len(row)] - 1
    middle = (places[first] + places[last]) / 2
    low, high = np.minimum.reduceat(across, first), np.maximum.reduceat(across, first)
    down = np.stack([places[first], middle, middle, places[last], places[last]], axis=1)
    over = np.stack([across[first], low, high, across[last], np.full(len(first), np.nan)], axis=1)
    keep = np.ones(down.shape, dtype=bool)
    keep[:, -1] = np.r_[np.diff(row[first]) > 1, False]
    return down[keep], over[keep]


def _with_gaps(places: Floats, across: Floats) -> tuple[Floats, Floats]:
    """The pen is up at NaN already; a hole in the index is one too."""
    if len(places) < 3:
        return places, across
    steps = np.diff(places)
    holes = np.flatnonzero(steps > _GAP_STEPS * np.median(steps)) + 1
    return np.insert(places, holes, places[holes]), np.insert(across, holes, np.nan)


def averaged(places: Floats, across: Floats, grid: Floats) -> Floats:
    """Means of the samples between the edges of an ascending grid, of shape (len(grid) - 1,); NaN where none is."""
    there = np.isfinite(across)
    places, across = places[there], across[there]
    sums = np.append(0.0, np.cumsum(across))
    at = np.searchsorted(places, grid)
    counts = np.diff(at)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, np.diff(sums[at]) / counts, np.nan)


def between(places: Floats, across: Floats, wanted: Floats) -> Floats:
    """Straight lines between samples, NaN beyond them and next to an absent one."""
    if not len(places):
        return np.full(len(wanted), np.nan)
    return np.interp(wanted, places, across, left=np.nan, right=np.nan)


def merged(spans: list[tuple[float, float]], least: float) -> list[tuple[float, float]]:
    """Ascending spans made at least `least` high and joined where they touch: what thousands of them look like."""
    joined: list[tuple[float, float]] = []
    for start, stop in sorted(spans):
        short = max(least - (stop - start), 0) / 2
        start, stop = start - short, stop + short
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def shown(places: Floats, top: float, bottom: float) -> tuple[int, int]:
    """Rows inside the interval and one beyond each end, so that lines run to the edge."""
    start, stop = np.searchsorted(places, top, "left"), np.searchsorted(places, bottom, "right")
    return max(int(start) - 1, 0), int(stop) + 1
