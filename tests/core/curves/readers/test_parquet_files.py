"""Parquet files of others as frames: every type a column may have, and what is refused by name."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.model import Frame
from dataforge_registry.core.curves.readers.files import read_frames
from dataforge_registry.core.curves.readers.limits import Limits
from dataforge_registry.core.curves.readers.parquet_files import read_parquet

DEPTH = pa.array([2.0, 1.5, 1.0])
PAIRS = pa.list_(pa.float64(), 2)
DAYS = ["2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", "2020-01-03T00:00:00Z"]


def parquet_frame(columns: dict[str, Any], index: str | None = None, limits: Limits | None = None) -> Frame:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    options = {"limits": limits} if limits else {}
    [frame] = read_parquet(Path("x.parquet"), sink.getvalue(), "0" * 64, index=index, well="W", **options)
    return frame


def values(kind: Any, given: list[Any]) -> tuple[pa.DataType, list[Any]]:
    """Type and values of a column as stored on a rising index; given in the order of its falling one."""
    [curve] = parquet_frame({"DEPTH": DEPTH, "X": pa.array(given, kind)}).curves
    return curve.values.type, curve.values.to_pylist()[::-1]


@pytest.mark.parametrize(
    ("kind", "given", "stored", "read"),
    [
        (pa.float64(), [1.5, None, float("nan")], pa.float64(), [1.5, None, None]),
        (pa.float32(), [1.5, None, float("inf")], pa.float32(), [1.5, None, float("inf")]),
        (pa.float16(), [1.5, None, 2.0], pa.float32(), [1.5, None, 2.0]),
        (pa.int16(), [1, None, -3], pa.int16(), [1, None, -3]),
        (pa.int64(), [2**60 + 1, None, -3], pa.int64(), [2**60 + 1, None, -3]),
        (pa.uint64(), [1, None, 3], pa.int64(), [1, None, 3]),
        (pa.bool_(), [True, None, False], pa.uint8(), [1, None, 0]),
        (pa.string(), ["a", None, "c"], pa.string(), ["a", None, "c"]),
        (pa.large_string(), ["a", None, "c"], pa.string(), ["a", None, "c"]),
        (pa.dictionary(pa.int8(), pa.string()), ["a", None, "a"], pa.string(), ["a", None, "a"]),
        (pa.decimal128(10, 2), [Decimal("1.25"), None, Decimal("2.50")], pa.float32(), [1.25, None, 2.5]),
        (pa.date32(), [date(2020, 1, 2), None, None], pa.string(), ["2020-01-02", None, None]),
        (pa.null(), [None] * 3, pa.float32(), [None] * 3),
        (pa.list_(pa.float64()), [[1.0, float("nan")], None, [3.0, 4.0]], PAIRS, [[1, None], [None, None], [3, 4]]),
        (pa.list_(pa.int32(), 2), [[1, None], [3, 4], [5, 6]], pa.list_(pa.int32(), 2), [[1, None], [3, 4], [5, 6]]),
        (pa.list_(pa.int8()), [[1], [2], [3]], pa.int8(), [1, 2, 3]),
    ],
)  # fmt: skip
def test_types(kind: Any, given: list[Any], stored: Any, read: list[Any]) -> None:
    found, listed = values(kind, given)
    assert found == stored and listed == read


def test_decimals_print_as_they_are() -> None:
    [curve] = parquet_frame({"DEPTH": DEPTH, "X": pa.array([Decimal("1.10")] * 3, pa.decimal128(9, 2))}).curves
    assert curve.text_decimals == 2 and curve.values.type == pa.float32()


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([1, 2, 3]), ["1.0", "2.0", "3.0"]),
        (pa.array([0.1, 0.2, 0.3], pa.float32()), ["0.1", "0.2", "0.3"]),
        (pa.array([Decimal("1.00001"), Decimal("2"), Decimal("3")], pa.decimal128(12, 5)), ["1.00001", "2.0", "3.0"]),
        (pa.array([datetime(2020, 1, day, tzinfo=UTC) for day in (1, 2, 3)]), DAYS),
        (pa.array(["2020-01-01", "2020-01-02", "2020-01-03T01:00:00+01:00"]), DAYS),
    ],
)  # fmt: skip
def test_indexes(column: Any, texts: list[str]) -> None:
    frame = parquet_frame({"TIME": column, "X": DEPTH})
    assert [frame.index.text(row) for row in range(3)] == texts


def test_a_time_without_zone_is_told() -> None:
    frame = parquet_frame({"TIME": pa.array([datetime(2020, 1, day) for day in (1, 2, 3)]), "X": DEPTH})
    assert frame.index.scale is None and frame.original is not None
    assert frame.original.findings == ("TIME gives no time zone; it is read as UTC",)


def test_pandas_writes_it_and_the_index_is_named(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "x.parquet"
    table = pandas.DataFrame(
        {"GR [gAPI]": np.array([1.0, np.nan, 3.0])}, index=pandas.Index([10.0, 10.5, 11.0], name="z")
    )
    table.to_parquet(path)
    [frame] = read_frames(path, index="z", well="W")
    assert [frame.index.text(row) for row in range(3)] == ["10.0", "10.5", "11.0"]
    assert (frame.curves[0].mnemonic, frame.curves[0].unit) == ("GR", "gAPI")
    assert frame.curves[0].values.to_pylist() == [1, None, 3]
    with pytest.raises(CurveError, match=r"give --index COLUMN, one of GR, z"):
        read_frames(path, well="W")
    with pytest.raises(CurveError, match="give --well NAME"):
        read_frames(path, index="z")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"DEPTH": DEPTH}, "has 1 column: an index and a curve"),
        ({"DEPTH": pa.array([1.0, None, 2.0]), "X": DEPTH}, "no value in row 2"),
        ({"DEPTH": pa.array([1.0, float("nan"), 2.0]), "X": DEPTH}, "no value in row 2"),
        ({"DEPTH": pa.array([1.0, 3.0, 2.0]), "X": DEPTH}, "turns back|does not move"),
        ({"DEPTH": pa.array(["a", "b", "c"]), "X": DEPTH}, "no ISO 8601"),
        ({"DEPTH": pa.array([True, False, True]), "X": DEPTH}, "the index DEPTH holds bool"),
        ({"DEPTH": DEPTH, "X": pa.array([b"a"] * 3)}, "column X holds binary"),
        ({"DEPTH": DEPTH, "X": pa.array([{"a": 1}] * 3)}, "column X holds struct"),
        ({"DEPTH": DEPTH, "X": pa.array([[(1, 2)]] * 3, pa.map_(pa.int8(), pa.int8()))}, "column X holds map"),
        ({"DEPTH": DEPTH, "X": pa.array([[[1]]] * 3)}, "column X holds list"),
        ({"DEPTH": DEPTH, "X": pa.array([["a"]] * 3)}, "column X holds list"),
        ({"DEPTH": DEPTH, "X": pa.array([[1], [1, 2], []])}, r"column X holds lists of different lengths \(0, 1, 2\)"),
        ({"DEPTH": DEPTH, "X": pa.array([2**63, 1, 2], pa.uint64())}, "beyond 64 bits"),
    ],
)
def test_refusals(columns: dict[str, Any], reason: str) -> None:
    with pytest.raises(CurveError, match=reason) as caught:
        parquet_frame(columns)
    assert "\n" not in str(caught.value)


def test_no_extension_type_comes_into_being() -> None:
    """Whatever the writer's Arrow schema says of a column, it is the storage that is read."""

    class Loud(pa.ExtensionType):
        made = 0

        def __init__(self) -> None:
            super().__init__(pa.float64(), "test.loud")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, storage: Any, serialized: bytes) -> "Loud":
            cls.made += 1
            return cls()

    loud = Loud()
    pa.register_extension_type(loud)
    try:
        column = pa.ExtensionArray.from_storage(loud, pa.array([1.0, 2.0, 3.0]))
        made = Loud.made
        [curve] = parquet_frame({"DEPTH": DEPTH, "X": column}).curves
        assert Loud.made == made and curve.values.type == pa.float64()
    finally:
        pa.unregister_extension_type("test.loud")


def test_claims_beyond_the_limits_and_broken_files() -> None:
    with pytest.raises(CurveError, match="3 rows of 2 values; at most 5"):
        parquet_frame({"DEPTH": DEPTH, "X": DEPTH}, limits=Limits(samples=5))
    sink = io.BytesIO()
    pq.write_table(pa.table({"DEPTH": DEPTH, "X": DEPTH}), sink)
    content = sink.getvalue()
    broken = [content[:size] for size in (0, 4, 50, len(content) - 1)] + [
        content[4:],
        content[:-8] + b"\xff" * 4 + b"PAR1",
    ]
    for data in broken:
        with pytest.raises(CurveError, match="no readable Parquet file") as caught:
            read_parquet(Path("x.parquet"), data, "", well="W")
        assert "\n" not in str(caught.value)
