"""dfr link and dfr search against a running server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pandas
import pytest

from ..v2.conftest import PASSWORD, Registry
from .conftest import frame, pushed, smooth


@pytest.fixture(scope="module")
def field(closed_registry: Registry) -> Iterator[str]:
    ann = closed_registry.by("ann")
    pushed(ann, "wells/c1/run1/gr", frame(smooth(300)), "v1", "latest")
    pushed(ann, "wells/c1/run1/rhob", frame(smooth(300) / 30, mnemonic="RHOB", unit="g/cc"))
    yield "wells"


def dfr(registry: Registry, *arguments: str, user: str = "ann") -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "DFR_"))}
    environment |= {"DFR_REGISTRY": f"http://{registry.host}", "DFR_USERNAME": user, "DFR_PASSWORD": PASSWORD}
    command = [sys.executable, "-m", "dataforge_registry.registry", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_a_link_is_printed(door: Registry, field: str) -> None:
    made = dfr(door, "link", f"{field}/c1/run1/gr:v1", "--ttl", "1h30m")
    assert made.returncode == 0, made.stderr
    assert len(pandas.read_parquet(made.stdout.strip())) == 300


def test_curves_are_found(door: Registry, field: str) -> None:
    found = dfr(door, "search", "well=c1", "mnemonic=RHO*")
    assert found.returncode == 0, found.stderr
    assert "wells/c1/run1/rhob" in found.stdout
    assert "run1/gr " not in found.stdout
    lines = dfr(door, "search", "well=c1", "--in", field, "--limit", "1", "--json").stdout.splitlines()
    assert [json.loads(line)["ref"] for line in lines] == ["wells/c1/run1/gr"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("link", "wells/c1"), 2),
        (("link", "wells/c1/run1/gr", "--ttl", "soon"), 2),
        (("link", "wells/c1/run1/gr", "--ttl", "8d"), 2),
        (("link", "wells/c1/run1/nothing"), 1),
        (("search", "color=red"), 2),
        (("search", "--in", "a/b"), 2),
    ],
)
def test_mistakes_are_one_line(door: Registry, field: str, arguments: tuple[str, ...], code: int) -> None:
    found = dfr(door, *arguments)
    assert found.returncode == code
    assert found.stderr.startswith("dfr: ")
    assert len(found.stderr.splitlines()) == 1


def test_curves_are_read_as_they_were_and_brought_back(door: Registry) -> None:
    mia = door.by("mia")
    ref = "wells/past/run1/gr"
    first = pushed(mia, ref, frame(smooth(20)), "v1", "latest")
    then = door.records("SELECT clock_timestamp()")[0][0].isoformat()
    second = pushed(mia, ref, frame(smooth(30)), "v2", "latest")
    for at, rows in ((("--at", then), 20), ((), 30)):
        read = dfr(door, "read", ref, *at)
        assert read.returncode == 0, read.stderr
        assert len(read.stdout.splitlines()) == rows + 1
    early = dfr(door, "show", ref, "--at", "2001-01-01")
    assert (early.returncode, "named nothing at 2001-01-01" in early.stderr) == (1, True), early.stderr
    told = json.loads(dfr(door, "log", f"{ref}:latest", "--moves", "--format", "json").stdout)
    assert [(each["from"], each["to"]) for each in told] == [(first.digest, second.digest), (None, first.digest)]
    assert second.digest[7:19] in dfr(door, "log", ref, "--moves").stdout
    assert "never moves" in dfr(door, "log", f"{ref}@{first.digest}", "--moves").stderr
    links = [dfr(door, "link", ref, *at).stdout for at in ((), ("--at", then))]
    assert all(link.startswith("http://") for link in links)
    back = dfr(door, "undelete", f"{ref}:latest", user="mia")
    assert (back.returncode, back.stdout.split()) == (0, [f"{ref}@{first.digest}", "latest"]), back.stderr
    assert mia.send("DELETE", f"/v2/{ref}/manifests/{second.digest}").status == 202
    back = dfr(door, "undelete", f"{ref}@{second.digest}", user="mia")
    assert (back.returncode, back.stdout.split()) == (0, [f"{ref}@{second.digest}", "v2"]), back.stderr
    for refused, code in ((ref, 2), (f"{ref}:never", 1), (f"{ref}@{'sha256:' + '0' * 64}", 1)):
        answer = dfr(door, "undelete", refused, user="mia")
        assert answer.returncode == code, answer.stderr
        assert len(answer.stderr.splitlines()) == 1
    assert dfr(door, "read", "wells/past/run1", "--at", then).returncode == 2
