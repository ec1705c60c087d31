"""What each format says of a table, in one piece and in chunks, and that foreign readers read it."""

import csv
import io
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.core.curves.model import Curve
from dataforge_registry.core.curves.windows.aligned import Aligned
from dataforge_registry.core.curves.writers import Extent, Format, format_of, write

FLOATS = pa.array([1.5, None, -0.25, 1234.125], pa.float32())
WORDS = pa.array(["shale", None, 'a "b", c', ""])
IMAGE = pa.array([[1, 2], [None, None], [3, None], [4, 5]], pa.list_(pa.float32(), 2))
COUNTS = pa.array([1, 2, None, 200], pa.uint8())


def everything(tables: Any, **index: Any) -> Aligned:
    """One curve of each kind."""
    curves = [
        Curve("GR", "GAPI", FLOATS, "gamma ray", text_decimals=3),
        Curve("LITH", "", WORDS),
        Curve("IMG", "dB", IMAGE),
        Curve("N", "", COUNTS),
    ]
    return tables.of(curves, tables.index(4, **index))


def made(kind: Format, aligned: Aligned, rows: int = 1000) -> bytes:
    chunks = aligned.chunks(rows)
    return b"".join(write(kind, chunks, extent=Extent.of([aligned])))


def test_csv(tables: Any) -> None:
    assert made(Format.csv, everything(tables)).decode() == (
        "MD [m],GR [GAPI],LITH,IMG[0] [dB],IMG[1] [dB],N\n"
        "1000.0,1.500,shale,1,2,1\n"
        "1000.1524,,,,,2\n"
        '1000.3048,-0.250,"a ""b"", c",3,,\n'
        '1000.4572,1234.125,"",4,5,200\n'
    )


def test_json(tables: Any) -> None:
    text = made(Format.json, everything(tables)).decode()
    assert '[1000.0,1.500,"shale",[1,2],1]' in text.splitlines()[1]
    body = json.loads(text)
    assert (body["well"], body["index"]) == ("Hole 1", {"kind": "MD", "mnemonic": "DEPT", "unit": "m"})
    assert [(curve["name"], curve["unit"], curve["dtype"], curve["width"]) for curve in body["curves"]] == [
        ("GR", "GAPI", "float32", 1), ("LITH", "", "utf8", 1), ("IMG", "dB", "float32", 2), ("N", "", "uint8", 1),
    ]  # fmt: skip
    assert body["data"] == [
        [1000.0, 1.5, "shale", [1, 2], 1],
        [1000.1524, None, None, [None, None], 2],
        [1000.3048, -0.25, 'a "b", c', [3, None], None],
        [1000.4572, 1234.125, "", [4, 5], 200],
    ]


def test_json_well_log_format(tables: Any) -> None:
    """The keys and types of jsonwelllogformat.org: a list of log sets; numbers, texts and null in rows of equal length,
    a list where a curve has more than one dimension."""
    (log,) = json.loads(made(Format.jwlf, everything(tables)))
    assert log.keys() == {"header", "curves", "data"}
    header = log["header"]
    assert (header["startIndex"], header["endIndex"], header["step"]) == (1000.0, 1000.4572, 0.1524)
    assert (header["well"], header["field"], header["country"], header["date"], header["runNumber"]) == (
        "Hole 1", "Wild", "US", "1997-06-21", "1",
    )  # fmt: skip
    assert [curve["name"] for curve in log["curves"]] == ["DEPT", "GR", "LITH", "IMG", "N"]
    assert [curve["valueType"] for curve in log["curves"]] == ["float", "float", "string", "float", "integer"]
    assert [curve["dimensions"] for curve in log["curves"]] == [1, 1, 1, 2, 1]
    assert log["curves"][0]["quantity"] == "length"
    for curve in log["curves"]:
        assert curve.keys() == {"name", "description", "quantity", "unit", "valueType", "dimensions"}
    assert len({len(row) for row in log["data"]}) == 1
    assert log["data"][1] == [1000.1524, None, None, [None, None], 2]


def test_json_well_log_format_of_times_and_infinities(tables: Any) -> None:
    curve = Curve("GR", "GAPI", pa.array([1.0, math.inf], pa.float64()))
    (log,) = json.loads(made(Format.jwlf, tables.of([curve], tables.index(2, scale=None))))
    assert log["curves"][0]["valueType"] == "datetime"
    assert log["data"] == [["1970-01-01T00:00:00Z", 1.0], ["1970-01-01T00:00:01.500000Z", None]]
    assert (log["header"]["startIndex"], log["header"]["step"]) == ("1970-01-01T00:00:00Z", 1500.0)


def test_json_has_infinities_as_texts(tables: Any) -> None:
    curve = Curve("GR", "GAPI", pa.array([math.inf, -math.inf, 1e-20, None], pa.float64()), text_decimals=2)
    body = json.loads(made(Format.json, tables.of([curve])))
    assert [row[1] for row in body["data"]] == ["inf", "-inf", 0.0, None]


@pytest.mark.parametrize("kind", [Format.csv, Format.json, Format.jwlf, Format.las])
def test_chunks_make_the_same_text(tables: Any, kind: Format) -> None:
    for direction in ("down", "up"):
        aligned = everything(tables, direction=direction)
        assert made(kind, aligned, 1) == made(kind, aligned, 3) == made(kind, aligned)


def test_writers_take_a_chunk_at_a_time(tables: Any) -> None:
    """Bytes of the first chunk are there before the second is asked for."""
    aligned = everything(tables)
    for kind in (Format.csv, Format.json, Format.jwlf, Format.las, Format.arrow, Format.parquet):
        asked = 0

        def chunks() -> Iterator[Aligned]:
            nonlocal asked
            for part in aligned.chunks(1):
                asked += 1
                yield part

        pieces = write(kind, chunks(), extent=Extent.of([aligned]))
        found = b""
        while len(found) < 300 and asked < 2:
            found += next(pieces)
        assert asked <= 2 and found, kind


@pytest.mark.parametrize("rows", [1, 1000])
def test_parquet_is_read_by_pyarrow_pandas_polars_and_duckdb(tables: Any, tmp_path: Path, rows: int) -> None:
    duckdb, pandas, polars = (pytest.importorskip(name) for name in ("duckdb", "pandas", "polars"))
    aligned = everything(tables)
    path = tmp_path / "x.parquet"
    path.write_bytes(made(Format.parquet, aligned, rows))
    table = pq.read_table(path)
    assert table.column_names == ["MD", "GR", "LITH", "IMG", "N"]
    assert table["MD"].to_pylist() == [Decimal(f"{1000 + row * 0.1524:.4f}") for row in range(4)]
    assert table["GR"].to_pylist() == FLOATS.to_pylist()
    assert table["LITH"].to_pylist() == WORDS.to_pylist()
    assert table["IMG"].to_pylist() == IMAGE.to_pylist()
    assert pq.read_metadata(path).num_row_groups == (4 if rows == 1 else 1)
    notes = pq.read_metadata(path).metadata
    assert json.loads(notes[b"io.dataforge.curves"])[0]["unit"] == "GAPI"
    assert pandas.read_parquet(path)["GR"].tolist()[0] == 1.5
    assert polars.read_parquet(path)["GR"].to_list() == FLOATS.to_pylist()
    found = duckdb.sql(f"SELECT MD, GR, IMG FROM '{path}' WHERE MD > 1000.3").fetchall()
    assert found[0] == (Decimal("1000.3048"), -0.25, (3.0, None)) or found[0][2] == [3.0, None]


@pytest.mark.parametrize("rows", [1, 1000])
def test_arrow_is_read_by_pyarrow_and_polars(tables: Any, rows: int) -> None:
    polars = pytest.importorskip("polars")
    aligned = everything(tables)
    data = made(Format.arrow, aligned, rows)
    table = pa.ipc.open_stream(data).read_all()
    assert table.combine_chunks().equals(aligned.table.combine_chunks())
    assert table.schema.metadata[b"io.dataforge.well"] == b"Hole 1"
    assert polars.read_ipc_stream(io.BytesIO(data))["GR"].to_list() == FLOATS.to_pylist()


def test_csv_is_read_by_pandas_polars_and_duckdb(tables: Any, tmp_path: Path) -> None:
    duckdb, pandas, polars = (pytest.importorskip(name) for name in ("duckdb", "pandas", "polars"))
    path = tmp_path / "x.csv"
    path.write_bytes(made(Format.csv, everything(tables)))
    wanted = FLOATS.to_pylist()
    frame = pandas.read_csv(path)
    assert [None if math.isnan(value) else value for value in frame["GR [GAPI]"]] == wanted
    assert polars.read_csv(path)["GR [GAPI]"].to_list() == wanted
    rows = duckdb.sql(f"SELECT \"GR [GAPI]\", LITH FROM read_csv('{path}')").fetchall()
    assert [row[0] for row in rows] == wanted
    assert rows[2][1] == 'a "b", c'


def test_las_is_read_by_lasio(tables: Any) -> None:
    lasio = pytest.importorskip("lasio")
    values = np.round(np.random.default_rng(1).normal(50, 20, 500), 3).astype(np.float32)
    curves = [
        Curve("GR", "GAPI", pa.array(values, mask=values < 40), "gamma: ray", text_decimals=3),
        Curve("RHOB.X", "G/C3", pa.array(values[::-1].copy()), text_decimals=3),
        Curve("IMG", "dB", pa.array([[float(n), n / 2] for n in values], pa.list_(pa.float64(), 2))),
    ]
    for direction in ("down", "up"):
        aligned = tables.of(curves, tables.index(500, direction=direction))
        las = lasio.read(io.StringIO(made(Format.las, aligned).decode()))
        order = slice(None, None, -1 if direction == "up" else 1)
        assert las.keys() == ["DEPT", "GR", "RHOB_X", "IMG[0]", "IMG[1]"]
        assert las.well.WELL.value == "Hole 1" and las.curves.GR.unit == "GAPI" and las.curves.DEPT.unit == "M"
        depths = np.array([float(text) for text in aligned.index_texts()])[order]
        assert np.array_equal(las["DEPT"], depths)
        assert (las.well.STRT.value, las.well.STOP.value) == (depths[0], depths[-1])
        assert las.well.STEP.value == pytest.approx(depths[1] - depths[0])
        wanted = np.where(values < 40, np.nan, np.array([float(f"{value:.3f}") for value in values]))[order]
        assert np.array_equal(las["GR"], wanted, equal_nan=True)


@pytest.mark.parametrize("kind", list(Format))
def test_an_empty_window(tables: Any, kind: Format) -> None:
    empty = everything(tables).slice(0, 0)
    if kind in (Format.las, Format.dlis):
        with pytest.raises(CurveError, match="give a window with samples in it"):
            made(kind, empty)
        return
    data = made(kind, empty)
    if kind is Format.csv:
        assert len(data.splitlines()) == 1
    elif kind in (Format.json, Format.jwlf):
        body = json.loads(data)
        assert (body if kind is Format.json else body[0])["data"] == []
    elif kind is Format.parquet:
        assert pq.read_table(pa.BufferReader(data)).num_rows == 0


def test_formats_by_name() -> None:
    assert format_of("LAS") is Format.las
    assert Format.jwlf.suffix == ".json"
    with pytest.raises(CurveError, match="no format 'xls': it is one of las, csv"):
        format_of("xls")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_any_curve_is_in_csv_and_json_what_it_was(tables: Any, value_arrays: Any, data: st.DataObject) -> None:
    values = data.draw(value_arrays)
    aligned = tables.of([Curve("GR", "GAPI", values)])
    kept = aligned.columns[0].values.to_pylist()
    rows = list(csv.reader(io.StringIO(made(Format.csv, aligned).decode(), newline="")))[1:]
    body = json.loads(made(Format.json, aligned))["data"]
    for value, row, item in zip(kept, rows, body, strict=True):
        if isinstance(value, str):
            assert row[1] == value == item[1]
        elif value is None:
            assert row[1] == "" and item[1] is None
        elif isinstance(value, int):
            assert int(row[1]) == value == item[1]
        elif isinstance(value, float):
            single = values.type == pa.float32()
            assert float(np.float32(row[1]) if single else row[1]) == value
            assert float(np.float32(item[1]) if single else item[1]) == value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    ticks=st.lists(st.integers(-(10**14), 10**14), min_size=1, max_size=20).map(sorted),
    scale=st.sampled_from([4, 6, 7, 12]),
)
def test_any_index_prints_exactly(tables: Any, ticks: list[int], scale: int) -> None:
    index = tables.index(len(ticks), scale=scale)
    object.__setattr__(index, "ticks", np.array(ticks, dtype=np.int64))
    aligned = tables.of([Curve("GR", "", pa.array([1.0] * len(ticks), pa.float32()))], index)
    lines = made(Format.csv, aligned).decode().splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == aligned.index_texts()


def test_times_print_as_iso_8601(tables: Any) -> None:
    aligned = tables.of([Curve("GR", "", FLOATS)], tables.index(4, scale=None))
    texts = [line.split(",")[0] for line in made(Format.csv, aligned).decode().splitlines()[1:]]
    assert texts == aligned.index_texts()
    assert datetime.fromisoformat(texts[1]) == datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)
