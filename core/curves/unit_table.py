"""The units that well logs convert between, as factors exact by definition; nothing that is not here is guessed.

The international foot and pound-force: NIST SP 811 appendix B.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple


class Unit(NamedTuple):
    """value * factor + offset is the value in the dimension's base unit."""

    dimension: str
    factor: Fraction
    offset: Fraction = Fraction(0)


_FOOT = Fraction(3048, 10_000)
_PSI = Fraction("4.4482216152605") / Fraction("645.16") * 1000  # kPa: a pound-force over a square inch in mm2

UNITS: Mapping[str, Unit] = {
    "m": Unit("length", Fraction(1)),
    "cm": Unit("length", Fraction(1, 100)),
    "mm": Unit("length", Fraction(1, 1000)),
    "km": Unit("length", Fraction(1000)),
    "ft": Unit("length", _FOOT),
    "in": Unit("length", _FOOT / 12),
    "0.1 in": Unit("length", _FOOT / 120),
    "s": Unit("time", Fraction(1)),
    "ms": Unit("time", Fraction(1, 1000)),
    "us": Unit("time", Fraction(1, 10**6)),
    "min": Unit("time", Fraction(60)),
    "h": Unit("time", Fraction(3600)),
    "g/cm3": Unit("density", Fraction(1)),
    "kg/m3": Unit("density", Fraction(1, 1000)),
    "us/m": Unit("slowness", Fraction(1)),
    "us/ft": Unit("slowness", 1 / _FOOT),
    "degC": Unit("temperature", Fraction(1)),
    "degF": Unit("temperature", Fraction(5, 9), Fraction(-160, 9)),
    "v/v": Unit("fraction", Fraction(1)),
    "%": Unit("fraction", Fraction(1, 100)),
    "kPa": Unit("pressure", Fraction(1)),
    "psi": Unit("pressure", _PSI),
    "bar": Unit("pressure", Fraction(100)),
    "m/h": Unit("speed", Fraction(1)),
    "ft/h": Unit("speed", _FOOT),
}
