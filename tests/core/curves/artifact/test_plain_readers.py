"""The files that a plain `oras pull` leaves, read by people's own tools as docs/format.md says."""

from glob import glob
from pathlib import Path
from typing import Any

import pytest

from dataforge_registry.core.curves import schema


@pytest.fixture
def pulled(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A pulled curve of several segments, in the current folder."""
    packed = make.packed([None, *make.smooth(20_000)])
    for layer in packed.manifest.layers:
        file = tmp_path / layer.annotations[schema.TITLE]
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(packed.blobs[layer.digest])
    monkeypatch.chdir(tmp_path)
    return packed


def parts() -> list[str]:
    return sorted(glob("run-1/GR-*.parquet"))


def test_duckdb(pulled: Any) -> None:
    duckdb = pytest.importorskip("duckdb")
    rows = duckdb.sql("SELECT * FROM 'run-1/MD.parquet' POSITIONAL JOIN 'run-1/GR-*.parquet'")
    assert rows.columns == ["MD", "value"]
    count, highest = rows.aggregate("count(*), max(value)").fetchall()[0]
    assert (count, pytest.approx(highest)) == (20_001, pulled.config.stats.max)
    assert str(rows.filter("MD = 1000.1524").fetchall()[0][0]) == "1000.1524"


def test_polars(pulled: Any) -> None:
    polars = pytest.importorskip("polars")
    frame = polars.concat([polars.read_parquet("run-1/MD.parquet"), polars.read_parquet(parts())], how="horizontal")
    assert frame.shape == (20_001, 2) and frame["value"].null_count() == 1
    assert frame["value"].max() == pytest.approx(pulled.config.stats.max)


def test_pandas(pulled: Any) -> None:
    pandas = pytest.importorskip("pandas")
    values = pandas.concat(map(pandas.read_parquet, parts()), ignore_index=True)
    frame = pandas.concat([pandas.read_parquet("run-1/MD.parquet"), values], axis=1)
    assert list(frame.columns) == ["MD", "value"] and len(parts()) > 3
    assert frame["value"].isna().sum() == 1 and frame["value"].max() == pytest.approx(pulled.config.stats.max)
