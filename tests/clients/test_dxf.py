"""python-dxf: blobs under an alias, a minimal schema2 manifest, requests without a Content-Type."""

import dxf
import pytest

from .server import Server, sha256


@pytest.fixture
def registry(server: Server, repository: str) -> dxf.DXF:
    def answer(client: dxf.DXFBase, response: object) -> None:
        user, password = server.login or ("", "")
        client.authenticate(user, password, response=response)

    return dxf.DXF(server.host, repository, auth=answer if server.login else None, insecure=True)


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
