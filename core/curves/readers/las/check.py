"""A LAS header against its data: what disagrees is told, and what shows that the file's tail is missing is refused."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...errors import LasRefused
from ...families import canonical_index_unit
from ...model import Ticks
from .header import Item, unit_of, value_of


def number_of(text: str) -> float | None:
    """The finite number a header value is, or None."""
    try:
        number = float(text) if "_" not in text else float("nan")
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def check_end(well: Sequence[Item], ticks: Ticks, scale: int | None, line: int) -> None:
    """Of a file whose last line has no end: short of STOP its tail is missing, and perhaps that of its last value."""
    stop = number_of(value_of(well, "STOP"))
    if scale is None or stop is None:
        return
    values = ticks / 10.0**scale
    if abs(stop - values[-1]) > _tolerance(values):
        raise LasRefused(f"the file is cut off in its last line, before STOP ({stop:g}) is reached", line)


def disagreements(well: Sequence[Item], ticks: Ticks, scale: int | None, unit: str) -> list[str]:
    """STRT, STOP and STEP against the data, in recorded order; half a step of rounding is let pass. unit: canonical."""
    if scale is None:
        return []
    values = ticks / 10.0**scale
    steps = np.diff(values)
    tolerance = _tolerance(values)
    found: list[str] = []
    for name, actual in (("STRT", values[0]), ("STOP", values[-1])):
        said = number_of(value_of(well, name))
        if said is None or abs(said - actual) > tolerance:
            found.append(f"{name} is {'missing' if said is None else f'{said:g}'}; the data have {actual:g}")
    said = number_of(value_of(well, "STEP"))
    if said is None:
        found.append("STEP is missing")
    elif said and len(steps) and np.any(np.abs(steps - said) > max(abs(said) * 0.01, 1.5 * 10.0**-scale)):
        found.append(f"STEP is {said:g}; the data move by {steps.min():g} to {steps.max():g}")
    started = canonical_index_unit(unit_of(well, "STRT"))
    if started and unit and started != unit:
        found.append(f"STRT is in {started}, the index in {unit}; the index is read in {unit}")
    return found


def _tolerance(values: npt.NDArray[np.float64]) -> float:
    """Half the usual step: headers are rounded."""
    typical = float(np.median(np.diff(values))) if len(values) > 1 else 0.0
    return max(abs(typical) / 2, 1e-4)
