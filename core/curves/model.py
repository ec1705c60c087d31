"""What a curve is: sampled values of one measurement on a depth or time index, in a frame of a well.

Values are held as they will be stored: ascending index, absent samples as nulls, never NaN and never -999.25.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .errors import CurveError
from .origin import Original, Well
from .ticks import parse_tick as parse_tick
from .ticks import tick_text as tick_text

Ticks = npt.NDArray[np.int64]
Values: TypeAlias = "pa.Array[Any]"

DEFAULT_SCALE = 4


@dataclass(frozen=True, eq=False)
class Index:
    """What the curves of a frame are sampled on.

    ticks: int64 of shape (rows,), not descending. With a scale, value = ticks / 10**scale in `unit`;
    with scale None, ticks are microseconds since 1970-01-01 UTC.
    """

    kind: str  # MD, TVD, TIME, INDEX: also the column's name in Parquet
    mnemonic: str  # as printed: DEPT
    unit: str  # canonical spelling: ft
    unit_original: str  # as printed: F
    ticks: Ticks
    scale: int | None = DEFAULT_SCALE
    direction: str = "down"  # as recorded: "down" rising, "up" falling
    datum: str | None = None  # KB, GL, MSL ...

    def __post_init__(self) -> None:
        if len(self.ticks) == 0:
            raise CurveError("an index has at least one row")
        if np.any(np.diff(self.ticks) < 0):
            raise CurveError("an index is stored ascending; sort it, with its values, first")

    def __len__(self) -> int:
        return len(self.ticks)

    def text(self, row: int) -> str:
        """The value at a row, exact: `3179.0`, or ISO 8601 for times."""
        return tick_text(int(self.ticks[row]), self.scale)

    @property
    def step(self) -> int | None:
        """The constant spacing in ticks, or None for an irregular index or a single row."""
        steps = np.diff(self.ticks)
        return int(steps[0]) if len(steps) and steps[0] > 0 and np.all(steps == steps[0]) else None


def index_type(scale: int | None, largest: int = 0) -> pa.DataType:
    """The Arrow type of an index column: decimal128 of 14 digits, 15 beyond four decimals, 18 where the largest tick
    has more; or timestamp[us, UTC]."""
    if scale is None:
        return pa.timestamp("us", "UTC")
    digits = 14 if scale <= DEFAULT_SCALE else 15
    return pa.decimal128(digits if largest < 10**digits else 18, scale)


@dataclass(frozen=True, eq=False)
class Curve:
    """One measured log. values: an Arrow array of a type in dtypes.DTYPES of shape (rows,), or a FixedSizeList of such
    numbers of shape (rows, width); nulls for absent samples.

    text_decimals: every value prints as received with that many decimals; None: with its shortest round-trip text.
    """

    mnemonic: str
    unit: str
    values: Values
    description: str = ""
    null_original: str | None = None
    text_decimals: int | None = None
    definition: str = ""  # the curve's line in the original header, as printed


@dataclass(frozen=True, eq=False)
class Frame:
    """Curves sharing an index, of one trip in one well."""

    well: Well
    name: str
    index: Index
    curves: tuple[Curve, ...]
    run: str | None = None
    service_company: str | None = None
    acquired: str | None = None  # ISO date, where the header's is unambiguous
    original: Original | None = None
    wellbore: str | None = None
    pass_: str | None = None

    def __post_init__(self) -> None:
        for curve in self.curves:
            if len(curve.values) != len(self.index):
                raise CurveError(
                    f"{curve.mnemonic} has {len(curve.values)} values on an index of {len(self.index)} rows"
                )
