"""Judging versions: what we pack is never objected to, each contradiction is one line that names it."""

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves.checks.judging import check_layers
from dataforge_registry.core.curves.checks.verify import check_manifest, check_title
from dataforge_registry.core.curves.model import Index
from dataforge_registry.core.oci.digest import Digest


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_what_we_pack_is_found_right(make: Any, value_arrays: Any, data: st.DataObject) -> None:
    values = data.draw(value_arrays)
    scale = data.draw(st.sampled_from([4, 0, 7, None]))
    ticks = sorted(data.draw(st.lists(st.integers(-(10**13), 10**13), min_size=len(values), max_size=len(values))))
    index = Index("MD" if scale is not None else "TIME", "X", "m", "M", np.array(ticks, dtype=np.int64), scale)
    packed = make.pack(make.frame(values, index))
    config = packed.blobs[packed.manifest.config.digest]
    assert check_manifest(packed.raw, config, "p/well-1/run-1/gr") == []
    assert check_layers(packed.raw, config, packed.blobs.__getitem__) == []


def test_a_child_version_and_its_many_segments_are_found_right(make: Any) -> None:
    values = make.smooth(65_617)
    first = make.packed(values)
    values[30_000] += 5
    second = make.packed(values, first)
    config = second.blobs[second.manifest.config.digest]
    assert check_manifest(second.raw, config) == []
    assert check_layers(second.raw, config, (first.blobs | second.blobs).__getitem__) == []


Change = Callable[[dict[str, Any], dict[str, Any]], Any]


def into(path: str, value: Any) -> Change:
    """A change of the config (`c.stats.max`) or the manifest (`m.layers.0.mediaType`)."""
    head, *keys, last = path.replace("\\.", "\0").split(".")

    def change(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        place: Any = config if head == "c" else manifest
        for key in keys:
            place = place[int(key)] if isinstance(place, list) else place[key.replace("\0", ".")]
        place[int(last) if isinstance(place, list) else last.replace("\0", ".")] = value

    return change


LAYERS, AXIS = "m.annotations.io\\.dataforge\\.layers", "m.annotations.io\\.dataforge\\.axis"
TITLE = "org\\.opencontainers\\.image\\.title"
WRONG: dict[str, tuple[Change, str]] = {
    "schema": (into("c.schema", 2), "<= 1"),
    "no name": (into("c.well.name", ""), "length >= 1"),
    "long name": (into("c.mnemonic", "x" * 600), "length <= 512"),
    "dtype": (into("c.dtype", "uint64"), "matching regex"),
    "values id": (into("c.values_id", "sha256:0"), "matching regex"),
    "kind": (into("c.index.kind", "../MD"), "matching regex"),
    "another chunking": (into("c.chunking.algorithm", "mine"), "matching regex"),
    "negative rows": (into("c.segments.0.rows", -1), ">= 1"),
    "huge count": (into("c.stats.count", 2**63), "<= "),
    "no segments": (into("c.segments", []), "length >= 1"),
    "media type": (into("m.mediaType", "application/json"), "mediaType is application/json"),
    "artifact type": (into("m.artifactType", "application/vnd.dataforge.well.v1"), "expected application/vnd.dataf"),
    "config type": (into("m.config.mediaType", "application/json"), "the config's mediaType"),
    "config size": (into("m.config.size", 7), "the config is not the 7 bytes"),
    "layer type": (into("m.layers.1.mediaType", "application/json"), "has mediaType application/json"),
    "a layer less": (lambda manifest, config: manifest["layers"].pop(), "has 10 layers"),
    "title": (into(f"m.layers.1.annotations.{TITLE}", "../../x"), "no plain relative path"),
    "title twice": (into(f"m.layers.1.annotations.{TITLE}", "run-1/md.parquet"), "two layers are called"),
    "rows": (into(LAYERS, "0 9000"), "layers says 9000 as its word 2, the config "),
    "no rows": (
        lambda manifest, config: manifest["annotations"].pop("io.dataforge.layers"),
        "layers says nothing as its word 1, the config 0",
    ),
    "axis": (into(AXIS, "MD 4 0.0 +0.1524"), "axis says 0.0 as its word 3, the config 1000.0"),
    "rows of a segment": (into("c.segments.1.rows", 7), "as its word 3, the config "),
    "nulls": (into("c.segments.0.nulls", 10**6), "1000000 nulls"),
    "stats nulls": (into("c.stats.nulls", 5), "stats.nulls is 5"),
    "stats count": (into("c.stats.count", 5), "stats.count is 5"),
    "min above max": (into("c.stats.min", 10**9), "stats has min 1000000000"),
    "half a limit": (into("c.stats.max", None), "has min"),
    "percentiles": (into("c.stats.p05", -1e9), "is above stats.p05"),
    "std": (into("c.stats.std", -1.0), "stats.std"),
    "hist": (into("c.stats.hist", [1]), "stats.hist has 1 bins"),
    "span order": (into("c.segments.0.index", ["9999.0", "1.0"]), "do not ascend"),
    "span text": (into("c.segments.0.index", ["deep", "1.0"]), "'deep' is no depth"),
    "regular": (into("c.index.regular.count", 7), "index.regular says"),
    "irregular": (into("c.index.regular", None), "segment 1 says no index"),
    "scale": (into("c.index.scale", None), "an index of kind MD has a scale"),
    "annotation": (into("m.annotations.io\\.dataforge\\.unit", "API"), "annotation io.dataforge.unit is 'API'"),
    "created": (into("m.annotations.org\\.opencontainers\\.image\\.created", "monday"), "no time of RFC 3339"),
    "parent": (into("m.annotations.io\\.dataforge\\.parent", "v1"), "no digest"),
    "NUL": (into("c.description", "a\0b"), "U+0000"),
}


def changed(packed: Any, change: Change) -> tuple[bytes, bytes]:
    """Manifest and config with a change in them, the config's descriptor made to fit where it was not the change."""
    manifest, config = json.loads(packed.raw), json.loads(packed.blobs[packed.manifest.config.digest])
    before = dict(manifest["config"])
    change(manifest, config)
    data = json.dumps(config).encode()
    fitting = {"digest": Digest.of(data), "size": len(data)}
    manifest["config"] |= {key: value for key, value in fitting.items() if manifest["config"][key] == before[key]}
    return json.dumps(manifest).encode(), data


@pytest.fixture(scope="module")
def packed(make: Any) -> Any:
    return make.packed(make.smooth(20_000))


@pytest.mark.parametrize("wrong", WRONG)
def test_each_contradiction_is_one_line(packed: Any, wrong: str) -> None:
    change, said = WRONG[wrong]
    assert check_manifest(*changed(packed, lambda manifest, config: None)) == []
    found = check_manifest(*changed(packed, change))
    assert any(said in finding for finding in found), found
    assert not any("\n" in finding for finding in found)


def test_names_belong_to_the_repository(packed: Any) -> None:
    config = packed.blobs[packed.manifest.config.digest]
    (found,) = check_manifest(packed.raw, config, "p/well-1/run-1/rhob")
    assert "the curve rhob; its config says 'GR'" in found
    assert "PROJECT/WELL/FRAME/CURVE" in check_manifest(packed.raw, config, "p/gr")[0]


@pytest.mark.parametrize("title", ["", "/x", "a//b", "a/", "../x", "a/../b", ".", "a\\b", "a\nb", "C:/x", "x" * 2000])
def test_titles_that_would_leave_the_folder(title: str) -> None:
    assert check_title(title)


@pytest.mark.parametrize("title", ["MD.parquet", "run-1/GR-0001.parquet", "a.b/..c", "µ/é.parquet"])
def test_titles_that_stay(title: str) -> None:
    assert check_title(title) is None


CLAIMS: dict[str, tuple[Change, str]] = {
    "mean": (into("c.stats.mean", 1e3), "the mean of the values"),
    "std": (into("c.stats.std", 1e3), "the std of the values"),
    "p50": (into("c.stats.p50", None), ""),
    "p95": (into("c.stats.p95", 1e-3), "p95 of the values"),
    "hist": (into("c.stats.hist", [20_000, *[0] * 31]), "the histogram"),
    "index id": (into("c.index.index_id", "sha256:" + "0" * 64), "the index has the content id"),
    "content": (into("c.segments.0.content", "sha256:" + "0" * 64), "has the content id"),
    "values id": (into("c.values_id", "sha256:" + "0" * 64), "the values have the content id"),
}


@pytest.mark.parametrize("wrong", CLAIMS)
def test_claims_that_the_bytes_contradict(packed: Any, wrong: str) -> None:
    change, said = CLAIMS[wrong]
    found = check_layers(*changed(packed, change), packed.blobs.__getitem__)
    assert any(said in finding for finding in found) if said else not found, found


def test_nan_is_no_null(make: Any) -> None:
    values = make.smooth(9000)
    values[7] = np.nan
    packed = make.packed(values)
    config = packed.blobs[packed.manifest.config.digest]
    assert check_layers(packed.raw, config, packed.blobs.__getitem__) == []
    sink = io.BytesIO()
    pq.write_table(pa.table({"value": pa.array(values[: packed.config.segments[0].rows])}), sink)
    with_nan = make.with_layers(packed, {packed.manifest.layers[1].digest: sink.getvalue()})
    (found,) = check_layers(with_nan.raw, config, with_nan.blobs.__getitem__)
    assert "value layer 0 has NaN in 1 places" in found


def test_bytes_of_another_digest_are_not_judged(packed: Any) -> None:
    config = packed.blobs[packed.manifest.config.digest]
    (found,) = check_layers(packed.raw, config, lambda digest: b"other")
    assert "another digest" in found
