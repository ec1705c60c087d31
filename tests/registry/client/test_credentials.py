"""Where credentials come from."""

import base64
import json
from pathlib import Path

import pytest

from dataforge_registry.core.oci.errors import Unauthorized
from dataforge_registry.registry.client.credentials import ANONYMOUS, find_credentials

BASE = "http://127.0.0.1:5000"


def write(folder: Path, body: object) -> dict[str, str]:
    (folder / "config.json").write_text(body if isinstance(body, str) else json.dumps(body))
    return {"DOCKER_CONFIG": str(folder)}


def test_the_environment_wins(tmp_path: Path) -> None:
    auth = base64.b64encode(b"other:word").decode()
    environment = write(tmp_path, {"auths": {"127.0.0.1:5000": {"auth": auth}}})
    found = find_credentials(BASE, environment | {"DFR_USERNAME": "ann", "DFR_PASSWORD": "se:cret"})
    assert (found.username, found.password) == ("ann", "se:cret")
    assert found.basic == "Basic " + base64.b64encode(b"ann:se:cret").decode()


@pytest.mark.parametrize("name", ["127.0.0.1:5000", BASE, f"{BASE}/v2/"])
def test_a_docker_login_is_used(tmp_path: Path, name: str) -> None:
    auth = base64.b64encode(b"bob:pass:word").decode()
    found = find_credentials(BASE, write(tmp_path, {"auths": {name: {"auth": auth}}}))
    assert (found.username, found.password) == ("bob", "pass:word")


@pytest.mark.parametrize("body", [{}, {"auths": {"elsewhere": {"auth": "eDp5"}}}, {"auths": {"127.0.0.1:5000": {}}}])
def test_no_credentials_is_anonymous(tmp_path: Path, body: object) -> None:
    assert find_credentials(BASE, write(tmp_path, body)) == ANONYMOUS
    assert ANONYMOUS.basic is None


def test_no_file_is_anonymous(tmp_path: Path) -> None:
    assert find_credentials(BASE, {"DOCKER_CONFIG": str(tmp_path / "none")}) == ANONYMOUS


@pytest.mark.parametrize("body", ["{", "[]", {"auths": {"127.0.0.1:5000": {"auth": "%%%"}}}])
def test_what_cannot_be_read_is_said(tmp_path: Path, body: object) -> None:
    with pytest.raises(Unauthorized, match=r"config\.json"):
        find_credentials(BASE, write(tmp_path, body))


def test_a_password_is_never_shown() -> None:
    found = find_credentials(BASE, {"DFR_USERNAME": "ann", "DFR_PASSWORD": "secret"})
    assert "secret" not in repr(found)


def helper(folder: Path, script: str) -> dict[str, str]:
    program = folder / "docker-credential-test"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/bin:/usr/bin"}


@pytest.mark.parametrize("config", [{"credsStore": "test"}, {"credHelpers": {"127.0.0.1:5000": "test"}}])
def test_a_credential_helper_is_asked(tmp_path: Path, config: object) -> None:
    script = 'read server; printf \'{"ServerURL":"%s","Username":"eve","Secret":"of %s"}\' "$server" "$server"'
    found = find_credentials(BASE, write(tmp_path, config) | helper(tmp_path, script))
    assert (found.username, found.password) == ("eve", "of 127.0.0.1:5000")


def test_a_helper_that_knows_nothing_is_anonymous(tmp_path: Path) -> None:
    script = "echo credentials not found in native keychain; exit 1"
    assert find_credentials(BASE, write(tmp_path, {"credsStore": "test"}) | helper(tmp_path, script)) == ANONYMOUS


@pytest.mark.parametrize(
    "script", ["echo broken; exit 3", "echo words", "echo '{}'", 'echo \'{"Username":"<token>","Secret":"x"}\'']
)
def test_a_helper_that_fails_is_said(tmp_path: Path, script: str) -> None:
    with pytest.raises(Unauthorized, match="docker-credential-test"):
        find_credentials(BASE, write(tmp_path, {"credsStore": "test"}) | helper(tmp_path, script))


@pytest.mark.parametrize("name", ["absent", "../../bin/sh"])
def test_a_helper_that_is_not_there_is_said(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unauthorized, match="not on PATH"):
        find_credentials(BASE, write(tmp_path, {"credsStore": name}) | {"PATH": str(tmp_path)})


def test_an_entry_wins_over_the_store_only_where_it_holds_a_password(tmp_path: Path) -> None:
    """`docker login` with a store leaves an empty entry."""
    script = 'printf \'{"Username":"eve","Secret":"x"}\''
    config = {"auths": {"127.0.0.1:5000": {}}, "credsStore": "test"}
    assert find_credentials(BASE, write(tmp_path, config) | helper(tmp_path, script)).username == "eve"
