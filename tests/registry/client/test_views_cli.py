"""`dfr diff`, `log`, `show` and `plot` as a user runs them, on a real registry."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .test_wells_cli import dfr

ROWS = 400


@pytest.fixture(scope="session")
def versions(open_server: Any, logs: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """`views/views-1/log/gr` with three versions: as made, ten samples changed, all moved down by half a metre; and a
    second curve that stays as it is but for the last."""
    folder = tmp_path_factory.mktemp("views")
    gr, sp = logs.smooth(ROWS), logs.smooth(ROWS, seed=1)
    edited = gr.copy()
    edited[201:211] = 77.0
    for name, values, start in (("one", gr, 1000.0), ("two", edited, 1000.0), ("three", edited, 1000.5)):
        (folder / f"{name}.las").write_bytes(logs.las("Views 1", {"GR": values, "SP": sp}, start=start))
        dfr(open_server, "import", folder / f"{name}.las", "--into", "views")
    return "views/views-1/log/gr"


def test_diff_tells_the_interval(open_server: Any, versions: str) -> None:
    done = dfr(open_server, "diff", f"{versions}:v1", ":v2", code=1)
    assert "samples: 10 changed (400 -> 400)" in done.stdout and "original.file: one.las -> two.las" in done.stdout
    (row,) = [line.split() for line in done.stdout.splitlines() if line.startswith("~")]
    assert row[1:4] == ["1100.5", "1105.0", "10"]
    parent = dfr(open_server, "diff", f"{versions}:v2", code=1)
    assert parent.stdout.splitlines()[2:] == done.stdout.splitlines()[2:]


def test_diff_as_json(open_server: Any, versions: str) -> None:
    body = json.loads(dfr(open_server, "diff", f"{versions}:v1", f"{versions}:v2", "--format", "json", code=1).stdout)
    assert (body["equal"], body["changed"], body["added"], body["removed"]) == (False, 10, 0, 0)
    assert body["intervals"][0]["start"] == "1100.5" and body["largest"] > 0 and body["new_bytes"] > 0
    shifted = json.loads(dfr(open_server, "diff", f"{versions}:v3", "--format", "json", code=1).stdout)
    assert shifted["values_equal"] and shifted["index"]["said"] == "shifted by +0.5 m"


def test_diff_of_a_curve_with_itself_is_equal(open_server: Any, versions: str) -> None:
    assert "nothing differs" in dfr(open_server, "diff", versions, f"{versions}:v3").stdout


def test_diff_of_wells(open_server: Any, versions: str, logs: Any, tmp_path: Path) -> None:
    same = dfr(open_server, "diff", "views/views-1", "views/views-1")
    assert "2 curves unchanged: nothing differs" in same.stdout
    path = tmp_path / "other.las"
    path.write_bytes(logs.las("Views 2", {"GR": logs.smooth(ROWS), "DT": logs.smooth(ROWS)}, start=1000.5))
    dfr(open_server, "import", path, "--into", "views")
    done = dfr(open_server, "diff", "views/views-1", "views/views-2", code=1)
    assert "well.name: Views 1 -> Views 2" in done.stdout
    rows = {line.split()[1]: line.split() for line in done.stdout.splitlines() if line[:1] in "+-~"}
    assert (rows["log/dt"][0], rows["log/sp"][0], rows["log/gr"][0]) == ("+", "-", "~")
    assert rows["log/gr"][3] == "10"
    frames = json.loads(
        dfr(open_server, "diff", "views/views-1/log", "views/views-2/log", "--format", "json", code=1).stdout
    )
    assert [line["path"] for line in frames["added"]] == ["dt"] and frames["details"]["gr"]["changed"] == 10
    brief = dfr(open_server, "diff", "views/views-1", "views/views-2", "--brief", code=1)
    assert "log/gr" in brief.stdout and "10" not in brief.stdout.replace("v10", "").split("log/gr")[1].splitlines()[0]


def test_log_newest_first(open_server: Any, versions: str) -> None:
    lines = dfr(open_server, "log", versions).stdout.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["v3", "v2", "v1"]
    assert "latest" in lines[2] and "shift +0.5" in lines[2] and "three.las" in lines[2]
    assert "  10  " in lines[3] and "400 rows" in lines[4]
    steps = json.loads(dfr(open_server, "log", versions, "--format", "json").stdout)
    assert [step["tags"] for step in steps] == [["v3", "latest"], ["v2"], ["v1"]]
    assert [step["parent"] for step in steps] == [steps[1]["digest"], steps[2]["digest"], None]
    assert steps[0]["new_bytes"] < steps[2]["new_bytes"]
    assert len(dfr(open_server, "log", versions, "-n", "1").stdout.splitlines()) == 3


def test_show_draws_the_curve(open_server: Any, versions: str) -> None:
    said = dfr(open_server, "show", versions).stdout
    for word in ("Views 1", "GAPI, gamma_ray", "MD 1000.5 to 1200.0 m, step 0.5", "5 absent", "three.las", "sha256:"):
        assert word in said
    assert any(0x2800 < ord(char) < 0x2900 for char in said) and "\x1b" not in said  # no colours in a pipe
    window = dfr(open_server, "show", f"{versions}:v1", "--from", "1010", "--to", "1020").stdout
    assert "1010.0 │" in window and "1000.0 │" not in window


def test_show_lists_a_well(open_server: Any, versions: str) -> None:
    said = dfr(open_server, "show", "views/views-1").stdout
    assert "well Views 1" in said and "2 curves, 400 rows, 1000.5 to 1200.0 m" in said
    assert "███" in next(line for line in said.splitlines() if line.startswith("gr"))


def test_plot_writes_a_log(open_server: Any, versions: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    svg, png = tmp_path / "log.svg", tmp_path / "well.png"
    done = dfr(
        open_server, "plot", f"{versions}:v1", ":v2", "-o", svg, "--from", "1090", "--to", "1110", "--scale", "1:200"
    )
    assert done.stdout.strip().endswith("log.svg: 1 curve")
    text = svg.read_text()
    for word in (">GR v1 gAPI<", ">GR v2 gAPI<", ">changed<", ">1:200<", ">Views 1<", ">1090 to 1110 m<"):
        assert word in text
    dfr(open_server, "plot", "views/views-1", "-o", png, "--unit", "ft", "--dpi", "60")
    assert png.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["diff", "views/views-1/log/gr:v1"], 2, "has no parent to compare it with"),
        (["diff", "views/views-1"], 2, "name two wells or frames"),
        (["diff", "views/views-1", "views/views-1/log"], 2, "are not of one kind"),
        (["diff", "views/views-1/log/gr", ":v9"], 2, "there is no curve views/views-1/log/gr:v9"),
        (["diff", "views/views-1/log/gr", ":v1", "--format", "xml"], 2, "--format is text or json"),
        (["log", "views/views-1"], 2, "is no curve: name one"),
        (["log", "views/views-1/log/none"], 1, "there is no curve"),
        (["show", "views/none"], 1, "there is no well views/none"),
        (["show", "views/views-1/log/gr", "--from", "9000"], 2, "no sample of views/views-1/log/gr"),
        (["plot", "views/views-1", "-o", "x.gif"], 2, "written as .svg, .png or .pdf"),
        (["plot", "views/views-1", "-o", "x.svg", "--scale", "500"], 2, "--scale reads 1:200"),
        (["plot", "views/views-1", "-o", "x.svg", "--unit", "parsec"], 2, "cannot be read in parsec"),
        (["plot", ":v1", "-o", "x.svg"], 2, "name its curve first"),
        (["plot", "views/views-1/log/gr", ":v1", ":v2", "-o", "x.svg"], 2, "draw one or two versions"),
        (["plot", "views/views-1", "-o", "/none/x.svg"], 1, "cannot be written"),
        (["plot", "views/views-1/log/gr", "-o", "x.svg", "--from", "9000"], 2, "no curve has a sample"),
    ],
)
def test_what_is_wrong_is_one_line(open_server: Any, versions: str, arguments: list[str], code: int, said: str) -> None:
    done = dfr(open_server, *arguments, code=code)
    assert said in done.stderr and len(done.stderr.splitlines()) == 1 and done.stderr.startswith("dfr: ")


def test_plot_without_matplotlib_names_the_extra(tmp_path: Path) -> None:
    """As on a machine where it is not installed: its import fails."""
    script = "import sys; sys.modules['matplotlib'] = None; from dataforge_registry.registry.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "plot", "a/b", "-o", str(tmp_path / "x.svg")], capture_output=True, text=True
    )
    assert done.returncode == 2 and "pip install 'dataforge-registry[plot]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
