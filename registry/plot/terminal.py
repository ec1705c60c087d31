"""A curve drawn with characters: depth down, braille dots or hash marks, scale above, depths at the left."""

from collections.abc import Sequence

import numpy as np

from ...core.curves.display import Style, label
from .model import Floats
from .sampling import averaged, between
from .scales import across

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille cell, by row and column
_BLANK = 0x2800
_ENOUGH = 2  # samples of a row of dots
_EVERY = 5  # lines between two depth labels


def picture(
    places: Floats, values: Floats, style: Style, name: str, width: int, height: int, texts: Sequence[str], fancy: bool
) -> list[str]:
    """Lines of at most `width` characters: a heading, then `height` lines of curve. places ascend; values of shape
    (rows,), NaN where absent. texts: height + 1 labels of the edges of the lines. fancy: whether braille can be shown.
    """
    margin = max(map(len, texts)) + 1
    columns = max(width - margin - 2, 10)
    fine = (2, 4) if fancy else (1, 1)
    dots = raster(places, across(values, style), columns * fine[0], height * fine[1])
    left, right = label(style.left), label(style.right)
    head = f" {name} ".center(columns, "─" if fancy else "-")
    if columns > len(left) + len(right) + len(name) + 4:
        head = left + head[len(left) : len(head) - len(right)] + right
    side = "│" if fancy else "|"
    lines = [" " * margin + f" {head}"]
    for line in range(height):
        cell = dots[line * fine[1] : (line + 1) * fine[1]]
        text = _braille(cell) if fancy else "".join("#" if dot else " " for dot in cell[0])
        depth = texts[line] if line % _EVERY == 0 else ""
        lines.append(f"{depth:>{margin - 1}} {side}{text}{side}")
    return lines


def raster(places: Floats, over: Floats, columns: int, rows: int) -> "np.ndarray[tuple[int, int], np.dtype[np.bool_]]":
    """Which of rows x columns dots a line touches: the mean of each row's samples, joined from row to row where samples
    are present on both and all between, so that an absent interval stays empty."""
    dots = np.zeros((rows, columns), dtype=bool)
    span = float(places[-1] - places[0]) or 1.0
    edges = np.linspace(float(places[0]), float(places[0]) + span, rows + 1)
    edges[-1] = np.nextafter(edges[-1], np.inf)
    means = averaged(places, over, edges)
    if len(places) < rows * _ENOUGH:  # rows between two samples
        middle = (edges[1:] + edges[:-1]) / 2
        means = np.where(np.isnan(means), between(places, over, middle), means)
    for first, last in _runs(np.isfinite(means)):
        line = means[first:last] * columns
        before, after = np.r_[line[0], line[:-1]], np.r_[line[1:], line[-1]]
        low = np.minimum(line, np.minimum((line + before) / 2, (line + after) / 2))
        high = np.maximum(line, np.maximum((line + before) / 2, (line + after) / 2))
        for at, left, right in zip(range(first, last), low, high, strict=True):
            if right >= 0 and left <= columns:
                dots[at, int(np.clip(left, 0, columns - 1)) : int(np.clip(right, 0, columns - 1)) + 1] = True
    return dots


def _runs(there: "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]") -> list[tuple[int, int]]:
    """[first, last) of each run of present samples."""
    edges = np.flatnonzero(np.diff(np.r_[False, there, False]))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]


def _braille(cell: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]") -> str:
    codes = np.full(cell.shape[1] // 2, _BLANK)
    for row in range(4):
        for column in range(2):
            codes += np.where(cell[row, column::2], _DOTS[row][column], 0)
    return "".join(map(chr, codes)).replace(chr(_BLANK), " ")


def bar(shares: Sequence[float], fancy: bool) -> str:
    """One character for each share from 0 to 1: blank for none, full for all."""
    marks = " ░▒▓█" if fancy else " .:x#"
    return "".join(marks[min(int(np.ceil(share * 4)), 4)] for share in shares)
