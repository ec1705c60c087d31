"""python-dxf: blobs under an alias, a minimal schema2 manifest, requests without a Content-Type."""

import re

import dxf
import pytest
import requests

from .server import Server, sha256


@pytest.fixture
def registry(server: Server, repository: str) -> dxf.DXF:
    """dxf refuses to send a password over plain HTTP itself; it takes a token that its user obtained."""
    client = dxf.DXF(server.host, repository, insecure=True)
    if server.login:
        client.token = token(server, repository)
    return client


def token(server: Server, repository: str) -> str:
    """What the challenge asks for: Basic at its realm, for a bearer token (distribution's token authentication)."""
    challenge = requests.get(f"{server.url}/v2/", timeout=30).headers["WWW-Authenticate"]
    asked = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    wanted = {"service": asked["service"], "scope": f"repository:{repository}:pull,push,delete"}
    answer = requests.get(asked["realm"], params=wanted, auth=server.login, timeout=30)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def test_push_pull_and_delete(registry: dxf.DXF, server: Server, repository: str) -> None:
    data = b"depth,gr\n" + repository.encode() * 1000
    digest = registry.push_blob(data=data, digest=sha256(data))
    assert digest == sha256(data)
    registry.set_alias("v1", digest)
    assert registry.get_alias("v1") == [digest]
    assert b"".join(registry.pull_blob(digest)) == data
    assert server.blob(repository, digest) == data
    assert registry.list_aliases() == ["v1"]

    registry.del_alias("v1")
    assert server.tags(repository) == []
    registry.del_blob(digest)
    assert server.request("HEAD", f"/v2/{repository}/blobs/{digest}").status_code == 404
