"""Two arrays compared row by row, held to plain Python over every type that curves have."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves.compare.changes import changes

FLOAT = st.none() | st.sampled_from([0.0, -0.0, 1.5, -2.25, 1e30, float("nan"), float("inf")])
WHOLE = st.none() | st.integers(0, 100)
TEXT = st.none() | st.sampled_from(["", "sand", "ö"])
TYPES = [
    (pa.float32(), FLOAT),
    (pa.float64(), FLOAT),
    (pa.string(), TEXT),
    (pa.int8(), WHOLE),
    (pa.uint32(), WHOLE),
    (pa.int64(), WHOLE),
    (pa.list_(pa.float32(), 3), st.none() | st.lists(FLOAT, min_size=3, max_size=3)),
    (pa.list_(pa.uint8(), 2), st.none() | st.lists(WHOLE, min_size=2, max_size=2)),
]


def elements(value: Any) -> list[Any]:
    return [
        None if isinstance(part, float) and part != part else part
        for part in (value if isinstance(value, list) else [value])
    ]


@given(data=st.data(), kind=st.sampled_from(TYPES), skipped=st.integers(0, 2))
def test_changes_are_those_that_plain_python_finds(data: Any, kind: Any, skipped: int) -> None:
    type_, value = kind
    rows = data.draw(st.lists(st.tuples(value, value), min_size=skipped, max_size=12))
    old, new = (pa.array([row[side] for row in rows], type_).slice(skipped) for side in (0, 1))  # slices: offsets count
    found = changes(old, new)
    steps: list[float] = []
    for row, (before, after) in enumerate(zip(old.to_pylist(), new.to_pylist(), strict=True)):
        wide = type_.list_size if pa.types.is_fixed_size_list(type_) else 1
        left, right = (elements(side) if side is not None else [None] * wide for side in (before, after))
        assert found.changed[row] == (left != right)
        assert found.nulled[row] == (left != right and set(right) == {None})
        assert found.filled[row] == (left != right and set(left) == {None})
        here = [
            abs(b - a)
            for a, b in zip(left, right, strict=True)
            if a != b and not isinstance(a or b, str) and None not in (a, b) and abs(b - a) != float("inf")
        ]
        assert found.amount[row] == max(here) if here else np.isnan(found.amount[row])
        steps += here
    assert found.count == len(steps) and found.total == pytest.approx(sum(steps))


def test_another_type_is_compared_as_it_prints() -> None:
    floats, doubles = pa.array([76.33, 2.0, None], pa.float32()), pa.array([76.33, 2.5, 1.0], pa.float64())
    assert changes(floats, doubles).changed.tolist() == [False, True, True]
    assert changes(pa.array([1, 2], pa.int32()), pa.array([1.0, 2.5], pa.float32())).amount.tolist()[1] == 0.5


def test_what_cannot_be_compared_has_changed_where_there_is_anything() -> None:
    texts, numbers = pa.array(["a", None, None], pa.string()), pa.array([None, None, 1.0], pa.float32())
    found = changes(texts, numbers)
    assert found.changed.tolist() == [True, False, True] and np.isnan(found.amount).all()
    assert (found.nulled.tolist(), found.filled.tolist()) == ([True, False, False], [False, False, True])
    wide = pa.array([[1.0, 2.0]], pa.list_(pa.float32(), 2))
    assert changes(wide, pa.array([[1.0, 2.0, 3.0]], pa.list_(pa.float32(), 3))).changed.tolist() == [True]
    assert changes(wide, wide).changed.tolist() == [False]


def test_whole_numbers_beyond_float64_are_told_apart() -> None:
    big = 2**62
    assert changes(pa.array([big], pa.int64()), pa.array([big + 1], pa.int64())).changed.tolist() == [True]
