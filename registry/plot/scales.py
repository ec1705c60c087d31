"""From values to places on paper: across a track, and the lines of the depth grid."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ...core.curves.display import Style
from .model import Floats

_LABEL_INCHES, _LINE_INCHES = 0.75, 0.055
_TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
_BEYOND = 5.0  # how far outside the track a line is followed, in track widths


def across(values: Floats, style: Style) -> Floats:
    """0 at the left edge of the track, 1 at the right; NaN stays, and so becomes what has no logarithm."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if style.log:
            part = np.log10(np.where(values > 0, values, np.nan) / style.left) / math.log10(style.right / style.left)
        else:
            part = (values - style.left) / (style.right - style.left)
    return np.clip(part, -_BEYOND, 1 + _BEYOND)


@dataclass(frozen=True)
class Grid:
    """Index values of the lines; `labels` stand at the heavy ones."""

    heavy: tuple[float, ...]
    light: tuple[float, ...]
    labels: tuple[str, ...]


def depth_grid(top: float, bottom: float, inches: float, times: bool) -> Grid:
    """Heavy lines at round values some 2 cm apart, light ones at their tenths, fifths or halves."""
    per_inch = (bottom - top) / inches
    step = _step(per_inch * _LABEL_INCHES, times)
    parts = next((parts for parts in (10, 5, 2) if step / parts >= per_inch * _LINE_INCHES), 1)
    heavy = _multiples(top, bottom, step)
    light = [at for at in _multiples(top, bottom, step / parts) if not _near(at / step)]
    return Grid(tuple(heavy), tuple(light), tuple(_label(at, step, times) for at in heavy))


def _step(least: float, times: bool) -> float:
    if times:
        days = math.ceil(least / 86400) * 86400.0
        return float(next((step for step in _TIME_STEPS if step >= least), days))
    power = 10.0 ** math.floor(math.log10(least))
    return power * next(times for times in (1, 2, 5, 10) if power * times >= least * 0.999)


def _multiples(top: float, bottom: float, step: float) -> list[float]:
    first, last = math.ceil(top / step - 1e-9), math.floor(bottom / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def _near(ratio: float) -> bool:
    return abs(ratio - round(ratio)) < 1e-6


def _label(at: float, step: float, times: bool) -> str:
    if not times:
        return f"{at:.10g}"
    stamp = datetime.fromtimestamp(at, UTC)
    return f"{stamp:%H:%M:%S}" if step < 60 else f"{stamp:%H:%M}" if step < 86400 else f"{stamp:%m-%d}"


def vertical_lines(style: Style | None) -> tuple[list[float], list[float]]:
    """(heavy, light) lines of a track from 0 to 1: tenths, or the decades of a logarithmic scale and their digits."""
    if style is None or not style.log:
        return [0.5], [number / 10 for number in range(1, 10) if number != 5]
    decades = math.log10(style.right / style.left)
    first = math.floor(math.log10(style.left))
    heavy: list[float] = []
    light: list[float] = []
    for power in range(first, first + math.ceil(decades) + 2):
        for digit in range(1, 10):
            place = math.log10(digit * 10.0**power / style.left) / decades
            if 1e-9 < place < 1 - 1e-9:
                (heavy if digit == 1 else light).append(place)
    return heavy, light
