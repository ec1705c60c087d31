"""Curves and frames for tests, as hypothesis strategies and plain makers."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import strategies as st

from dataforge_registry.core.curves.model import Curve, Frame, Index, Values, Well
from dataforge_registry.core.curves.pack import Packed, Previous, pack, pack_index


class Maker:
    """Makes frames of one curve, and packs them."""

    def index(self, rows: int, start: int = 10_000_000, step: int = 1_524) -> Index:
        return Index("MD", "DEPT", "m", "M", start + step * np.arange(rows, dtype=np.int64))

    def smooth(self, rows: int, seed: int = 0) -> np.ndarray:
        """A log-like float32 curve of shape (rows,)."""
        return np.cumsum(np.random.default_rng(seed).normal(size=rows)).round(3).astype(np.float32)

    def frame(self, values: Values, index: Index | None = None, mnemonic: str = "GR") -> Frame:
        curve = Curve(mnemonic, "GAPI", values)
        return Frame(Well("Well 1"), "run 1", index or self.index(len(values)), (curve,))

    def pack(self, frame: Frame, previous: Packed | None = None) -> Packed:
        parent = Previous(previous.digest, previous.manifest, previous.config, previous.raw) if previous else None
        return pack(frame, frame.curves[0], "gr", pack_index(frame.index, frame.name), parent)

    def packed(self, values: Sequence[float] | np.ndarray, previous: Packed | None = None) -> Packed:
        return self.pack(self.frame(pa.array(values, pa.float32())), previous)


@pytest.fixture(scope="session")
def make() -> Maker:
    return Maker()


@pytest.fixture(scope="session")
def value_arrays() -> st.SearchStrategy[Values]:
    """Float32, float64 and string arrays with nulls, infinities and negative zeros, of 1 to 60 rows."""
    singles = st.lists(st.none() | st.floats(width=32, allow_nan=False), min_size=1, max_size=60)
    doubles = st.lists(st.none() | st.floats(allow_nan=False), min_size=1, max_size=60)
    texts = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=60)
    return (
        singles.map(lambda values: pa.array(values, pa.float32()))
        | doubles.map(lambda values: pa.array(values, pa.float64()))
        | texts.map(lambda values: pa.array(values, pa.string()))
    )
