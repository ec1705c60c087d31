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
    "arguments",
    [
        ("link", "wells/c1"),
        ("link", "wells/c1/run1/gr", "--ttl", "soon"),
        ("link", "wells/c1/run1/gr", "--ttl", "8d"),
        ("link", "wells/c1/run1/nothing"),
        ("search", "color=red"),
        ("search", "--in", "a/b"),
    ],
)
def test_mistakes_are_one_line(door: Registry, field: str, arguments: tuple[str, ...]) -> None:
    found = dfr(door, *arguments)
    assert found.returncode in (1, 2)
    assert found.stderr.startswith("dfr: ")
    assert len(found.stderr.splitlines()) == 1
