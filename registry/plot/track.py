"""What stands in a track: lines with their fills, blocks of a text or flag curve, the picture of an array curve."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ...core.curves.display import CROSSOVER
from ...core.curves.tracks import BLOCKS, IMAGE, Lane, Track
from .heading import DASHES, GREY, Heading
from .model import Floats, Log, Page
from .sampling import POINTS, averaged, between, merged, polyline, shown
from .scales import across

CHANGED = "#f6c7c0"
_GAS, _WRAP = "#ffe066", "#8fbf6a"
_LINE, _UNDER = 0.7, 1.6
_COLOUR_MAP = "YlOrBr_r"
_BLOCK_COLOURS = (
    *("#f4d35e", "#9aa5b1", "#c8a26b", "#8fbf9f", "#d9a5b3", "#7fb2d9", "#c5c56a", "#b39ddb"),
    *("#e8b07a", "#a3c1ad", "#d7ccc8", "#90a4ae"),
)
_LABEL_INCHES = 0.11


class Painter:
    """Draws tracks of one page: `rows` of pixels from top to bottom, `inches` high."""

    def __init__(self, page: Page, logs: Sequence[Log], inches: float) -> None:
        self._page = page
        self._logs = logs
        self._inches = inches
        self._rows = max(int(inches * page.dpi), 1)

    def heading_rows(self, track: Track) -> int:
        """How many lines the heading of a track needs."""
        extra = sum(self._logs[lane.position].before is not None for lane in track.lanes)
        filled = len(self._wrapping(track)) + (self._gas(track) is not None) + self._has_changed(track)
        return len(track.lanes) + extra + filled

    def draw(self, track: Track, axes: Axes, heading: Heading) -> None:
        """A whole track and its heading."""
        self.shade(axes, track)
        if self._has_changed(track):
            heading.filled("changed", CHANGED)
        if track.how == IMAGE:
            self._image(track.lanes[0], axes, heading)
        elif track.how == BLOCKS:
            self._blocks(track.lanes[0], axes, heading)
        else:
            self._lines(track, axes, heading)

    def shade(self, axes: Axes, track: Track) -> None:
        """The intervals where a curve of this track differs from the version before it."""
        spans = [span for lane in track.lanes for span in self._logs[lane.position].changed]
        for start, stop in merged(spans, 2 * (self._page.bottom - self._page.top) / self._rows):
            axes.axhspan(start, stop, color=CHANGED, linewidth=0, zorder=0.5)

    def _has_changed(self, track: Track) -> bool:
        return any(self._logs[lane.position].changed for lane in track.lanes)

    def _lines(self, track: Track, axes: Axes, heading: Heading) -> None:
        gas = self._gas(track)
        if gas:
            self._fill_gas(*gas, axes)
            heading.filled("gas crossover", _GAS)
        for lane in self._wrapping(track):
            self._fill_wrapped(lane, axes)
            left, right = lane.style.right, 2 * lane.style.right - lane.style.left
            heading.filled(f"{lane.config.mnemonic} beyond", _WRAP, f"{left:g}", f"{right:g}")
        for lane in reversed(track.lanes):
            log, style = self._logs[lane.position], lane.style
            name = f"{lane.config.mnemonic} {log.label}".strip()
            if log.before:
                self._line(log.before, lane, axes, GREY, _UNDER)
                heading.curve(f"{lane.config.mnemonic} {log.before.label}".strip(), style, GREY)
            self._line(log, lane, axes, style.colour, _LINE)
            heading.curve(name, style)

    def _line(self, log: Log, lane: Lane, axes: Axes, colour: str, width: float) -> None:
        down, over = self._points(log, lane)
        dash = DASHES[lane.style.dash if colour != GREY else "solid"]
        axes.plot(over, down, color=colour, linestyle=dash, linewidth=width, zorder=2 + (colour != GREY))

    def _points(self, log: Log, lane: Lane) -> tuple[Floats, Floats]:
        page = self._page
        return polyline(log.places, across(log.values, lane.style), page.top, page.bottom, self._rows)

    def _wrapping(self, track: Track) -> list[Lane]:
        """Curves that run off the right edge and come back from the left."""
        return [lane for lane in track.lanes if lane.style.wrap and self._runs_off(lane)]

    def _runs_off(self, lane: Lane) -> bool:
        over = self._points(self._logs[lane.position], lane)[1]
        return bool(np.any(over[np.isfinite(over)] > 1))

    def _fill_wrapped(self, lane: Lane, axes: Axes) -> None:
        down, over = self._points(self._logs[lane.position], lane)
        beyond = np.where(np.isfinite(over), np.maximum(over - 1, 0), 0.0)
        axes.fill_betweenx(down, 0, beyond, color=_WRAP, alpha=0.8, linewidth=0, zorder=1)

    def _gas(self, track: Track) -> tuple[Lane, Lane] | None:
        """Density and neutron porosity, if both stand in this track."""
        found = {lane.config.family: lane for lane in reversed(track.lanes)}
        return (found[CROSSOVER[0]], found[CROSSOVER[1]]) if found.keys() >= set(CROSSOVER) else None

    def _fill_gas(self, density: Lane, neutron: Lane, axes: Axes) -> None:
        page = self._page
        grid = np.linspace(page.top, page.bottom, self._rows + 1)
        middle = (grid[1:] + grid[:-1]) / 2
        sides = []
        for lane in (density, neutron):
            log = self._logs[lane.position]
            start, stop = shown(log.places, page.top, page.bottom)
            places, over = log.places[start:stop], across(log.values[start:stop], lane.style)
            coarse = len(places) > POINTS * self._rows
            sides.append(averaged(places, over, grid) if coarse else between(places, over, middle))
        left, right = sides
        crossed = np.isfinite(left) & np.isfinite(right) & (left < right)
        axes.fill_betweenx(middle, left, right, where=crossed.tolist(), color=_GAS, linewidth=0, zorder=1)

    def _blocks(self, lane: Lane, axes: Axes, heading: Heading) -> None:
        log = self._logs[lane.position]
        words = [None if value is None or value != value else _word(value) for value in log.values]
        colours = {word: _BLOCK_COLOURS[at % len(_BLOCK_COLOURS)] for at, word in enumerate(dict.fromkeys(words))}
        tall = (self._page.bottom - self._page.top) / self._inches * _LABEL_INCHES
        starts = [0, *(at for at in range(1, len(words)) if words[at] != words[at - 1])]
        for start, stop in zip(starts, [*starts[1:], len(words)], strict=True):
            word = words[start]
            top = max(log.places[start], self._page.top)
            bottom = min(log.places[min(stop, len(words) - 1)], self._page.bottom)
            if not word or bottom <= top:
                continue
            axes.axhspan(top, bottom, color=colours[word], linewidth=0, zorder=1)
            if bottom - top > tall:
                axes.text(0.5, (top + bottom) / 2, word[:24], ha="center", va="center", fontsize=6.5, clip_on=True)
        heading.filled(lane.config.mnemonic, "#d0d0d0")

    def _image(self, lane: Lane, axes: Axes, heading: Heading) -> None:
        log, stats, page = self._logs[lane.position], lane.config.stats, self._page
        middle = page.top + (np.arange(self._rows) + 0.5) * (page.bottom - page.top) / self._rows
        at = np.clip(np.searchsorted(log.places, middle), 1, max(len(log.places) - 1, 1))
        at = at - (middle - log.places[at - 1] < log.places[at] - middle)
        picture = log.values[at]
        usual = np.median(np.diff(log.places)) if len(log.places) > 1 else 1.0
        picture[np.abs(log.places[at] - middle) > max(usual * 2, (page.bottom - page.top) / self._rows)] = np.nan
        low = stats.p05 if stats.p05 is not None else 0.0
        high = stats.p95 if stats.p95 is not None and stats.p95 > low else low + 1
        extent = (0.0, 1.0, page.bottom, page.top)
        axes.imshow(
            picture, cmap=_COLOUR_MAP, vmin=low, vmax=high, aspect="auto", extent=extent, interpolation="nearest"
        )
        heading.scale_bar(lane.config.mnemonic, lane.config.unit_canonical, low, high, _COLOUR_MAP)


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
