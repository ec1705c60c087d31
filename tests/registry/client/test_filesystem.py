"""`dataforge://` through fsspec, read by the libraries that people read Parquet with."""

import asyncio
from collections.abc import Iterator
from typing import Any

import duckdb
import fsspec
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

import dataforge_registry
from dataforge_registry.core.curves.errors import CurveError
from dataforge_registry.registry.client.filesystem import DataForgeFileSystem
from dataforge_registry.registry.client.wells import WellImport, open_las

GR = "files/file-1/log/gr"


@pytest.fixture(scope="module")
def files(open_server: Any, logs: Any) -> Iterator[Any]:
    async def bring() -> None:
        async with dataforge_registry.connect_async(open_server.url, cache=None) as registry:
            content = logs.las("File 1", {"GR": logs.smooth(20_000), "RHOB": logs.smooth(20_000, 1)})
            await WellImport(registry.remote, "files").push(open_las(content, "x.las"))
            curve = registry.curve(GR)
            log = await curve.read()
            await curve.commit((log.index, log["GR"] + 1), operation="shift")

    # The entry point is that of an installed package; a source tree has to say it.
    fsspec.register_implementation("dataforge", DataForgeFileSystem, clobber=True)
    asyncio.run(bring())
    yield fsspec.filesystem("dataforge", registry=open_server.url, cache=None, skip_instance_cache=True)


def test_folders(files: Any) -> None:
    assert "files" in files.ls("dataforge://", detail=False)
    assert files.ls("dataforge://files", detail=False) == ["files/file-1"]
    assert files.ls("files/file-1", detail=False) == ["files/file-1/log"]
    assert files.ls("files/file-1/log/", detail=False) == [f"{GR}.parquet", "files/file-1/log/rhob.parquet"]
    assert files.isdir("files/file-1") and files.isfile(f"{GR}.parquet") and not files.exists("files/none")
    assert files.glob("files/file-1/log/*.parquet") == files.ls("files/file-1/log", detail=False)


def test_a_file_and_its_ranges(files: Any) -> None:
    info = files.info(f"{GR}@v1.parquet")
    data = files.cat_file(f"{GR}@v1.parquet")
    assert (info["type"], info["size"], data[:4], data[-4:]) == ("file", len(data), b"PAR1", b"PAR1")
    assert files.cat_ranges([f"{GR}@v1.parquet"] * 2, [0, -4], [4, None]) == [b"PAR1", b"PAR1"]
    with files.open(f"{GR}@v1.parquet") as file:
        assert pq.read_table(file).num_rows == 20_000
    with pytest.raises(FileNotFoundError):
        files.info(f"{GR}@v9.parquet")
    with pytest.raises(FileNotFoundError, match="PROJECT/WELL/FRAME/CURVE"):
        files.cat_file("files/file-1/log/gr.las")
    with pytest.raises(CurveError, match="read only"):
        files.open(f"{GR}.parquet", "wb")


def test_pandas_reads_versions(files: Any, open_server: Any) -> None:
    options = {"registry": open_server.url, "cache": None}
    old = pd.read_parquet(f"dataforge://{GR}@v1.parquet", storage_options=options)
    new = pd.read_parquet(f"dataforge://{GR}.parquet", storage_options=options)
    assert list(old.columns) == ["MD", "GR"]
    assert np.nanmax(np.abs(new["GR"] - old["GR"] - 1)) < 1e-4


def test_polars_reads_it(files: Any) -> None:
    with files.open(f"{GR}.parquet") as file:
        assert pl.read_parquet(file).shape == (20_000, 2)


def test_duckdb_reads_it(files: Any) -> None:
    with duckdb.connect() as database:
        database.register_filesystem(files)
        query = f"SELECT count(*), count(GR), min(MD) FROM read_parquet('dataforge://{GR}.parquet')"
        rows, there, first = database.execute(query).fetchall()[0]
    assert (rows, there, float(first)) == (20_000, 20_000 - len(range(0, 20_000, 97)), 1000.0)
