"""Files that are no layers, or lie about themselves: one precise line each, never a crash, never an extension type."""

import base64
import io
import struct
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact import decode as decoding
from dataforge_registry.core.curves.artifact.decode import decode, decode_index, decode_values
from dataforge_registry.core.curves.artifact.parquet import encode_index, encode_values
from dataforge_registry.core.curves.content import Samples
from dataforge_registry.core.curves.errors import ContentMismatch
from dataforge_registry.core.curves.model import Index


def written(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


GOOD = encode_values(Samples.of(pa.array([1.0, None, 3.0], pa.float32())))
NESTED = pa.array([[[1.0]]], pa.list_(pa.list_(pa.float32())))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no readable Parquet"),
        (b"PAR1", "no readable Parquet"),
        (b"PAR1" + b"\0" * 40 + b"PAR1", "no readable Parquet"),
        (GOOD[:-8] + struct.pack("<I", 1 << 30) + b"PAR1", "no readable Parquet"),
        (GOOD[:-8] + struct.pack("<I", 7) + b"PAR1", "no readable Parquet"),
        (GOOD[:40], "no readable Parquet"),
        (written({"a": [1.0], "b": [2.0]}), "1 rows and 2 columns; its manifest says 1 and 1"),
        (written({"a": [1.0, 2.0]}), "2 rows and 1 columns; its manifest says 1 and 1"),
        (written({"a": NESTED}), "holds list<"),
        (written({"a": pa.array([{"x": 1.0}])}), "holds struct<"),
        (written({"a": pa.array([{"x": 1.0, "y": 2.0}])}), "2 columns"),
        (written({"a": pa.array([["x"]])}), "holds list<"),
        (written({"a": pa.array([b"x"])}), "holds binary"),
        (written({"a": [True]}), "holds bool"),
        (written({"a": pa.array([1], pa.uint64())}), "holds uint64"),
        (written({"a": pa.array([1.0], pa.float16())}), "holds halffloat"),
        (written({"a": [date(2020, 1, 1)]}), "holds date32"),
        (written({"a": pa.array([1], pa.timestamp("ns", "UTC"))}), r"holds timestamp\[ns"),
        (written({"a": pa.array([1], pa.timestamp("us"))}), r"holds timestamp\[us\]"),
        (written({"a": pa.array([Decimal("1.5")], pa.decimal128(30, 4))}), r"holds decimal128\(30, 4\)"),
        (written({"a": pa.array([Decimal("1.5")], pa.decimal256(50, 4))}), r"holds decimal256\(50, 4\)"),
        (written({"a": pa.array([None], pa.null())}), "holds"),
    ],
)
def test_what_is_no_layer_is_said_in_one_line(data: bytes, said: str) -> None:
    with pytest.raises(ContentMismatch, match=said) as caught:
        decode(data, 1)
    assert "\n" not in str(caught.value)


def test_lists_of_several_lengths_are_no_array_curve() -> None:
    with pytest.raises(ContentMismatch, match=r"lists of one length; found \[1, 2\]"):
        decode(written({"a": pa.array([[1.0], [1.0, 2.0]])}))
    with pytest.raises(ContentMismatch, match=r"lists of one length; found \[\]"):
        decode(written({"a": pa.array([None], pa.list_(pa.float32()))}))


def test_decimals_of_another_width_are_read_exactly() -> None:
    for precision in (5, 9, 14, 18):
        numbers = pa.array([Decimal("-1.5"), Decimal("2.25")], pa.decimal128(precision, 4))
        for as_integer in (True, False):
            _, back = decode_index(written({"MD": numbers}, store_decimal_as_integer=as_integer), 2)
            assert back.to_pylist() == numbers.to_pylist()


def test_an_index_that_descends_or_has_gaps_is_none() -> None:
    with pytest.raises(ContentMismatch, match="descends behind its row 1"):
        decode_index(written({"MD": pa.array([1, 5, 3], pa.decimal128(14, 4))}))
    with pytest.raises(ContentMismatch, match="1 rows without a value"):
        decode_index(written({"MD": pa.array([1, None, 3], pa.decimal128(14, 4))}))
    with pytest.raises(ContentMismatch, match="holds double; an index is"):
        decode_index(written({"MD": [1.0]}))
    with pytest.raises(ContentMismatch, match="a value layer holds decimal128"):
        decode_values(encode_index(Index("MD", "DEPT", "m", "M", np.arange(3)), 0, 3))


def test_what_a_file_declares_is_believed_only_within_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 100_000
    bombs = {
        "rows": written({"value": pa.array([None] * rows, pa.float32())}),
        "text": written({"value": pa.array(["x" * 5000]).take(pa.array(np.zeros(rows, dtype=np.int32)))}),
        "elements": written({"value": pa.FixedSizeListArray.from_arrays(pa.nulls(rows, pa.int8()), 1000)}),
    }
    monkeypatch.setattr(decoding, "MAX_ROWS", rows - 1)
    monkeypatch.setattr(decoding, "MAX_BYTES", rows - 1)
    for data in bombs.values():
        assert len(data) < 30_000
        with pytest.raises(ContentMismatch, match="too large"):
            decode(data)
    monkeypatch.undo()
    with pytest.raises(ContentMismatch, match=r"500000000 bytes of text; at most"):
        decode(bombs["text"])
    assert len(decode(bombs["rows"], rows)[1]) == rows


class Marked(pa.ExtensionType):
    """An extension type that the process knows, and whose making leaves a trace."""

    made = 0

    def __init__(self) -> None:
        super().__init__(pa.float32(), "dataforge.marked")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: Any, serialized: bytes) -> "Marked":
        cls.made += 1
        return cls()


@pytest.fixture
def marked() -> Iterator[Marked]:
    kind = Marked()
    pa.register_extension_type(kind)
    yield kind
    pa.unregister_extension_type("dataforge.marked")


def test_no_extension_type_comes_into_being(marked: Marked) -> None:
    storage = pa.array([1.0, None], pa.float32())
    data = written({"value": pa.ExtensionArray.from_storage(marked, storage)})
    assert pq.ParquetFile(io.BytesIO(data)).schema_arrow.types == [marked], "the trap works"
    Marked.made = 0
    assert decode(data, 2)[1].equals(storage)
    assert Marked.made == 0


def test_a_hint_of_another_schema_is_not_believed() -> None:
    """The Arrow schema in the footer is the writer's word, the Parquet schema is what the pages hold."""
    lie = base64.b64encode(pa.schema([("value", pa.large_string())]).serialize().to_pybytes())
    table = pa.table({"value": pa.array([1, 2], pa.int32())}).replace_schema_metadata({"ARROW:schema": lie})
    sink = io.BytesIO()
    pq.write_table(table, sink, store_schema=False)
    assert decode(sink.getvalue())[1].equals(pa.array([1, 2], pa.int32()))


FILES = [
    GOOD,
    written({"value": ["sand", None, "lime"] * 9}),
    written({"value": pa.array([[1, 2], None], pa.list_(pa.int16(), 2))}),
    encode_index(Index("MD", "DEPT", "m", "M", np.arange(30)), 0, 30),
]


@given(st.sampled_from(FILES), st.data())
def test_a_file_with_other_bytes_in_it_is_read_or_refused(file: bytes, data: st.DataObject) -> None:
    broken = bytearray(file)
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(broken))
    except ContentMismatch as error:
        assert "\n" not in str(error)


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(data: bytes) -> None:
    with pytest.raises(ContentMismatch):
        decode(b"PAR1" + data + struct.pack("<I", len(data)) + b"PAR1")
