"""Cutting by content: the law, the limits, and what an edit costs."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact.segments import Span, average_rows, cut, splitmix64
from dataforge_registry.core.curves.content import Samples


def cut_array(values: pa.Array, avg: int | None = None) -> tuple[list[Span], int]:
    return cut(Samples.of(values), avg)


@pytest.mark.parametrize(
    ("rows", "row_bytes", "avg"), [(65_617, 4, 4096), (65_617, 180 * 4, 512 // 2**0), (50_000_000, 4, 131_072)]
)
def test_the_square_root_law(rows: int, row_bytes: int, avg: int) -> None:
    assert average_rows(rows, row_bytes) == avg


def test_splitmix64_is_the_published_generator() -> None:
    """The first outputs of SplitMix64 seeded with 0: states 0, g, 2g with g the golden-ratio step."""
    golden = 0x9E3779B97F4A7C15
    states = np.array([0, golden, 2 * golden % 2**64], dtype=np.uint64)
    assert [int(word) for word in splitmix64(states)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_small_curves_stay_whole() -> None:
    spans, _ = cut_array(pa.array(np.zeros(8192, dtype=np.float32)))
    assert [(span.start, span.stop) for span in spans] == [(0, 8192)]
    assert len(cut_array(pa.array(np.zeros(8193, dtype=np.float32)))[0]) > 1


@settings(max_examples=25)
@given(st.integers(8_193, 40_000), st.integers(0, 2**32), st.sampled_from([1, 5, 10_000]))
def test_segments_tile_the_rows_within_their_limits(rows: int, seed: int, levels: int) -> None:
    """levels 1 is a constant curve: it has one hash everywhere, so only the limits cut it."""
    values = pa.array(np.random.default_rng(seed).integers(levels, size=rows).astype(np.float32))
    spans, avg = cut_array(values)
    assert [span.start for span in spans] == [0, *(span.stop for span in spans[:-1])]
    assert spans[-1].stop == rows
    assert all(avg // 2 <= len(span) <= 2 * avg for span in spans[:-1])
    assert 0 < len(spans[-1]) <= 2 * avg


def test_the_average_is_met() -> None:
    spans, avg = cut_array(pa.array(np.random.default_rng(1).normal(size=400_000).astype(np.float32)))
    assert 0.7 * avg < 400_000 / len(spans) < 1.3 * avg


def test_an_insertion_moves_only_the_cuts_around_it() -> None:
    values = np.random.default_rng(2).normal(size=60_000).astype(np.float32)
    longer = np.concatenate([values[:30_000], np.float32([1, 2, 3]), values[30_000:]])
    before, avg = cut_array(pa.array(values))
    after, _ = cut_array(pa.array(longer), avg)
    texts_before = {values[span.start : span.stop].tobytes() for span in before}
    texts_after = {longer[span.start : span.stop].tobytes() for span in after}
    assert len(texts_after - texts_before) <= 3


def test_texts_are_cut_by_content_too() -> None:
    words = np.array(["sand", "shale", "lime", "coal"])[np.random.default_rng(3).integers(4, size=20_000)]
    spans, avg = cut_array(pa.array(words.tolist(), pa.string()))
    assert len(spans) > 2
    again, _ = cut_array(pa.array([None, *words.tolist()], pa.string()), avg)
    assert {span.stop + 1 for span in spans[:-2]} & {span.stop for span in again}
