"""Curves and frames for tests, as hypothesis strategies and plain makers."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Packed, Previous
from dataforge_registry.core.curves.dtypes import DTYPES, arrow_type
from dataforge_registry.core.curves.model import Curve, Frame, Index, Values
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.curves.schema import encode
from dataforge_registry.core.oci.digest import Digest


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

    def digest(self, data: bytes) -> str:
        return Digest.of(data)

    def with_layers(self, packed: Packed, others: dict[str, bytes]) -> Packed:
        """The same version with other bytes in place of some of its layers."""
        layers = [
            msgspec.structs.replace(layer, digest=Digest.of(data), size=len(data))
            if (data := others.get(layer.digest))
            else layer
            for layer in packed.manifest.layers
        ]
        manifest = msgspec.structs.replace(packed.manifest, layers=layers)
        raw = encode(manifest)
        blobs = {digest: data for digest, data in packed.blobs.items() if digest not in others}
        blobs |= {Digest.of(data): data for data in others.values()}
        return Packed(manifest, raw, Digest.of(raw), packed.config, blobs)

    def with_average(self, packed: Packed, avg: int) -> Packed:
        """The same version, as if it had been cut into segments of avg rows."""
        chunking = msgspec.structs.replace(packed.config.chunking, avg=avg)
        config = msgspec.structs.replace(packed.config, chunking=chunking)
        return Packed(packed.manifest, packed.raw, packed.digest, config, packed.blobs)


@pytest.fixture(scope="session")
def make() -> Maker:
    return Maker()


def numbers_of(dtype: str) -> st.SearchStrategy[float | int]:
    """Any number of a dtype but NaN."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return st.floats(width=8 * kind.itemsize, allow_nan=False)
    limits = np.iinfo(kind)
    return st.integers(int(limits.min), int(limits.max))


@st.composite
def arrays_of_values(draw: st.DrawFn) -> Values:
    """Of any dtype and width, with nulls, infinities and negative zeros, of 1 to 60 rows; a whole row may be null."""
    dtype = draw(st.sampled_from(list(DTYPES)))
    if dtype == "utf8":
        word = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
        return pa.array(draw(st.lists(word, min_size=1, max_size=60)), pa.string())
    width = draw(st.sampled_from([1, 1, 1, 2, 5]))
    element: st.SearchStrategy[Any] = st.none() | numbers_of(dtype)
    row = element if width == 1 else st.none() | st.lists(element, min_size=width, max_size=width)
    return pa.array(draw(st.lists(row, min_size=1, max_size=60 // width)), arrow_type(dtype, width))


@pytest.fixture(scope="session")
def value_arrays() -> st.SearchStrategy[Values]:
    """What arrays_of_values draws."""
    return arrays_of_values()
