"""Where an export starts and stops, which some formats say before their data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ..dtypes import elements_of, lists_of
from ..model import Values
from ..windows.aligned import Aligned, Column
from .texts import compute


@dataclass(frozen=True)
class Extent:
    """first and last index value in ticks, ascending; step: the constant spacing in ticks, None for an irregular index
    or fewer than two rows."""

    first: int
    last: int
    rows: int
    step: int | None

    @classmethod
    def of(cls, chunks: Sequence[Aligned]) -> "Extent | None":
        """Of chunks that follow each other, ascending; None without a row."""
        ticks = np.concatenate([chunk.ticks for chunk in chunks]) if chunks else np.empty(0, dtype=np.int64)
        if not len(ticks):
            return None
        steps = np.diff(ticks)
        constant = len(steps) and steps[0] > 0 and bool(np.all(steps == steps[0]))
        return cls(int(ticks[0]), int(ticks[-1]), len(ticks), int(steps[0]) if constant else None)


def finite(chunk: Aligned) -> Aligned:
    """Infinities as absent values, for formats that have none."""
    return replace(chunk, columns=tuple(replace(each, values=_finite(each.values)) for each in chunk.columns))


def _finite(values: Values) -> Values:
    elements = elements_of(values)
    if not pa.types.is_floating(elements.type):
        return values
    infinite = compute.is_inf(elements)
    if not compute.any(infinite).as_py():
        return values
    kept: Values = compute.if_else(infinite, None, elements)
    if isinstance(values.type, pa.FixedSizeListType):
        kept = compute.if_else(values.is_valid(), lists_of(kept, values.type.list_size), None)
    return kept


def direction_of(columns: Sequence[Column]) -> str:
    """`up` where all curves were recorded upward, else `down`."""
    return "up" if all(column.config.index.recorded_direction == "up" for column in columns) else "down"
