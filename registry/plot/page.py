"""A page: title block, headings, depth track and tracks on one figure, at a print scale or as high as a sheet."""

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
_MARGIN, _TITLE, _FOOT = 0.3, 0.95, 0.25
_TRACK, _DEPTH, _GAP = 2.15, 0.62, 0.0
_INCHES = {"m": 39.3700787, "ft": 12.0, "in": 1.0, "cm": 0.393700787, "mm": 0.0393700787, "0.1 in": 0.1}
_HEAVY, _LIGHT, _FRAME = "#8c8c8c", "#d9d9d9", "#333333"
_FACT_COLUMNS = 3


def draw(page: Page, logs: Sequence[Log]) -> Figure:
    """The figure of some curves. CurveError where a scale makes no page of it."""
    tracks = lay_out([log.config for log in logs])
    inches = _height(page)
    painter = Painter(page, logs, inches)
    rows = max(painter.heading_rows(track) for track in tracks)
    strip = rows * ROW_INCHES + 0.08
    width = 2 * _MARGIN + _DEPTH + len(tracks) * _TRACK
    width = max(width, 5.2)
    height = 2 * _MARGIN + _TITLE + strip + inches + _FOOT
    if height * page.dpi > MAX_PIXELS:
        raise CurveError(
            f"at 1:{page.ratio} the log is {height:.0f} inches high: draw less of it (--from, --to) or a smaller scale"
        )
    figure = Figure(figsize=(width, height), dpi=page.dpi)
    FigureCanvasAgg(figure)
    place = _Placer(figure, width, height)
    _title(page, place.axes(_MARGIN, _MARGIN, width - 2 * _MARGIN, _TITLE - 0.1))
    top = _MARGIN + _TITLE
    left = (width - _DEPTH - len(tracks) * _TRACK) / 2
    for position, track in enumerate([*tracks[: depth_position(tracks)], None, *tracks[depth_position(tracks) :]]):
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
        del position
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


def _title(page: Page, axes: Axes) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.text(0.012, 0.78, page.title, fontsize=13, fontweight="bold", va="center", color="#111111")
    axes.text(0.988, 0.78, page.subtitle, fontsize=8, va="center", ha="right", color="#444444")
    axes.plot([0, 1], [0.58, 0.58], color=_FRAME, linewidth=0.6)
    for number, (name, value) in enumerate(page.facts[: 3 * _FACT_COLUMNS]):
        column, row = number % _FACT_COLUMNS, number // _FACT_COLUMNS
        left, at = 0.012 + column / _FACT_COLUMNS, 0.46 - row * 0.175
        axes.text(left, at, name, fontsize=6, va="center", color="#777777")
        axes.text(left + 0.075, at, value, fontsize=7, va="center", color="#111111")


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
            axes.text(0.5, at, text, ha="center", va="center", fontsize=7, color="#111111")


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
