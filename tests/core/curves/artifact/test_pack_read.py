"""A curve packed and read back: equal values, equal bytes, few new blobs for an edit, few layers for a window."""

import io
import json
import os
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves import schema
from dataforge_registry.core.curves.artifact import read as reading
from dataforge_registry.core.curves.artifact.decode import decode
from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Previous
from dataforge_registry.core.curves.artifact.parquet import index_floats
from dataforge_registry.core.curves.artifact.read import Window, read
from dataforge_registry.core.curves.content import Samples, values_id
from dataforge_registry.core.curves.dtypes import described
from dataforge_registry.core.curves.errors import ContentMismatch, CurveError
from dataforge_registry.core.curves.model import Curve, Frame, Index, Values
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.curves.schema import Lineage, LineageInput, parse_manifest
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest

ROWS = 65_617


def same(left: Values, right: Values) -> bool:
    """Equal as stored: canonical values, so that -0.0 is 0.0, NaN is null, and an absent row is absent elements."""
    return Samples.of(left).array.equals(Samples.of(right).array) and values_id(left) == values_id(right)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_curve_comes_back(make: Any, value_arrays: Any, data: st.DataObject) -> None:
    values = data.draw(value_arrays)
    packed = make.pack(make.frame(values))
    table = read(packed.raw, packed.blobs.__getitem__)
    assert table.column_names == ["MD", "GR"]
    assert table["GR"].type == values.type
    assert same(table["GR"].combine_chunks(), values)
    dtype, width = described(values.type)
    assert (packed.config.dtype, packed.config.width) == (dtype, width)
    assert packed.config.stats.count == len(values) * width
    again = make.pack(make.frame(values))
    assert again.raw == packed.raw and again.blobs == packed.blobs


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_any_index_comes_back_exactly(make: Any, data: st.DataObject) -> None:
    scale = data.draw(st.sampled_from([4, 4, 7, None]))
    ticks = sorted(data.draw(st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=40)))
    index = Index("MD" if scale else "TIME", "X", "m", "M", np.array(ticks, dtype=np.int64), scale)
    packed = make.pack(make.frame(pa.array([1.0] * len(ticks), pa.float32()), index))
    column = read(packed.raw, packed.blobs.__getitem__).column(0).combine_chunks()
    if scale is None:
        assert column.cast(pa.int64()).to_pylist() == ticks
    else:
        assert column.to_pylist() == [Decimal(tick).scaleb(-scale) for tick in ticks]
        assert index_floats(column).to_pylist() == [float(Decimal(tick).scaleb(-scale)) for tick in ticks]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_any_window_is_what_slicing_the_whole_gives(make: Any, data: st.DataObject) -> None:
    rows = data.draw(st.sampled_from([1, 7, 20_000]))
    packed = make.packed(make.smooth(rows))
    whole = read(packed.raw, packed.blobs.__getitem__)
    bound = st.none() | st.decimals(900, 4100, places=5)
    start, stop = data.draw(bound), data.draw(bound)
    if start is not None and stop is not None:
        start, stop = min(start, stop), max(start, stop)
    window = Window(None if start is None else str(start), None if stop is None else str(stop))
    depths = whole["MD"].to_pylist()
    inside = [
        row for row, depth in enumerate(depths) if (start is None or depth >= start) and (stop is None or depth <= stop)
    ]
    table = read(packed.raw, packed.blobs.__getitem__, window)
    expected = whole.slice(inside[0], len(inside)) if inside else whole.slice(0, 0)
    assert table["MD"].to_pylist() == expected["MD"].to_pylist()
    assert table["GR"].to_pylist() == expected["GR"].to_pylist()


def test_a_window_needs_one_or_two_segments_and_no_index_where_that_is_regular(make: Any) -> None:
    packed = make.packed(make.smooth(ROWS))
    wanted = reading.plan(packed.manifest, Window("5000", "5050"))
    assert 1 <= len(wanted.digests) <= 2
    assert len(packed.manifest.layers) > 10
    blobs = {digest: packed.blobs[digest] for digest in wanted.digests}
    assert reading.assemble(wanted, blobs).num_rows == 328
    assert sum(map(len, blobs.values())) < 60_000


def test_the_index_layer_is_small(make: Any) -> None:
    (descriptor,) = pack_index(make.index(ROWS), "run 1").descriptors
    assert descriptor.size < 1_000
    assert descriptor.annotations == {"org.opencontainers.image.title": "run-1/MD.parquet"}


def test_one_changed_sample_changes_few_segments(make: Any) -> None:
    values = make.smooth(ROWS)
    first = make.packed(values)
    values[30_000] += 5
    second = make.packed(values, first)
    assert second.changed
    assert len(second.blobs) <= 3  # its segment, perhaps the next, and the config
    assert second.manifest.annotations["io.dataforge.parent"] == first.digest
    whole = read(second.raw, (first.blobs | second.blobs).__getitem__)
    assert same(whole["GR"].combine_chunks(), pa.array(values))


def test_a_depth_shift_sends_no_values(make: Any) -> None:
    values = pa.array(make.smooth(ROWS))
    first = make.pack(make.frame(values))
    shifted = make.pack(make.frame(values, make.index(ROWS, start=10_001_000)), first)
    assert shifted.config.values_id == first.config.values_id
    assert shifted.config.index.index_id != first.config.index.index_id
    assert len(shifted.blobs) == 2  # index and config


def test_the_same_curve_again_is_no_new_version(make: Any) -> None:
    first = make.packed(make.smooth(20_000))
    again = make.packed(make.smooth(20_000), first)
    assert not again.changed and again.blobs == {} and again.digest == first.digest


def test_a_parent_is_read_from_its_bytes(make: Any) -> None:
    first = make.packed(make.smooth(20_000))
    config = first.blobs[first.manifest.config.digest]
    parent = Previous.parse(first.raw, config)
    assert (parent.digest, parent.config) == (first.digest, first.config)
    frame = make.frame(pa.array(make.smooth(20_000)))
    assert not pack(frame, frame.curves[0], "gr", pack_index(frame.index, frame.name), parent).changed


def test_the_value_column_has_one_name_so_that_equal_values_share_their_blob(make: Any) -> None:
    values = pa.array(make.smooth(20_000))
    left, right = make.pack(make.frame(values)), make.pack(make.frame(values, mnemonic="GRX"))
    assert left.blobs.keys() & right.blobs.keys() == {layer.digest for layer in left.manifest.layers}
    assert decode(left.blobs[left.manifest.layers[1].digest])[0] == "value"
    assert read(right.raw, right.blobs.__getitem__).column_names == ["MD", "GRX"]


def test_lineage_and_the_day_of_the_edit_are_kept_and_make_no_version_alone(make: Any) -> None:
    frame = make.frame(pa.array([1.0, 2.0], pa.float32()))
    curve, index = frame.curves[0], pack_index(frame.index, frame.name)
    lineage = Lineage(operation="despike", message="one spike", inputs=[LineageInput(ref="p/w/f/gr@v1", role="parent")])
    packed = pack(frame, curve, "gr", index, lineage=lineage, created="2020-01-31T12:00:00Z")
    assert packed.manifest.annotations["org.opencontainers.image.created"] == "2020-01-31T12:00:00Z"
    parent = Previous.parse(packed.raw, packed.blobs[packed.manifest.config.digest])
    assert parent.config.lineage == lineage
    assert not pack(frame, curve, "gr", index, parent, lineage=Lineage(operation="none")).changed


def test_growth_keeps_the_segment_size(make: Any) -> None:
    first = make.packed(make.smooth(20_000))
    grown = make.packed(np.concatenate([make.smooth(20_000), make.smooth(80_000, seed=1)]), first)
    assert grown.config.chunking == first.config.chunking


def test_manifest_and_config_read_as_published(make: Any) -> None:
    packed = make.packed([1.0, None, 3.5])
    manifest = json.loads(packed.raw)
    assert manifest["artifactType"] == "application/vnd.dataforge.curve.v1"
    assert [layer["annotations"] for layer in manifest["layers"]] == [
        {"org.opencontainers.image.title": "run-1/MD.parquet"},
        {"org.opencontainers.image.title": "run-1/GR-0001.parquet"},
    ]
    assert manifest["annotations"]["io.dataforge.layers"] == "0 3"
    assert manifest["annotations"]["io.dataforge.axis"] == "MD 4 1000.0 +0.1524"
    config = json.loads(packed.blobs[manifest["config"]["digest"]])
    assert list(config)[:3] == ["schema", "well", "frame"] and "pass" not in config
    assert config["well"] == {"name": "Well 1"} and list(config["segments"][0]) == ["content", "rows", "nulls"]
    assert config["index"]["regular"] == {"start": "1000.0", "step": "0.1524", "count": 3}
    assert config["family"] == "gamma_ray" and config["unit_canonical"] == "gAPI"
    assert (config["stats"]["min"], config["stats"]["max"], config["stats"]["nulls"]) == (1.0, 3.5, 1)


def test_layers_are_plain_parquet(make: Any) -> None:
    packed = make.packed([1.0, None, 3.5])
    file = pq.ParquetFile(io.BytesIO(packed.blobs[packed.manifest.layers[1].digest]))
    column = file.metadata.row_group(0).column(0)
    assert (column.compression, column.physical_type, column.statistics.null_count) == ("ZSTD", "FLOAT", 1)
    assert "BYTE_STREAM_SPLIT" in column.encodings
    assert file.metadata.metadata is None  # no Arrow or pandas schema
    index = pq.ParquetFile(io.BytesIO(packed.blobs[packed.manifest.layers[0].digest])).metadata.row_group(0).column(0)
    assert index.physical_type == "INT64" and "DELTA_BINARY_PACKED" in index.encodings


def test_texts_are_dictionary_encoded() -> None:
    curve = Curve("LITH", "", pa.array(["sand", None, "sand"], pa.string()))
    frame = Frame(Well("W"), "log", Index("MD", "DEPT", "m", "M", np.arange(3)), (curve,))
    packed = pack(frame, curve, "lith", pack_index(frame.index, "log"))
    column = pq.ParquetFile(io.BytesIO(packed.blobs[packed.manifest.layers[1].digest])).metadata.row_group(0).column(0)
    assert column.has_dictionary_page
    assert packed.config.dtype == "utf8" and packed.config.stats.min is None


def test_a_layer_with_other_bytes_is_refused(make: Any) -> None:
    packed = make.packed([1.0, 2.0])
    with pytest.raises(ContentMismatch, match="another digest"):
        read(packed.raw, lambda digest: packed.blobs[digest] + b"\0")


def test_what_is_no_curve_says_what_to_name(make: Any) -> None:
    with pytest.raises(CurveError, match="PROJECT/WELL/FRAME/CURVE"):
        read(b'{"schemaVersion":2,"artifactType":"application/vnd.dataforge.well.v1"}', dict[str, bytes]().__getitem__)
    with pytest.raises(CurveError, match="no OCI manifest"):
        parse_manifest(b"<html>")


@pytest.mark.parametrize("bound", ["deep", "nan", "inf", "2020-01-01"])
def test_a_window_bound_that_is_no_depth(make: Any, bound: str) -> None:
    packed = make.packed([1.0, 2.0])
    with pytest.raises(CurveError, match="give a"):
        read(packed.raw, packed.blobs.__getitem__, Window(bound, None))


def test_a_window_upside_down_is_refused_before_anything_is_fetched(make: Any) -> None:
    packed = make.packed([1.0, 2.0])
    with pytest.raises(CurveError, match="from 1001 to 1000 is upside down"):
        reading.plan(packed.manifest, Window("1001", "1000"))


def test_a_time_window() -> None:
    ticks = 1_600_000_000_000_000 + 1_000_000 * np.arange(60, dtype=np.int64)
    frame = Frame(
        Well("W"),
        "time",
        Index("TIME", "TIME", "", "", ticks, None),
        (Curve("ROP", "m/h", pa.array(np.arange(60, dtype=np.float32))),),
    )
    packed = pack(frame, frame.curves[0], "rop", pack_index(frame.index, "time"))
    table = read(packed.raw, packed.blobs.__getitem__, Window("2020-09-13T12:26:50Z", "2020-09-13T12:26:52"))
    assert table["ROP"].to_pylist() == [10, 11, 12]
    assert packed.config.index.regular is not None and packed.config.index.regular.step == "1.0"


def test_a_frame_refuses_curves_of_another_length(make: Any) -> None:
    with pytest.raises(CurveError, match="2 values on an index of 3 rows"):
        make.frame(pa.array([1.0, 2.0], pa.float32()), make.index(3))


class Mark:
    """Unpickled, it leaves a folder behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_layer_is_data_and_never_code(tmp_path: Path) -> None:
    """pyarrow CVE-2023-47248: a column of the extension type whose metadata is a pickle."""
    notes = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(Mark(tmp_path / "x")),
    }
    column = pa.field("GR", pa.float32(), metadata=notes)
    sink = io.BytesIO()
    pq.write_table(pa.table([pa.array([1.0], pa.float32())], schema=pa.schema([column])), sink)
    assert decode(sink.getvalue(), 1)[1].to_pylist() == [1.0]
    assert not (tmp_path / "x").exists()
    pickle.loads(notes["ARROW:extension:metadata"])
    assert (tmp_path / "x").exists(), "the trap works"


@pytest.mark.parametrize("place", ["annotations", "layers", "config"])
def test_null_in_a_manifest_says_nothing(place: str) -> None:
    body = {"schemaVersion": 2, "mediaType": media.OCI_MANIFEST, place: None}
    assert schema.parse_manifest(json.dumps(body).encode()) == schema.Manifest(
        schemaVersion=2, mediaType=media.OCI_MANIFEST
    )
    layer = {"mediaType": "text/plain", "digest": Digest.of(b""), "size": 0, "annotations": None}
    found = schema.parse_manifest(json.dumps({"schemaVersion": 2, "layers": [layer]}).encode())
    assert found.layers[0].annotations == {}


@pytest.mark.parametrize("raw", [b"[]", b"null", b"{}", b'{"schemaVersion": 2, "layers": [7]}', b'{"layers": 1}'])
def test_what_is_no_manifest_is_told(raw: bytes) -> None:
    with pytest.raises(CurveError, match="no OCI manifest"):
        schema.parse_manifest(raw)
