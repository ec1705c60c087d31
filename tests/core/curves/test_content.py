"""Content ids: the published vectors, and that they name values and not representations."""

import hashlib
import struct

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves.content import index_id, values_id
from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.model import Index

VALUE_VECTORS = [
    (pa.array([1.0, None, -0.0, 2.5], pa.float32()), "float32", "0000803f0000c07f0000000000002040"),
    (pa.array([], pa.float32()), "float32", ""),
    (pa.array([0.1, None], pa.float64()), "float64", "9a9999999999b93f000000000000f87f"),
    (pa.array([float("inf"), -float("inf")], pa.float64()), "float64", "000000000000f07f000000000000f0ff"),
    (pa.array(["sand", None, ""], pa.string()), "utf8", "0400000073616e64ffffffff00000000"),
]


@pytest.mark.parametrize(("values", "dtype", "payload"), VALUE_VECTORS)
def test_vectors_of_values(values: pa.Array, dtype: str, payload: str) -> None:
    head = b"dfc1\0" + dtype.encode() + b"\0" + struct.pack("<IQ", 1, len(values))
    assert values_id(values) == "sha256:" + hashlib.sha256(head + bytes.fromhex(payload)).hexdigest()


def test_published_ids() -> None:
    assert values_id(VALUE_VECTORS[0][0]) == "sha256:ada0d8ef283f93ef19e26176d094deb2631435b75a2644afe7d6972d2dc62646"
    assert values_id(VALUE_VECTORS[4][0]) == "sha256:c047388722c7266b3f19809e7a9cb92b45e96498b3e9eeb1f11305afe8faa5e5"
    index = Index("MD", "DEPT", "ft", "F", np.array([25_870_000, 25_875_000, 25_880_000]))
    assert index_id(index) == "sha256:7c0aa1258d0514b75265679effc09f39f872e0862f77a28534f82a7a7f0a524e"
    times = Index("TIME", "TIME", "", "", np.array([0, 1_000_000]), scale=None)
    assert index_id(times) == "sha256:1b81a7cd1f26576391a795c5a672ffe3da988f15f62963126755d7ef0cdda464"


def test_nan_and_null_are_the_same_absence() -> None:
    assert values_id(pa.array([1.0, float("nan")], pa.float32())) == values_id(pa.array([1.0, None], pa.float32()))


def test_width_of_a_float_is_part_of_the_identity() -> None:
    assert values_id(pa.array([1.0], pa.float32())) != values_id(pa.array([1.0], pa.float64()))


def test_a_slice_has_the_id_of_its_copy() -> None:
    values = pa.array([1.0, None, 3.0, 4.0], pa.float32())
    assert values_id(values.slice(1, 2)) == values_id(pa.array([None, 3.0], pa.float32()))


def test_other_types_are_refused() -> None:
    for other in (pa.uint64(), pa.float16(), pa.bool_(), pa.list_(pa.float32()), pa.list_(pa.string(), 2)):
        with pytest.raises(CurveError, match="a curve holds float32"):
            values_id(pa.array([None], other))


@given(st.lists(st.none() | st.text(max_size=3), max_size=5), st.lists(st.none() | st.text(max_size=3), max_size=5))
def test_texts_with_equal_ids_are_equal(left: list[str | None], right: list[str | None]) -> None:
    same = values_id(pa.array(left, pa.string())) == values_id(pa.array(right, pa.string()))
    assert same == (left == right)


@given(st.lists(st.floats(width=32), max_size=9), st.data())
def test_floats_with_equal_ids_are_equal(values: list[float], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.floats(width=32), min_size=len(values), max_size=len(values)) | st.just(list(values)))
    same = values_id(pa.array(values, pa.float32())) == values_id(pa.array(other, pa.float32()))
    assert same == bool(np.array_equal(np.array(values), np.array(other), equal_nan=True))
