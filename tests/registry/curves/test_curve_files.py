"""Curves as Parquet files: ranges, conditions, equal bytes, and the readers people use, over real servers."""

import io
from typing import Any

import fsspec
import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataforge_registry.core.curves.model import Index

from ..v2.conftest import PASSWORD, Registry, together
from .conftest import frame, pushed, smooth

PARQUET = "application/vnd.apache.parquet"
ROWS = 20_000


@pytest.fixture(scope="module")
def gr(open_registry: Registry) -> str:
    """The address of a curve's file, v2 of two versions, without @ and suffix."""
    values = smooth(ROWS)
    first = pushed(open_registry, "files/w1/run1/gr", frame(values), "v1")
    values = values.copy()
    values[500:510] = np.nan
    pushed(open_registry, "files/w1/run1/gr", frame(values), "v2", "latest", previous=first)
    return "/api/v1/files/files/w1/run1/gr"


def url(registry: Registry, path: str) -> str:
    return f"http://{registry.host}{path}"


def test_a_whole_file_joins_index_and_values(registry: Registry, gr: str) -> None:
    answer = registry.send("GET", f"{gr}.parquet")
    assert (answer.status, answer.headers["content-type"]) == (200, PARQUET)
    file = pq.ParquetFile(io.BytesIO(answer.body))
    table = file.read()
    assert table.column_names == ["MD", "GR"]
    assert table.num_rows == ROWS
    assert str(table["MD"][1].as_py()) == "1000.5000"
    assert table["GR"].null_count == 10
    assert table["GR"].drop_null().to_numpy()[0] == smooth(ROWS)[0]
    assert file.metadata.num_row_groups == 5
    assert file.metadata.metadata[b"io.dataforge.index-unit"] == b"m"
    assert answer.headers["content-disposition"] == 'attachment; filename="w1_run1_gr_latest.parquet"'


def test_every_way_to_name_a_version(registry: Registry, gr: str) -> None:
    latest = registry.send("GET", f"{gr}.parquet")
    etag = latest.headers["etag"]
    digest = etag.strip('"').partition(".")[0]
    for name in ("@v2", ":v2", "@latest", f"@{digest}", f"@{digest.replace(':', '%3A')}"):
        answer = registry.send("GET", f"{gr}{name}.parquet")
        assert (answer.status, answer.headers["etag"], answer.body) == (200, etag, latest.body)
    assert "immutable" in registry.send("HEAD", f"{gr}@{digest}.parquet").headers["cache-control"]
    assert "no-cache" in latest.headers["cache-control"]
    assert registry.send("GET", f"{gr}@v1.parquet").headers["etag"] != etag
    assert registry.send("HEAD", "/api/v1/files/files/w1/Run1/GR@v2.parquet").status == 200  # a true name


def test_ranges_and_conditions(registry: Registry, gr: str) -> None:
    whole = registry.send("GET", f"{gr}@v2.parquet")
    size, etag = len(whole.body), whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes"

    def ask(method: str = "GET", **headers: str) -> Any:
        return registry.send(method, f"{gr}@v2.parquet", headers={k.replace("_", "-"): v for k, v in headers.items()})

    for spec, start, stop in (("100-199", 100, 200), ("100-", 100, size), ("-8", size - 8, size), ("0-0", 0, 1)):
        answer = ask(Range=f"bytes={spec}", Accept_Encoding="gzip, deflate, br, zstd")
        assert answer.status == 206
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
        assert answer.body == whole.body[start:stop]
        assert "content-encoding" not in answer.headers
    assert ask(Range=f"bytes=-{size * 2}").body == whole.body
    refused = ask(Range=f"bytes={size}-")
    assert (refused.status, refused.headers["content-range"]) == (416, f"bytes */{size}")
    assert ask(Range="bytes=junk").status == 200
    assert ask(Range="bytes=0-1,4-5").body == whole.body
    head = ask("HEAD", Range="bytes=0-1")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(size), b"")
    assert ask(If_None_Match=etag).status == 304
    assert ask("HEAD", If_None_Match=f'"x", {etag}').status == 304
    assert ask(If_None_Match='"sha256:other"').status == 200
    assert ask(Range="bytes=0-3", If_Range=etag).status == 206
    assert ask(Range="bytes=0-3", If_Range='"other"').status == 200


def test_readers_that_come_together_get_the_same_bytes(registry: Registry) -> None:
    pushed(registry, "files/w2/run1/gr", frame(smooth(70_000, 3)))
    path = "/api/v1/files/files/w2/run1/gr.parquet"
    answers = together([lambda: registry.send("GET", path, headers={"Range": "bytes=0-99"}) for _ in range(8)])
    assert {(answer.status, answer.body, answer.headers["etag"]) for answer in answers} == {
        (206, answers[0].body, answers[0].headers["etag"])
    }


@pytest.mark.parametrize("kind", ["texts", "times", "arrays", "integers"])
def test_every_kind_of_curve_becomes_a_file(registry: Registry, kind: str) -> None:
    values: Any = pa.array([1, None, 3], pa.int16())
    index = None
    if kind == "texts":
        values = pa.array(["sand", None, "shale"])
    elif kind == "times":
        index = Index("TIME", "TIME", "s", "S", np.array([0, 10**6, 2 * 10**6]), None)
    elif kind == "arrays":
        values = pa.array([[1.0, 2.0], [5.0, 6.0], [3.0, 4.0]], pa.list_(pa.float32(), 2))
    pushed(registry, f"files/w3/{kind}/x", frame(values, name=kind, mnemonic="X", index=index))
    answer = registry.send("GET", f"/api/v1/files/files/w3/{kind}/x.parquet")
    assert answer.status == 200, answer.body
    table = pq.read_table(io.BytesIO(answer.body))
    assert table.column(1).to_pylist() == values.to_pylist()


def test_a_pull_is_counted_once_a_reading(registry: Registry) -> None:
    pushed(registry, "files/w6/run1/gr", frame(smooth(ROWS)))
    path = "/api/v1/files/files/w6/run1/gr.parquet"
    size = int(registry.send("HEAD", path).headers["content-length"])
    for spec in (f"{size - 8}-{size - 1}", "0-99", "100-199"):  # footer, then columns
        assert registry.send("GET", path, headers={"Range": f"bytes={spec}"}).status == 206
    assert registry.send("GET", path).status == 200
    ask = "SELECT pull_count FROM repository WHERE name = 'files/w6/run1/gr'"
    while (found := registry.records(ask)[0][0]) < 2:  # written once a second
        pass
    assert found == 2


def test_pandas_polars_and_pyarrow_read_it(registry: Registry, gr: str) -> None:
    address = url(registry, f"{gr}@v2.parquet")
    expected = smooth(ROWS)
    first = pandas.read_parquet(address)
    assert len(first) == ROWS
    assert first["GR"][0] == pytest.approx(expected[0])
    lazy = polars.scan_parquet(address).filter(polars.col("MD").is_between(1500, 1510)).collect()
    assert lazy.height == 21
    assert float(lazy["GR"][0]) == pytest.approx(float(expected[1000]))
    window = pq.read_table(address, filesystem=fsspec.filesystem("http"), columns=["GR"])
    assert window.num_rows == ROWS


def test_duckdb_reads_it(registry: Registry, gr: str) -> None:
    duckdb = pytest.importorskip("duckdb")
    connection = duckdb.connect()
    try:
        connection.execute("INSTALL httpfs; LOAD httpfs")
    except duckdb.Error:
        pytest.skip("DuckDB's httpfs cannot be had here; its requests are replayed below")
    address = url(registry, f"{gr}@v2.parquet")
    rows = connection.execute(f"SELECT avg(GR) FROM '{address}' WHERE MD BETWEEN 1500 AND 1510").fetchall()
    assert rows[0][0] == pytest.approx(float(smooth(ROWS)[1000:1021].mean()))


def test_what_other_readers_send(registry: Registry, gr: str) -> None:
    """DuckDB 1.5 with httpfs, polars 2.1 and hyparquet 1.31 as their requests were seen on the wire."""
    path = f"{gr}@v2.parquet"
    size = int(registry.send("HEAD", path).headers["content-length"])
    whole = registry.send("GET", path).body
    for spec, start, stop in (
        (f"bytes={size - 16384}-{size - 1}", size - 16384, size),
        (f"bytes=0-{size}", 0, size),
        ("bytes=-262144", max(0, size - 262144), size),
        (f"bytes={size - 8}-{size - 1}", size - 8, size),
        ("bytes=4-20000", 4, 20001),
    ):
        answer = registry.send("GET", path, headers={"Range": spec, "Accept-Encoding": "gzip, deflate"})
        assert (answer.status, answer.body) == (206, whole[start:stop])
        assert int(answer.headers["content-length"]) == stop - start


def test_what_is_no_file(registry: Registry, gr: str) -> None:
    assert registry.send("GET", f"{gr}@v9.parquet").status == 404
    assert registry.send("GET", f"{gr}.csv").status == 404
    assert registry.send("GET", "/api/v1/files/files/w9/run1/gr.parquet").status == 404
    assert registry.send("GET", "/api/v1/files/files/w1/run1/.parquet").status == 400
    assert registry.send("GET", "/api/v1/files/files/w1/run1/gr@.parquet").status == 400
    assert registry.send("GET", "/api/v1/files/files/w1/run1/%00.parquet").status == 404
    assert registry.send("GET", "/api/v1/files/files/w1/run1/%F0%9F%9B%A2%EF%B8%8F.parquet").status == 404
    assert registry.send("POST", f"{gr}.parquet", b"").status == 405
    image = registry.image("files/w4/run1/gr")
    assert registry.put("files/w4/run1/gr", "latest", image).status == 201
    answer = registry.send("GET", "/api/v1/files/files/w4/run1/gr.parquet")
    assert answer.status == 400
    assert b"name one curve" in answer.body


def test_only_for_those_who_may_pull(door: Registry) -> None:
    ann, guy, eve = (door.by(user) for user in ("ann", "guy", "eve"))
    pushed(ann, "wells/w5/run1/gr", frame(smooth(100)))
    pushed(ann, "open/w5/run1/gr", frame(smooth(100)))
    private, public = (f"/api/v1/files/{project}/w5/run1/gr.parquet" for project in ("wells", "open"))
    assert [user.send("GET", private).status for user in (ann, guy, eve, door)] == [200, 200, 403, 401]
    assert [user.send("GET", public).status for user in (ann, guy, eve, door)] == [200] * 4
    absent = "/api/v1/files/nowhere/w5/run1/gr.parquet"
    assert eve.send("GET", absent).body == eve.send("GET", private.replace("w5", "w6")).body
    assert door.by("ann", "wrong").send("GET", public).status == 401
    frames = pandas.read_parquet(url(door, private), storage_options={"Authorization": ann.login["Authorization"]})
    assert len(frames) == 100
    assert PASSWORD not in (door.server.directory.parent / "log").read_text()
