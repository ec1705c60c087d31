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
