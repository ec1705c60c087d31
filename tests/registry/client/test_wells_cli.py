"""`dfr import`, `ls` and `read` as a user runs them, the Python API, and the demo."""

import io
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from dataforge_registry.registry.demo import MEMBER, generated_well


def dfr(server: Any, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "dataforge_registry.registry", *map(str, arguments)],
        env={**os.environ, "DFR_REGISTRY": getattr(server, "url", server), "DFR_USERNAME": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="session")
def well(open_server: Any, logs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in project `cli`, well `cli-1`."""
    path = tmp_path_factory.mktemp("las") / "cli.las"
    path.write_bytes(logs.las("CLI 1", {"GR": np.array([1.5, np.nan, 3.25, 4.0]), "SP": logs.smooth(4)}))
    dfr(open_server, "import", path, "--into", "cli")
    return path


def test_import_ends_with_a_table(open_server: Any, well: Path) -> None:
    done = dfr(open_server, "import", well, "--into", f"{open_server.url}/cli")
    rows = dict(line.strip().rsplit("  ", 1) for line in done.stdout.splitlines() if "  " in line.strip())
    figures = {name.strip(): value.strip() for name, value in rows.items()}
    assert figures["wells"] == "cli/cli-1" and figures["curves"] == "2 (0 new versions)"
    assert figures["samples"] == "8" and figures["bytes sent"] == "0" and figures["blobs sent"] == "0"


def test_ls(open_server: Any, well: Path) -> None:
    assert "cli/cli-1" in dfr(open_server, "ls").stdout
    address = f"{open_server.url}/v2/cli/notes/blobs/uploads/"
    with urllib.request.urlopen(urllib.request.Request(address, method="POST")) as answer:
        assert answer.status == 202
    listed = dfr(open_server, "ls", "cli").stdout
    assert "cli/cli-1" in listed and "cli/notes" not in listed
    curves = dfr(open_server, "ls", "cli/cli-1").stdout
    assert "cli/cli-1/log/gr" in curves and "GAPI" in curves and "1001.5" in curves and "MD m" in curves
    assert dfr(open_server, "ls", "cli/cli-1/log").stdout == curves
    versions = dfr(open_server, "ls", f"{open_server.url}/cli/cli-1/log/gr").stdout.split()
    assert {"v1", "latest"} < set(versions)
    assert "latest" not in dfr(open_server, "ls", "cli/cli-1/log/gr:v1").stdout


def test_read_csv(open_server: Any, well: Path) -> None:
    done = dfr(open_server, "read", "cli/cli-1/log/gr", "--from", "1000.5")
    assert done.stdout == "MD [m],GR [GAPI]\n1000.5,\n1001.0,3.250\n1001.5,4.000\n"


def test_read_json(open_server: Any, well: Path) -> None:
    body = json.loads(dfr(open_server, "read", "cli/cli-1/log/gr:v1", "--to", "1000.5", "--format", "json").stdout)
    assert body["data"] == [[1000.0, 1.5], [1000.5, None]]
    assert (body["curves"][0]["unit"], body["index"]["unit"], body["well"]) == ("GAPI", "m", "CLI 1")


def test_read_parquet(open_server: Any, well: Path, tmp_path: Path) -> None:
    target = tmp_path / "gr.parquet"
    dfr(open_server, "read", "cli/cli-1/log/gr", "--format", "parquet", "-o", target)
    table = pq.read_table(io.BytesIO(target.read_bytes()))
    assert table.column_names == ["MD", "GR"] and table["GR"].to_pylist() == [1.5, None, 3.25, 4.0]
    assert [str(depth) for depth in table["MD"].to_pylist()] == ["1000.0000", "1000.5000", "1001.0000", "1001.5000"]
    said = pq.read_metadata(target).metadata
    assert said[b"io.dataforge.unit"] == b"GAPI" and said[b"io.dataforge.index-unit"] == b"m"


def blobs_read(server: Any, repository: str) -> list[tuple[str, int]]:
    """What the server's access log says was fetched of a repository: (digest, bytes sent)."""
    found = []
    for line in (server.directory.parent / "log").read_text().splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        path, _, digest = entry.get("path", "").partition("/blobs/")
        if path == f"/v2/{repository}" and entry["method"] == "GET":
            found.append((digest, entry["bytes_out"]))
    return found


def test_a_window_fetches_only_the_layers_that_hold_it(open_server: Any, logs: Any, tmp_path: Path) -> None:
    """50 m out of 30 km: the header, and one or two of the curve's many segments; its depths are regular."""
    path, name = tmp_path / "long.las", "cli-long/long-1/log/gr"
    path.write_bytes(logs.las("Long 1", {"GR": logs.smooth(60_000)}))
    dfr(open_server, "import", path, "--into", "cli-long")
    done = dfr(open_server, "read", name, "--from", "9000", "--to", "9050")
    assert len(done.stdout.splitlines()) == 1 + 101
    window = blobs_read(open_server, name)
    dfr(open_server, "read", name)
    whole = blobs_read(open_server, name)[len(window) :]
    assert len(window) in (2, 3) and set(window) < set(whole) and len(whole) > 10
    assert sum(size for _, size in window) < sum(size for _, size in whole) / 5


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["read", "cli"], 2, "is no reference"),
        (["read", "cli/cli-1/log/gr", "--from", "deep"], 2, "give a number"),
        (["read", "cli/cli-1/log/gr", "--from", "5000"], 2, "its MD runs from 1000.0 to 1001.5 m"),
        (["read", "cli/cli-1/log/gr", "--to", "999.9"], 2, "its MD runs from 1000.0 to 1001.5 m"),
        (["read", "cli/cli-1/log/gr", "--from", "1000.1", "--to", "1000.4"], 2, "no sample of cli/cli-1/log/gr"),
        (["read", "cli/cli-1/log/gr", "--from", "1001", "--to", "1000"], 2, "upside down"),
        (["read", "cli/cli-1/log/gr", "--format", "xls"], 2, "there is no format 'xls': it is one of las, csv"),
        (["read", "cli/cli-1/log/none"], 1, "there is no curve cli/cli-1/log/none"),
        (["read", "cli/cli-1/log/gr:v9"], 1, "there is no curve cli/cli-1/log/gr:v9"),
        (["ls", "cli/none"], 1, "there is no well cli/none"),
        (["ls", "none"], 1, "there is no well in none"),
        (["ls", "cli/cli-1/none"], 1, "cli/cli-1 has no frame none; dfr ls cli/cli-1 lists them"),
        (["ls", "cli/cli-1:v9"], 1, "there is no well cli/cli-1:v9"),
        (["ls", "cli/cli-1/log/gr:v9"], 1, "there is no curve cli/cli-1/log/gr:v9; dfr ls cli/cli-1/log/gr"),
        (["ls", "cli/cli-1/log/none"], 1, "there is no curve cli/cli-1/log/none; dfr ls cli/cli-1"),
        (["import", "none.las", "--into", "cli"], 1, "No such file"),
        (["import", "none.las", "--into", "UPPER"], 2, "project"),
    ],
)
def test_what_is_wrong_is_one_line(open_server: Any, well: Path, arguments: list[str], code: int, said: str) -> None:
    done = dfr(open_server, *arguments, code=code)
    assert said in done.stderr
    assert all(line.startswith("dfr: ") for line in done.stderr.splitlines())


def test_no_registry_there_is_one_line() -> None:
    done = dfr("http://127.0.0.1:9", "ls", code=1)
    assert "cannot be reached" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_bad_file_is_refused_and_the_others_go_on(open_server: Any, logs: Any, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.las", tmp_path / "bad.las"
    good.write_bytes(logs.las("Sent", {"GR": logs.smooth(5)}))
    bad.write_bytes(b"~Version\nVERS. 2.0 :\n")
    done = dfr(open_server, "import", bad, good, "--into", "cli-bad", code=1)
    assert f"dfr: refused: {bad}: the file is cut off or incomplete" in done.stderr
    assert "cli-bad/sent" in dfr(open_server, "ls").stdout


def test_the_demo_runs_to_its_end() -> None:
    """With the generated well in the place of the one it would fetch."""
    # Not in pytest's folder: that one is closed to the user a private PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix="dfr-demo-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / ".demo").mkdir()
        (folder / ".demo" / Path(MEMBER).name).write_bytes(generated_well())
        done, again = (
            subprocess.run(
                [sys.executable, "-m", "dataforge_registry.registry.demo"],
                cwd=folder,
                env={**os.environ, "ONCE": "1", "PORT": "0", "COLUMNS": "200"},
                capture_output=True,
                text=True,
            )
            for _ in range(2)
        )
        assert (done.returncode, again.returncode) == (0, 0), done.stderr + again.stderr
        picture = (folder / ".demo" / "edit.svg").read_bytes()
    for said in (
        "Import, second time",
        "0 blobs and 0 bytes sent",
        "every value is the one in the file",
        "oras-py pulled",
        "committed: v2",
        "interpolate",
        "samples: 21 changed",
        "permian/dataforge-demo-1/log/gr",
        ".demo/edit.svg: 3 curves",
    ):
        assert said in done.stdout
    assert picture.startswith(b"<?xml") and "same as the version there is, nothing sent" in again.stdout
    assert done.stderr == ""
