"""The strip above a track: of each curve its name, unit, the values at both edges, and how its line looks."""

from matplotlib.axes import Axes

from ...core.curves.display import Style, label

ROW_INCHES = 0.34
DASHES = {"solid": "-", "dashed": (0, (5, 2)), "dotted": (0, (1, 1.2))}
GREY = "#9a9a9a"
_SMALL, _NAME = 6.5, 8.0
_LONG = 18


class Heading:
    """Rows from the bottom up, so that short headings stand next to their track."""

    def __init__(self, axes: Axes, rows: int) -> None:
        self._axes = axes
        self._rows = rows
        self._row = 0
        axes.set(xlim=(0, 1), ylim=(0, max(rows, 1)), xticks=[], yticks=[])

    def curve(self, name: str, style: Style, colour: str | None = None) -> None:
        """A line of a curve: `0   GR gAPI   150` over the line itself."""
        colour = colour or style.colour
        unit = f" {style.unit}" if style.unit else ""
        self._words(label(style.left), name, unit, label(style.right), colour)
        base = self._row + 0.24
        self._axes.plot([0.03, 0.97], [base, base], color=colour, linestyle=DASHES[style.dash], linewidth=1.3)
        self._row += 1

    def filled(self, name: str, colour: str, left: str = "", right: str = "") -> None:
        """A line that says what a filled area is."""
        self._words(left, name, "", right, "#333333")
        self._axes.axhspan(self._row + 0.12, self._row + 0.34, 0.03, 0.97, color=colour, linewidth=0)
        self._row += 1

    def scale_bar(self, name: str, unit: str, low: float, high: float, colours: str) -> None:
        """A colour map from low to high."""
        self._words(label(low), name, f" {unit}" if unit else "", label(high), "#222222")
        ramp = [[step / 63 for step in range(64)]]
        extent = (0.03, 0.97, self._row + 0.1, self._row + 0.36)
        self._axes.imshow(ramp, cmap=colours, aspect="auto", extent=extent)
        self._axes.set(xlim=(0, 1), ylim=(0, self._rows))
        self._row += 1

    def words(self, *lines: str) -> None:
        """Lines in the middle, from the top of the strip down."""
        height = self._rows
        for number, line in enumerate(lines):
            at = height / 2 + (len(lines) / 2 - number - 0.5) * 0.45
            self._axes.text(0.5, at, line, ha="center", va="center", fontsize=_SMALL + (number == 0), color="#222222")

    def _words(self, left: str, name: str, unit: str, right: str, colour: str) -> None:
        middle = self._row + 0.62
        short = name if len(name) <= _LONG else name[: _LONG - 1] + "…"
        for place, text, align, size in (
            (0.03, left, "left", _SMALL),
            (0.97, right, "right", _SMALL),
            (0.5, f"{short}{unit}", "center", _NAME),
        ):
            self._axes.text(place, middle, text, ha=align, va="center", color=colour, fontsize=size)
