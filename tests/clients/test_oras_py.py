"""oras-py, the client the design names: both of its ways to authenticate, whole and chunked uploads."""

import hashlib
from pathlib import Path

import oras.client
import pytest

from .server import Server


@pytest.fixture(params=["token", "basic"])
def registry(server: Server, request: pytest.FixtureRequest) -> oras.client.OrasClient:
    user, password = server.login or (None, None)
    client = oras.client.OrasClient(hostname=server.host, insecure=True, auth_backend=request.param)
    if user and password:
        client.auth.set_basic_auth(user, password)
    return client


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
def test_push_pull_and_delete(
    registry: oras.client.OrasClient, server: Server, repository: str, tmp_path: Path, chunked: bool
) -> None:
    # More than one of its 16 MiB chunks when chunked.
    data = hashlib.shake_256(f"{repository}{chunked}".encode()).digest((20 << 20) if chunked else 100_000)
    source = tmp_path / "curve.parquet"
    source.write_bytes(data)
    target = f"{server.host}/{repository}:{'chunked' if chunked else 'whole'}"

    answer = registry.push(target=target, files=[str(source)], disable_path_validation=True, do_chunked=chunked)
    assert answer.status_code == 201
    digest, _ = server.manifest(repository, target.rsplit(":", 1)[1])

    (pulled,) = registry.pull(target=target, outdir=str(tmp_path / "out"))
    assert Path(pulled).read_bytes() == data
    assert target.rsplit(":", 1)[1] in registry.get_tags(f"{server.host}/{repository}")

    second = f"{server.host}/{repository}-second:v1"
    assert registry.push(target=second, files=[str(source)], disable_path_validation=True).status_code == 201

    registry.delete_tag(f"{server.host}/{repository}", target.rsplit(":", 1)[1])
    assert server.status(repository, digest) == 404, "oras-py deletes a tag by the digest it points at"
