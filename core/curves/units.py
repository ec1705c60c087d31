"""Values from one unit to another, by the factors of unit_table.py."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .dtypes import elements_of, lists_of
from .errors import CurveError
from .families import canonical_unit
from .model import Values
from .unit_table import UNITS, Unit


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
