"""Examples, units and proxy files of deploy/, each judged by the program that reads it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataforge_registry.registry.cli import build
from dataforge_registry.registry.config import Config, load
from dataforge_registry.registry.sections import DRIVERS, Http
from dataforge_registry.registry.server import STOP_SECONDS

from .proxies import CONFIGURATION, ROOT

DEPLOY = ROOT / "deploy"
EXAMPLES = sorted((DEPLOY / "examples").glob("*.yml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SECRET = re.compile(r"/run/secrets/(\w+)")
CONTENTS = {"database_url": "postgresql://dataforge:secret@postgres/dataforge", "secretkey": "k" * 44}
EXPOSURE = 25
"""The most that systemd-analyze may find exposed, in tenths: of its whole list that is "OK" up to 40."""


def example(path: Path, folder: Path) -> Config:
    """An example as our own loader reads it, its secrets in files of a test."""
    text = path.read_text()
    for name in SECRET.findall(text):
        (folder / name).write_text(CONTENTS.get(name, "something"))
    (folder / path.name).write_text(SECRET.sub(lambda match: str(folder / match[1]), text))
    return load(folder / path.name, {})


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_a_configuration(path: Path, tmp_path: Path) -> None:
    config = example(path, tmp_path)
    assert config.auth.mode == "local"
    if config.database.url:
        assert config.auth.secretkey, "a server with a database of its own needs one"


def test_each_driver_for_keeps_has_an_example(tmp_path: Path) -> None:
    assert {example(path, tmp_path).storage.driver for path in EXAMPLES} == set(DRIVERS) - {"inmemory"}


def unit(path: Path) -> dict[str, list[str]]:
    """The values of each key, in order."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_gives_a_stop_the_time_that_it_takes(path: Path) -> None:
    keys, http = unit(path), Http()
    assert int(keys["TimeoutStopSec"][0]) > STOP_SECONDS + 20 + (http.drain + http.drain_delay) * ("serve" in path.name)
    assert keys["KillMode"] == ["mixed"]  # the parent hands the stop on to its workers
    assert keys["ProtectSystem"] == ["strict"] and keys["NoNewPrivileges"] == ["yes"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_outlives_what_passes(path: Path) -> None:
    """A database that is away at the start, and a child that the kernel ends for its memory."""
    keys = unit(path)
    assert (keys["Restart"], keys["StartLimitIntervalSec"], keys["OOMPolicy"]) == (["always"], ["0"], ["continue"])


def test_proxies_let_idle_connections_go_before_servers_do() -> None:
    """Or a request that cannot be asked again meets a connection that is being closed. Granian keeps one for
    http.header_timeout alone."""
    nginx = re.search(r"^ +keepalive_timeout (\d+)s;", CONFIGURATION.read_text(), re.MULTILINE)
    caddy = re.search(r"^\t+keepalive (\d+)s ", (DEPLOY / "caddy" / "Caddyfile").read_text(), re.MULTILINE)
    assert nginx and caddy
    assert max(int(nginx[1]), int(caddy[1])) < min(Http().keep_alive, Http().header_timeout)


@pytest.mark.tool("systemd-analyze")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_takes_a_unit_and_finds_little_exposed(path: Path, tmp_path: Path) -> None:
    dfr = "/opt/dataforge-registry/bin/dfr"
    assert dfr in path.read_text()
    copy = tmp_path / path.name
    copy.write_text(path.read_text().replace(dfr, shutil.which("true") or "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True)
    ours = [line for line in done.stderr.splitlines() if path.stem in line]
    assert (done.returncode, ours) == (0, [])
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE}", copy],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_units_command_is_one_that_we_have(path: Path) -> None:
    _, command, *arguments = unit(path)["ExecStart"][0].split()
    said = CliRunner().invoke(build(), [command, "--help"], env={"COLUMNS": "200"}).stdout
    for argument in arguments:
        assert not argument.startswith("--") or argument in said


@pytest.mark.tool("caddy")
def test_caddy_takes_its_file() -> None:
    file = DEPLOY / "caddy" / "Caddyfile"
    for command in (["validate", "--adapter", "caddyfile", "--config", file], ["fmt", "--diff", file]):
        done = subprocess.run(["caddy", *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert not re.search("^[-+]", done.stdout, re.MULTILINE), done.stdout
