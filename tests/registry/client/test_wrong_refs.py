"""Every command that takes a REF: what is not there, a mistyped REF, no server, a wrong password, each in one line that
says how to mend it."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from dataforge_registry.registry.cli import build

from .test_wells_cli import dfr

COMMANDS = {
    "ls": [],
    "read": [],
    "show": [],
    "log": [],
    "verify": [],
    "link": [],
    "diff": [":v1"],
    "plot": ["-o", "{folder}/x.svg"],
    "pull": ["-o", "{folder}/pulled"],
    "export": ["-o", "{folder}/exported/"],
}
WELLS = ("ls", "read", "show", "verify", "plot", "pull", "export")
CURVE = "wrong/wrong-1/log/gr"


@pytest.fixture(scope="session")
def curve(open_server: Any, logs: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("wrong") / "wrong.las"
    path.write_bytes(logs.las("Wrong 1", {"GR": logs.smooth(20)}))
    dfr(open_server, "import", path, "--into", "wrong")
    return CURVE


def said(server: Any, command: str, ref: str, folder: Path, code: int, **environment: str) -> str:
    """What a command has to say of a REF: one line on standard error, nothing on standard output."""
    rest = [part.format(folder=folder) for part in COMMANDS[command]]
    where = {"DFR_REGISTRY": getattr(server, "url", server), "DFR_USERNAME": ""}
    done = CliRunner().invoke(build(), [command, ref, *rest], env=where | environment)
    assert done.exit_code == (2 if command == "diff" else code), done.output
    (line,) = done.stderr.splitlines()
    assert line.startswith("dfr: ") and not done.stdout
    assert not [path for path in folder.rglob("*") if path.is_file()]
    return line


@pytest.mark.parametrize("command", COMMANDS)
def test_of_what_is_not_there(open_server: Any, curve: str, tmp_path: Path, command: str) -> None:
    none = said(open_server, command, "wrong/wrong-1/log/none", tmp_path, 1)
    if command != "diff":  # whose other REF is a version of it
        assert none == "dfr: there is no curve wrong/wrong-1/log/none; dfr ls wrong/wrong-1 lists them"
    version = said(open_server, command, f"{curve}:v9", tmp_path, 1)
    assert version == f"dfr: there is no curve {curve}:v9; dfr ls {curve} lists its versions"


@pytest.mark.parametrize("command", WELLS)
def test_of_a_well_or_frame_that_is_not_there(open_server: Any, curve: str, tmp_path: Path, command: str) -> None:
    well = said(open_server, command, "wrong/none", tmp_path, 1)
    assert well == "dfr: there is no well wrong/none; dfr ls wrong lists them"
    frame = said(open_server, command, "wrong/wrong-1/none", tmp_path, 1)
    assert frame.endswith("dfr ls wrong/wrong-1 lists them" + (")" if command == "pull" else ""))


@pytest.mark.parametrize("command", COMMANDS)
def test_of_a_mistyped_ref(open_server: Any, tmp_path: Path, command: str) -> None:
    for ref, why in (
        ("wrong//log/gr", "has an empty segment; a reference reads"),
        (f"{CURVE}:v 1", "is no tag; a tag is"),
        (f"{CURVE}@sha256:12", "64 lower-case hex digits"),
        ("127.0.0.1:5000/" + CURVE, "an address starts with http://"),
        ("ftp://host/" + CURVE, "an address starts with http://"),
    ):
        assert why in said(open_server, command, ref, tmp_path, 2)


@pytest.mark.parametrize("command", COMMANDS)
def test_with_no_server_there(open_server: Any, tmp_path: Path, command: str) -> None:
    away = said("http://127.0.0.1:9", command, CURVE, tmp_path, 1)
    assert away == "dfr: http://127.0.0.1:9 cannot be reached: Connection refused; is it running there?"


def test_addresses_that_nothing_answers_at(open_server: Any, tmp_path: Path) -> None:
    tls = said(open_server.url.replace("http:", "https:"), "ls", CURVE, tmp_path, 1)
    assert tls.endswith("no TLS is spoken there; is its address http://?")
    nowhere = said("http://registry.invalid", "ls", CURVE, tmp_path, 1)
    assert nowhere.endswith("there is no host of that name; is it spelt so?")


@pytest.mark.parametrize("command", COMMANDS)
def test_with_a_wrong_password(locked_server: Any, tmp_path: Path, command: str) -> None:
    """Each guess by another name, so that none is asked to wait."""
    ref = CURVE.replace("wrong/", "locked/")
    wrong = said(locked_server, command, ref, tmp_path, 1, DFR_USERNAME=f"guest-{command}", DFR_PASSWORD="guessed")
    assert "password is wrong" in wrong and "set DFR_USERNAME and DFR_PASSWORD" in wrong
