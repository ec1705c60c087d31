"""What holds for every curve: values have one id whoever wrote them, edits are small, equal values share blobs."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact.decode import decode, decode_values
from dataforge_registry.core.curves.artifact.parquet import encode_values
from dataforge_registry.core.curves.artifact.read import read
from dataforge_registry.core.curves.content import Samples, values_id
from dataforge_registry.core.curves.dtypes import described, elements_of
from dataforge_registry.core.curves.model import Values

WRITERS = st.fixed_dictionaries(
    {
        "compression": st.sampled_from(["none", "snappy", "gzip", "zstd", "lz4", "brotli"]),
        "use_dictionary": st.booleans(),
        "version": st.sampled_from(["2.4", "2.6"]),
        "data_page_version": st.sampled_from(["1.0", "2.0"]),
        "data_page_size": st.sampled_from([64, 1 << 20]),
        "row_group_size": st.sampled_from([1, 7, 1 << 20]),
        "write_statistics": st.booleans(),
        "store_schema": st.booleans(),
        "write_page_index": st.booleans(),
        "write_page_checksum": st.booleans(),
    }
)


def dressed(values: Values, how: str) -> Values:
    """The same values in another Arrow type that Parquet stores alike."""
    kind = values.type
    if how == "large":
        if pa.types.is_string(kind):
            return values.cast(pa.large_string())
        return values.cast(pa.large_list(kind.value_type)) if isinstance(kind, pa.FixedSizeListType) else values
    if how == "dictionary":
        return values.dictionary_encode() if pa.types.is_string(kind) else values
    if how == "nan" and pa.types.is_floating(kind):
        return values.fill_null(float("nan"))
    if how == "list" and isinstance(kind, pa.FixedSizeListType):
        return values.cast(pa.list_(kind.value_type))
    return values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_equal_values_have_equal_ids_whatever_wrote_the_file(value_arrays: Any, data: st.DataObject) -> None:
    values = data.draw(value_arrays)
    options = data.draw(WRITERS)
    other = dressed(values, data.draw(st.sampled_from(["plain", "large", "dictionary", "nan", "list"])))
    sink = io.BytesIO()
    pq.write_table(pa.table({data.draw(st.sampled_from(["value", "GR", "µ"])): other}), sink, **options)
    if described(values.type)[1] > 1 and values.null_count == len(values):
        return  # absent rows alone do not say how wide they would be
    read_back = decode_values(sink.getvalue(), len(values))
    assert read_back.type == values.type
    assert values_id(read_back) == values_id(values)
    assert values_id(decode_values(encode_values(Samples.of(values)), len(values))) == values_id(values)


def series(rows: int, seed: int) -> dict[str, Callable[[], Values]]:
    """Longer curves of every kind, of some hundred segments at most."""
    random = np.random.default_rng(seed)

    def image() -> Values:
        numbers = random.normal(size=rows * 16).astype(np.float32)
        return pa.FixedSizeListArray.from_arrays(pa.array(numbers), 16)

    return {
        "float32": lambda: pa.array(random.normal(size=rows).astype(np.float32), mask=random.random(rows) < 0.05),
        "float64": lambda: pa.array(random.normal(size=rows)),
        "int16": lambda: pa.array(random.integers(-9999, 9999, rows).astype(np.int16), mask=random.random(rows) < 0.1),
        "uint8": lambda: pa.array(random.integers(0, 200, rows).astype(np.uint8)),
        "utf8": lambda: pa.array([f"facies {number}" for number in random.integers(40, size=rows)], pa.string()),
        "image": image,
    }


KINDS = list(series(1, 0))


def edited(values: Values, row: int) -> Values:
    """The values with another sample in one row."""
    changed = values.to_pylist()
    width = described(values.type)[1]
    other = "changed" if pa.types.is_string(values.type) else 7
    changed[row] = other if width == 1 else [other, *changed[row][1:]]
    return pa.array(changed, values.type)


@pytest.mark.parametrize("kind", KINDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), where=st.floats(0, 1, exclude_max=True))
def test_one_changed_sample_changes_few_segments(make: Any, kind: str, seed: int, where: float) -> None:
    values = series(40_000, seed)[kind]()
    start = make.with_average(make.pack(make.frame(values.slice(1))), 256)
    first = make.pack(make.frame(values), start)
    after = edited(values, int(where * len(values)))
    second = make.pack(make.frame(after), first)
    held = {segment.content for segment in first.config.segments}
    new = [segment for segment in second.config.segments if segment.content not in held]
    # the sample's own, and what a boundary lost or won moves until cuts fall in step again
    assert len(new) <= 8 < 50 < len(first.config.segments)
    assert len(second.blobs) == len({segment.content for segment in new}) + 1
    table = read(second.raw, (start.blobs | first.blobs | second.blobs).__getitem__)
    assert values_id(table.column(1).combine_chunks()) == values_id(after)


def test_an_unchanged_parts_layers_are_the_parents_whoever_encoded_them(make: Any) -> None:
    """The parent's segments were written by another Parquet writer: they are named, not encoded anew."""
    values = make.smooth(50_000)
    first = make.packed(values)
    foreign = {}
    for layer in first.manifest.layers[1:]:
        name, column = decode(first.blobs[layer.digest])
        sink = io.BytesIO()
        pq.write_table(pa.table({name: column}), sink, compression="gzip")
        foreign[layer.digest] = sink.getvalue()
    assert not foreign.keys() & set(map(make.digest, foreign.values()))
    parent = make.with_layers(first, foreign)
    values[25_000] += 5
    second = make.packed(values, parent)
    of_parent = {layer.digest for layer in parent.manifest.layers}
    assert len({layer.digest for layer in second.manifest.layers} - of_parent) <= 2


def test_curves_of_equal_values_under_two_mnemonics_share_every_value_blob(make: Any) -> None:
    for kind in KINDS:
        values = series(20_000, 5)[kind]()
        left, right = make.pack(make.frame(values)), make.pack(make.frame(values, mnemonic="OTHER"))
        assert [layer.digest for layer in left.manifest.layers] == [layer.digest for layer in right.manifest.layers]


def test_flags_are_dictionaries_and_counters_are_deltas() -> None:
    def encodings(values: Values) -> Any:
        column = pq.ParquetFile(io.BytesIO(encode_values(Samples.of(values)))).metadata.row_group(0).column(0)
        return column.has_dictionary_page, column.encodings

    flags = pa.array(np.tile(np.array([0, 1, 4], dtype=np.int32), 2000))
    assert encodings(flags)[0]
    counter = pa.array(np.arange(9000, dtype=np.int32))
    assert not encodings(counter)[0] and "DELTA_BINARY_PACKED" in encodings(counter)[1]
    assert encodings(pa.array(np.arange(256, dtype=np.uint8)))[0]
    image = pa.FixedSizeListArray.from_arrays(pa.array(np.random.default_rng(0).normal(size=600).astype(np.float32)), 6)
    assert "BYTE_STREAM_SPLIT" in encodings(image)[1]


def test_an_array_curve_is_cut_over_its_rows_and_read_in_windows(make: Any) -> None:
    values = series(20_000, 1)["image"]()
    packed = make.pack(make.frame(values))
    assert len(packed.config.segments) > 10 and packed.config.width == 16
    from dataforge_registry.core.curves.artifact.read import Window

    table = read(packed.raw, packed.blobs.__getitem__, Window("2000", "2010"))
    first = int(np.ceil((2000 - 1000) / 0.1524))
    got = elements_of(table.column(1).combine_chunks()).to_pylist()
    assert got == elements_of(values.slice(first, table.num_rows)).to_pylist()
