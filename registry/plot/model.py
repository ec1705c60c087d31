"""What is drawn: curves with their values as numbers, and the page they stand on. No matplotlib here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...core.curves.schema import Config

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Log:
    """One curve. places: index values of shape (rows,) in the page's unit, ascending (times: seconds since 1970).

    values: float64 of shape (rows,) or (rows, width), NaN where absent, or for texts a list with None. label: the
    version, where it has to be told. before: another version, drawn in grey below it; changed: where the two differ.
    """

    config: Config
    places: Floats
    values: Any
    label: str = ""
    before: "Log | None" = None
    changed: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Page:
    """top, bottom: index values of the drawn interval in `unit`. ratio: 200 for 1:200, None: what fits a sheet.

    facts: name and value pairs of the title block, in order.
    """

    title: str
    subtitle: str
    unit: str
    kind: str
    top: float
    bottom: float
    times: bool = False
    ratio: int | None = None
    facts: Sequence[tuple[str, str]] = ()
    dpi: int = 110
