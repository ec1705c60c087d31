"""A page: title block, headings, depth track and tracks on one figure, at a print scale or as high as a sheet."""

import math
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ...core.curves.errors import CurveError
from ...core.curves.tracks import IMAGE, LINES, Track, depth_position, lay_out
from .heading import ROW_INCHES, Heading
from .model import Log, Page
from .scales import depth_grid, vertical_lines
from .track import Painter

MAX_PIXELS = 65_000
_SHEET = 10.5  # inches of a log that is not drawn to scale
_MARGIN, _FOOT = 0.3, 0.1
_TRACK, _DEPTH, _NARROWEST = 2.15, 0.62, 5.2
_INCHES = {"m": 39.3700787, "ft": 12.0, "in": 1.0, "cm": 0.393700787, "mm": 0.0393700787, "0.1 in": 0.1}
_HEAVY, _LIGHT, _FRAME = "#8c8c8c", "#d9d9d9", "#333333"
_SHORT = 6
_FACT_INCHES, _FACT_ROW, _FACT_NAME = 2.6, 0.16, 0.62
_BOLD, _PLAIN, _SMALL = 0.135, 0.075, 0.066  # inches of a character


def draw(page: Page, logs: Sequence[Log]) -> Figure:
    """The figure of some curves. CurveError where a scale makes no page of it."""
    tracks = lay_out([log.config for log in logs])
    inches = _height(page)
    painter = Painter(page, logs, inches)
    rows = max(painter.heading_rows(track) for track in tracks)
    strip = rows * ROW_INCHES + 0.08
    width = max(2 * _MARGIN + _DEPTH + len(tracks) * _TRACK, _NARROWEST)
    title = _title_inches(page, width - 2 * _MARGIN)
    height = 2 * _MARGIN + title + 0.1 + strip + inches + _FOOT
    if height * page.dpi > MAX_PIXELS:
        raise CurveError(
            f"at 1:{page.ratio} the log is {height:.0f} inches high: draw less of it (--from, --to) or a smaller scale"
        )
    figure = Figure(figsize=(width, height), dpi=page.dpi)
    FigureCanvasAgg(figure)
    place = _Placer(figure, width, height)
    _title(page, place.axes(_MARGIN, _MARGIN, width - 2 * _MARGIN, title), width - 2 * _MARGIN)
    top = _MARGIN + title + 0.1
    left = (width - _DEPTH - len(tracks) * _TRACK) / 2
    behind = depth_position(tracks)
    for track in (*tracks[:behind], None, *tracks[behind:]):
        across = _TRACK if track else _DEPTH
        heading = Heading(place.axes(left, top, across, strip), rows)
        axes = place.axes(left, top + strip, across, inches)
        axes.set(xlim=(0, 1), ylim=(page.bottom, page.top), xticks=[], yticks=[])
        if track is None:
            _depths(page, axes, heading, inches)
            for other in tracks:
                painter.shade(axes, other)
        else:
            _lines(page, track, axes, inches)
            painter.draw(track, axes, heading)
            axes.set(xlim=(0, 1), ylim=(page.bottom, page.top))
        left += across
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write .png, .svg or .pdf, the same bytes for the same picture."""
    kind = path.suffix.lower().lstrip(".")
    if kind not in ("png", "svg", "pdf"):
        raise CurveError(f"{path.name}: a plot is written as .svg, .png or .pdf")
    silent = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[kind]
    with matplotlib.rc_context({"svg.hashsalt": "dataforge", "svg.fonttype": "none"}):
        figure.savefig(path, format=kind, metadata=silent)


def _height(page: Page) -> float:
    if page.ratio is None:
        return _SHEET
    if page.times or page.unit not in _INCHES:
        raise CurveError(f"a log over {page.unit or page.kind} has no scale of 1:{page.ratio}; leave --scale out")
    return (page.bottom - page.top) * _INCHES[page.unit] / page.ratio


class _Placer:
    """Axes by inches from the upper left corner."""

    def __init__(self, figure: Figure, width: float, height: float) -> None:
        self._figure, self._width, self._height = figure, width, height

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        across, down = self._width, self._height
        made = self._figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
        for spine in made.spines.values():
            spine.set(color=_FRAME, linewidth=0.8)
        made.set(xticks=[], yticks=[])
        return made


def _title(page: Page, axes: Axes, inches: float) -> None:
    """The well's name, and facts in as many columns as stand beside one another; what is too long is cut."""
    axes.set(xlim=(0, inches), ylim=(_title_inches(page, inches), 0))
    room = int((inches - 0.2) / _BOLD)
    axes.text(0.1, 0.22, _cut(page.title, room), fontsize=13, fontweight="bold", va="center", color="#111111")
    if len(page.title) * _BOLD + len(page.subtitle) * _PLAIN + 0.4 < inches:
        axes.text(inches - 0.1, 0.22, page.subtitle, fontsize=8, va="center", ha="right", color="#444444")
    axes.plot([0, inches], [0.42, 0.42], color=_FRAME, linewidth=0.6)
    columns = _columns(inches)
    for number, (name, value) in enumerate(page.facts):
        left, at = 0.1 + number % columns * inches / columns, 0.55 + number // columns * _FACT_ROW
        axes.text(left, at, name, fontsize=6, va="center", color="#777777")
        room = int((inches / columns - _FACT_NAME - 0.15) / _SMALL)
        axes.text(left + _FACT_NAME, at, _cut(value, room), fontsize=7, va="center", color="#111111")


def _title_inches(page: Page, inches: float) -> float:
    return 0.48 + math.ceil(len(page.facts) / _columns(inches)) * _FACT_ROW


def _columns(inches: float) -> int:
    return max(int(inches / _FACT_INCHES), 1)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: max(characters - 1, 1)] + "…"


def _depths(page: Page, axes: Axes, heading: Heading, inches: float) -> None:
    grid = depth_grid(page.top, page.bottom, inches, page.times)
    heading.words(page.kind, page.unit or "", f"1:{page.ratio}" if page.ratio else "")
    for at in grid.light:
        axes.plot([0, 0.08], [at, at], color=_HEAVY, linewidth=0.4)
        axes.plot([0.92, 1], [at, at], color=_HEAVY, linewidth=0.4)
    edge = (page.bottom - page.top) / inches * 0.06
    for at, text in zip(grid.heavy, grid.labels, strict=True):
        axes.plot([0, 0.16], [at, at], color=_FRAME, linewidth=0.8)
        axes.plot([0.84, 1], [at, at], color=_FRAME, linewidth=0.8)
        if page.top + edge <= at <= page.bottom - edge:
            size = 7 if len(text) <= _SHORT else 5
            axes.text(0.5, at, text, ha="center", va="center", fontsize=size, color="#111111")


def _lines(page: Page, track: Track, axes: Axes, inches: float) -> None:
    """The grid, below everything."""
    grid = depth_grid(page.top, page.bottom, inches, page.times)
    if track.how == IMAGE:
        return
    axes.hlines(grid.light, 0, 1, color=_LIGHT, linewidth=0.4, zorder=0.2)
    axes.hlines(grid.heavy, 0, 1, color=_HEAVY, linewidth=0.7, zorder=0.3)
    if track.how == LINES:
        heavy, light = vertical_lines(track.lanes[0].style if track.log else None)
        axes.vlines(light, page.top, page.bottom, color=_LIGHT, linewidth=0.4, zorder=0.2)
        axes.vlines(heavy, page.top, page.bottom, color=_HEAVY, linewidth=0.6, zorder=0.3)
