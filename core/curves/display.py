"""How a curve of each family is drawn on a log: scale, direction, colour and track. Data alone, for any renderer.

Scales follow the usual log headings: gamma ray 0-150 gAPI, caliper 6-16 in, resistivity 0.2-2000 ohm.m logarithmic,
density 1.95-2.95 g/cm3 with neutron porosity reversed, 0.45 to -0.15, so that they overlay in water-bearing limestone,
sonic 140-40 us/ft. A curve whose family or unit the table does not know is scaled by its own percentiles.
"""

import math
from dataclasses import dataclass, replace

from .errors import CurveError
from .schema import Config
from .units import conversion

CORRELATION, RESISTIVITY, POROSITY, SONIC = "correlation", "resistivity", "porosity", "sonic"
SPECTRAL, INTERPRETATION, OTHER = "spectral", "interpretation", "other"
TRACKS = (CORRELATION, RESISTIVITY, POROSITY, SONIC, SPECTRAL, INTERPRETATION, OTHER)
"""Kinds of track from left to right; the depth track stands behind the first."""

CROSSOVER = ("bulk_density", "neutron_porosity")
"""Where the first lies left of the second, both on their usual scales, there is gas: that is filled."""
OVERVIEW = (
    "gamma_ray",
    "spontaneous_potential",
    "caliper",
    "bit_size",
    "resistivity_deep",
    "resistivity_medium",
    "resistivity_shallow",
    "bulk_density",
    "neutron_porosity",
    "photoelectric_factor",
    "sonic_compressional",
    "sonic_shear",
)
"""What is drawn of a whole well, one curve of each family."""

_COLOURS = ("#1f6fb4", "#b03a2e", "#2e7d32", "#6a3d9a", "#b9770e", "#00838f", "#5d4037", "#ad1457")
_DIVISIONS = 10


@dataclass(frozen=True)
class Style:
    """left, right: values at the edges of the track, in `unit` (canonical; empty: any). wrap: what runs off the right
    edge comes back from the left, shaded. dash: `solid`, `dashed` or `dotted`."""

    left: float
    right: float
    unit: str
    colour: str
    track: str
    dash: str = "solid"
    log: bool = False
    wrap: bool = False


_STYLES = {
    "gamma_ray": Style(0, 150, "gAPI", "#1b7f3b", CORRELATION, wrap=True),
    "spontaneous_potential": Style(-80, 20, "mV", "#1f4fb4", CORRELATION, dash="dashed"),
    "caliper": Style(6, 16, "in", "#7a4a1d", CORRELATION, dash="dashed"),
    "bit_size": Style(6, 16, "in", "#555555", CORRELATION, dash="dotted"),
    "resistivity_deep": Style(0.2, 2000, "ohm.m", "#c0241c", RESISTIVITY, log=True),
    "resistivity_medium": Style(0.2, 2000, "ohm.m", "#1f6fb4", RESISTIVITY, dash="dashed", log=True),
    "resistivity_shallow": Style(0.2, 2000, "ohm.m", "#222222", RESISTIVITY, dash="dotted", log=True),
    "bulk_density": Style(1.95, 2.95, "g/cm3", "#c0241c", POROSITY),
    "neutron_porosity": Style(0.45, -0.15, "v/v", "#1f4fb4", POROSITY, dash="dashed"),
    "density_porosity": Style(0.45, -0.15, "v/v", "#b9770e", POROSITY, dash="dotted"),
    "density_correction": Style(-0.75, 0.25, "g/cm3", "#777777", POROSITY, dash="dotted"),
    "photoelectric_factor": Style(0, 20, "b/e", "#6a3d9a", POROSITY, dash="dotted"),
    "sonic_compressional": Style(140, 40, "us/ft", "#7b1fa2", SONIC),
    "sonic_shear": Style(340, 40, "us/ft", "#00838f", SONIC, dash="dashed"),
    "potassium": Style(0, 10, "%", "#b03a2e", SPECTRAL),
    "thorium": Style(0, 40, "ppm", "#6a3d9a", SPECTRAL, dash="dashed"),
    "uranium": Style(0, 40, "ppm", "#2e7d32", SPECTRAL, dash="dotted"),
    "shale_volume": Style(0, 1, "v/v", "#5d4037", INTERPRETATION),
    "water_saturation": Style(1, 0, "v/v", "#1f6fb4", INTERPRETATION, dash="dashed"),
}
# Round numbers where a conversion of the usual scale gives none.
_SCALES = {
    ("caliper", "mm"): (150.0, 400.0),
    ("caliper", "cm"): (15.0, 40.0),
    ("bit_size", "mm"): (150.0, 400.0),
    ("bit_size", "cm"): (15.0, 40.0),
    ("sonic_compressional", "us/m"): (500.0, 100.0),
    ("sonic_shear", "us/m"): (1100.0, 100.0),
}
_NO_UNIT = {"", "unitless", "none"}
_RESISTIVITY_UNIT = "ohm.m"


def style_of(config: Config, position: int = 0) -> Style:
    """How to draw a curve. position: its place among curves of no known family, which picks its colour."""
    unit, family = config.unit_canonical, config.family or ""
    usual = _STYLES.get(family)
    if usual:
        scale = _scale(family, usual, unit, config)
        if scale:
            said = usual.unit if unit.casefold() == usual.unit.casefold() else unit
            return replace(usual, left=scale[0], right=scale[1], unit=said)
    if unit == _RESISTIVITY_UNIT:
        return replace(_STYLES["resistivity_shallow"], colour=_COLOURS[position % len(_COLOURS)])
    left, right = automatic(config)
    return Style(left, right, unit, _COLOURS[position % len(_COLOURS)], OTHER)


def _scale(family: str, usual: Style, unit: str, config: Config) -> tuple[float, float] | None:
    """The usual scale in the curve's unit, or None where the unit has no way to it, or its values are not there."""
    if unit.casefold() == usual.unit.casefold():  # a family tells mV from megavolts
        scale = usual.left, usual.right
    elif (family, unit) in _SCALES:
        scale = _SCALES[family, unit]
    elif unit.casefold() in _NO_UNIT:
        scale = usual.left, usual.right
    else:
        try:
            factor, offset = (float(part) for part in conversion(usual.unit, unit))
        except CurveError:
            return None
        scale = usual.left * factor + offset, usual.right * factor + offset
    return _where_values_are(scale, usual, config)


def _where_values_are(scale: tuple[float, float], usual: Style, config: Config) -> tuple[float, float] | None:
    """The scale if half of the curve runs inside it; a spontaneous potential, which has no zero, is moved there."""
    middle = config.stats.p50
    if middle is None:
        return scale
    low, high = min(scale), max(scale)
    if low <= middle <= high or usual.log or usual.wrap:
        return scale
    if config.family == "spontaneous_potential":
        span = high - low
        start = math.floor(middle / (span / 5)) * (span / 5) - span * 2 / 5
        return start, start + span
    return None


def automatic(config: Config) -> tuple[float, float]:
    """Round numbers around the 1st and 99th percentile, so that a curve of any family fills its track."""
    low, high = config.stats.p01, config.stats.p99
    if low is None or high is None:
        return 0.0, 1.0
    if low == high:
        return (low - 1, high + 1) if low else (-1.0, 1.0)
    step = 10 ** math.floor(math.log10((high - low) / 2))
    step = next(step * times for times in (1, 2, 5, 10) if (high - low) / (step * times) <= _DIVISIONS)
    return _tidy(math.floor(low / step) * step), _tidy(math.ceil(high / step) * step)


def _tidy(number: float) -> float:
    return float(f"{number:.9g}")


def label(number: float) -> str:
    """A scale's end as headings print it: 0.2, 2000, -0.15."""
    return f"{number:.6g}"
