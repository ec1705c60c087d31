"""Values from one unit to another: a small exact table of the units that well logs convert between.

Factors are exact by definition (the international foot, NIST SP 811 appendix B); nothing that is not here is guessed.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .dtypes import elements_of, lists_of
from .errors import CurveError
from .families import canonical_unit
from .model import Values


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


def conversion(given: str, wanted: str, table: Mapping[str, Unit] = UNITS) -> tuple[Fraction, Fraction]:
    """(factor, offset): value in `wanted` = value in `given` * factor + offset; CurveError where there is none.

    Both are canonical spellings, as keys of the table.
    """
    if given == wanted:
        return Fraction(1), Fraction(0)
    source, target = table.get(given), table.get(wanted)
    if source is None or target is None or source.dimension != target.dimension:
        kin = [] if source is None else [name for name, unit in table.items() if unit.dimension == source.dimension]
        hint = f"it converts to {', '.join(kin)}" if kin else "its unit is not in the table; read it as it is"
        raise CurveError(f"there is no way from {given or 'no unit'} to {wanted or 'no unit'}: {hint}")
    return source.factor / target.factor, (source.offset - target.offset) / target.factor


def convert(values: Values, given: str, wanted: str, table: Mapping[str, Unit] = UNITS) -> Values:
    """Values of shape (rows,) or (rows, width) in another unit; nulls stay, float32 stays float32, integers become
    float64. Units may be given in any spelling that the families table knows. CurveError for texts and unknown ways."""
    factor, offset = conversion(canonical_unit(given), canonical_unit(wanted), table)
    if factor == 1 and offset == 0:
        return values
    if isinstance(values.type, pa.FixedSizeListType):
        elements = convert(elements_of(values), given, wanted, table)
        rows = lists_of(elements, values.type.list_size)
        return pc.if_else(values.is_valid(), rows, None) if values.null_count else rows
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        raise CurveError(f"texts have no unit to convert; read the curve without {wanted}")
    absent = values.is_null().to_numpy(zero_copy_only=False)
    numbers = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    # One rounding where the factor is a ratio of small numbers: 0.45 % of 100 and 30.48 / 0.3048 come out even.
    with np.errstate(over="ignore"):
        converted = numbers * float(factor.numerator) / float(factor.denominator) + float(offset)
    kind = values.type if pa.types.is_floating(values.type) else pa.float64()
    return pa.array(converted.astype(kind.to_pandas_dtype()), mask=absent)
