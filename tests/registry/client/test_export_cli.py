"""`dfr export` and `dfr read` of several curves, as a user runs them."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import lasio
import numpy as np
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.curves import schema
from dataforge_registry.core.curves.readers.las.reader import read_las
from dataforge_registry.core.curves.schema import Descriptor, Manifest
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.registry.client.remote import RemoteRegistry
from dataforge_registry.registry.commands.export import file_name


def dfr(
    server: Any, *arguments: str | Path, code: int = 0, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "dataforge_registry.registry", *map(str, arguments)],
        env={**os.environ, "DFR_REGISTRY": server.url, "DFR_USERNAME": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        cwd=cwd,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="session")
def file(open_server: Any, logs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in project `out`, well `out-1`, frames `log` and, half a metre deeper and longer, `second`."""
    folder = tmp_path_factory.mktemp("out")
    path, other = folder / "one.las", folder / "two.las"
    remark = "#a remark of the logger\n"
    path.write_bytes(logs.las("Out 1", {"GR": logs.smooth(200), "SP": logs.smooth(200, 1)}, extra=remark))
    other.write_bytes(logs.las("Out 1", {"DT": logs.smooth(240, 2)}, start=1000.5))
    dfr(open_server, "import", path, "--into", "out")
    dfr(open_server, "import", other, "--into", "out", "--frame", "second")
    return path


def test_a_frame_leaves_as_it_came(open_server: Any, file: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.las"
    done = dfr(open_server, "export", "out/out-1/log", "-o", target)
    assert [word for word in done.stdout.split() if word.isdigit()][:2] == ["2", "200"]
    assert target.read_text().split("~A")[0] == file.read_text().split("~A")[0]
    before, after = (read_las(path.read_bytes(), "x.las") for path in (file, target))
    assert [curve.values for curve in after.curves] == [curve.values for curve in before.curves]
    dfr(open_server, "export", "out/out-1/log", "-o", target)  # over the first
    assert list(tmp_path.iterdir()) == [target]
    assert done.stderr == "" and target.stat().st_mode & 0o777 == 0o666 & ~os.umask(os.umask(0o22))


def test_a_well_is_a_file_a_frame(open_server: Any, file: Path, tmp_path: Path) -> None:
    dfr(open_server, "export", "out/out-1", "--format", "csv", "-o", "new/sub/", cwd=tmp_path)
    names = sorted(path.name for path in (tmp_path / "new/sub").iterdir())
    assert names == ["out-1-log.csv", "out-1-second.csv"]
    assert (tmp_path / "new/sub/out-1-second.csv").read_text().startswith("MD [m],DT [GAPI]\n1000.5,")


def test_a_well_in_one_file_is_joined(open_server: Any, file: Path, tmp_path: Path) -> None:
    target = tmp_path / "x.las"
    dfr(open_server, "export", "out/out-1", "-o", target)
    las = lasio.read(str(target))
    assert las.keys() == ["DEPT", "GR", "SP", "DT"]
    assert (las["DEPT"][0], las["DEPT"][-1], len(las["DEPT"])) == (1000.0, 1120.0, 241)
    assert np.isnan(las["DT"][0]) and np.isnan(las["GR"][-1])
    assert "a remark" not in target.read_text()  # of one of the two files: neither header fits


def test_units_steps_and_windows(open_server: Any, file: Path) -> None:
    window = ("--unit", "ft", "--from", "3300", "--to", "3302", "--step", "1")
    done = dfr(open_server, "read", "out/out-1/log/gr", "out/out-1/second/dt", *window)
    lines = done.stdout.splitlines()
    assert lines[0] == "MD [ft],GR [GAPI],DT [GAPI]"
    assert [line.split(",")[0] for line in lines[1:]] == ["3300.0", "3301.0", "3302.0"]
    done = dfr(open_server, "read", "out/out-1/log/gr", "--unit", "ft", "--to", "3283")
    assert done.stdout.splitlines()[1].startswith("3280.8399,")
    assert done.stderr == "dfr: the index of GR is rounded to 1e-4 ft\n"


def test_every_format(open_server: Any, file: Path, tmp_path: Path) -> None:
    for name in ("csv", "parquet", "arrow", "json", "jwlf", "las", "dlis"):
        target = tmp_path / f"x.{name}"
        dfr(open_server, "export", "out/out-1/log", "--format", name, "-o", target)
    assert pq.read_table(tmp_path / "x.parquet").column_names == ["MD", "GR", "SP"]
    assert pyarrow.ipc.open_stream((tmp_path / "x.arrow").read_bytes()).read_all().num_rows == 200
    assert len(json.loads((tmp_path / "x.json").read_text())["data"]) == 200
    (log,) = json.loads((tmp_path / "x.jwlf").read_text())
    assert [curve["name"] for curve in log["curves"]] == ["DEPT", "GR", "SP"]
    assert (tmp_path / "x.dlis").read_bytes()[4:9] == b"V1.00"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["export", "out/out-1/log", "-o", "none/x.las"], 1, "none/x.las cannot be written: No such file"),
        (["export", "out/out-1/log", "--format", "xls", "-o", "x"], 2, "there is no format 'xls'"),
        (["export", "out/none", "-o", "x.las"], 1, "there is no well out/none"),
        (["export", "out/out-1/log/gr", "--from", "5000", "-o", "x.las"], 2, "its MD runs from 1000.0 to 1099.5 m"),
        (["export", "out/out-1/log/gr", "--unit", "degC", "-o", "x.las"], 2, "no way from m to degC"),
        (["export", "out/out-1/log/gr", "--step", "0", "-o", "x.las"], 2, "not above zero"),
        (["export", "out/out-1/log/gr", "other/well-2/log/gr", "-o", "x.las"], 1, "no curve other/well-2/log/gr"),
        (["read", "out/out-1/log/gr", "http://127.0.0.1:9/a/b/c/d"], 2, "curves of one registry at a time"),
    ],
)
def test_what_is_wrong_is_one_line(
    open_server: Any, file: Path, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    done = dfr(open_server, *arguments, code=code, cwd=tmp_path)
    assert said in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_wells_of_several_names_need_a_folder(open_server: Any, file: Path, logs: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.las"
    path.write_bytes(logs.las("Other", {"GR": logs.smooth(9)}))
    dfr(open_server, "import", path, "--into", "out")
    done = dfr(open_server, "export", "out/out-1/log/gr", "out/other", "-o", "x.las", code=2, cwd=tmp_path)
    assert "give a folder, -o DIR/" in done.stderr
    dfr(open_server, "export", "out/out-1/log/gr", "out/other", "-o", ".", cwd=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.las", "other-log.las", "out-1-log.las"]


HOSTILE = ["../../x", "/etc/x", "..", "a\\..\\b", "CON", "x" * 300, "C:\\x", "a\tb"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_in_the_folder(open_server: Any, logs: Any, tmp_path: Path, name: str) -> None:
    source, target = tmp_path / "in.las", tmp_path / "target"
    source.write_bytes(logs.las(name.replace("\t", " "), {"GR": logs.smooth(9)}))
    dfr(open_server, "import", source, "--into", f"hostile{HOSTILE.index(name)}", "--frame", name)
    listed = dfr(open_server, "ls", f"hostile{HOSTILE.index(name)}").stdout
    well = re.search(rf"hostile{HOSTILE.index(name)}/\S+", listed)
    assert well
    dfr(open_server, "export", well[0], "-o", f"{target}/")
    (made,) = target.iterdir()
    assert re.fullmatch(r"[a-z0-9-]{1,97}\.las", made.name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.las", "target"]


@given(st.text(max_size=400), st.text(max_size=400))
def test_file_names_are_plain_words(well: str, frame: str) -> None:
    name = file_name(("project", well, frame), ".las")
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+\.las", name) and len(name) <= 101


async def push_index_naming(url: str, path: str) -> None:
    """A well index that somebody else made, with any text in the place of a curve."""
    async with RemoteRegistry(url) as registry:
        home = registry.repository("evil/well-1")
        inner = json.dumps({"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": []}).encode()
        await home.push_manifest(inner, media.OCI_INDEX, ["inner"])
        notes = {schema.REPOSITORY: path, schema.FRAME: "/etc"}
        line = Descriptor(mediaType=media.OCI_INDEX, digest=Digest.of(inner), size=len(inner), annotations=notes)
        index = Manifest(schemaVersion=2, mediaType=media.OCI_INDEX, artifactType=media.WELL, manifests=[line])
        await home.push_manifest(schema.encode(index), media.OCI_INDEX, ["latest"])


def test_an_index_that_names_other_places_is_refused(open_server: Any, tmp_path: Path) -> None:
    asyncio.run(push_index_naming(open_server.url, "../../../x"))
    done = dfr(open_server, "export", "evil/well-1", "-o", "target/", code=2, cwd=tmp_path)
    assert "is no reference" in done.stderr and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.rglob("*.las"))
