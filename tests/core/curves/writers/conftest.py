"""Tables for writers: curves packed, read back and put side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.read import read
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.names import curve_slugs
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.curves.windows.aligned import Aligned, align

WELL = Well("Hole 1", uwi="42-1", country="US", field="Wild")


class Tables:
    """Makes an Aligned of curves on one index."""

    def index(self, rows: int, *, scale: int | None = 4, direction: str = "down", **what: Any) -> Index:
        start, step = (10_000_000, 1_524) if scale is not None else (0, 1_500_000)
        named = {"kind": "MD", "mnemonic": "DEPT", "unit": "m", "unit_original": "M"}
        if scale is None:
            named = {"kind": "TIME", "mnemonic": "TIME", "unit": "s", "unit_original": "S"}
        ticks = start + step * np.arange(rows, dtype=np.int64)
        return Index(ticks=ticks, scale=scale, direction=direction, **(named | what))

    def of(self, curves: Sequence[Curve], index: Index | None = None, frame: str = "run 1") -> Aligned:
        index = index or self.index(len(curves[0].values))
        whole = Frame(WELL, frame, index, tuple(curves), run="1", acquired="1997-06-21")
        layers, slugs = pack_index(index, frame), curve_slugs(curve.mnemonic for curve in curves)
        series = []
        for curve in curves:
            packed = pack(whole, curve, slugs[curve.mnemonic], layers)
            series.append((packed.config, read(packed.raw, (layers.blobs | packed.blobs).__getitem__)))
        return align(series)


@pytest.fixture(scope="session")
def tables() -> Tables:
    return Tables()
