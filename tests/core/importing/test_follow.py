"""What a curve packed alone becomes behind a version: the same as if it had been packed with it in hand."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Packed, Previous
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.importing.follow import follow, retitled

ROWS = 20_000


def frame(values: np.ndarray, start: int, unit: str = "gAPI") -> Frame:
    index = Index("MD", "DEPT", "m", "M", start + np.arange(len(values), dtype=np.int64) * 1524)
    return Frame(Well("Followed 1"), "log", index, (Curve("GR", unit, pa.array(values.astype(np.float32))),))


def packed(frame: Frame, previous: Previous | None = None, segment: str = "gr") -> Packed:
    return pack(frame, frame.curves[0], segment, pack_index(frame.index, frame.name), previous)


def previous_of(version: Packed) -> Previous:
    return Previous(version.digest, version.manifest, version.config, version.raw)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, ROWS - 1), st.integers(1, 50)), max_size=3),
    st.sampled_from([0, 0, 1524]),
    st.sampled_from(["gAPI", "gAPI", "API"]),
)
def test_it_is_what_packing_with_the_parent_gives(edits: list[tuple[int, int]], shift: int, unit: str) -> None:
    values = np.random.default_rng(1).normal(size=ROWS).round(3)
    previous = previous_of(packed(frame(values, 0)))
    changed = values.copy()
    for start, length in edits:
        changed[start : start + length] += 1
    later = frame(changed, shift, unit)
    found, wanted = follow(packed(later), previous), packed(later, previous)
    assert found is not None
    assert (found.raw, found.digest, found.changed) == (wanted.raw, wanted.digest, wanted.changed)
    assert found.blobs == wanted.blobs and found.config == wanted.config


def test_values_that_were_cut_otherwise_are_packed_again() -> None:
    values = np.random.default_rng(1).normal(size=ROWS * 8).round(3)
    previous = previous_of(packed(frame(values[: ROWS // 2], 0)))
    later = frame(values, 0)
    assert packed(later).config.chunking != previous.config.chunking
    assert follow(packed(later), previous) is None


def test_another_segment_is_another_title() -> None:
    made = frame(np.arange(50), 0)
    assert retitled(packed(made), "gr-1a2b").raw == packed(made, segment="gr-1a2b").raw
