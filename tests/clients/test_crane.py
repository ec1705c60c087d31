"""crane (go-containerregistry): streamed PATCH uploads, mounts, the catalog."""

import pytest

from .layout import Layout
from .server import Client, Server

pytestmark = pytest.mark.tool("crane")


@pytest.fixture
def pushed(client: Client, server: Server, repository: str, layout: Layout) -> str:
    client.run("crane", "push", layout.directory, f"{server.host}/{repository}:v1")
    return layout.digest


def test_push_and_pull(client: Client, server: Server, repository: str, layout: Layout, pushed: str) -> None:
    here = f"{server.host}/{repository}"
    assert client.run("crane", "digest", f"{here}:v1").strip() == pushed
    assert server.manifest(repository, "v1") == (pushed, layout.read(pushed))
    for blob in layout.blobs:
        assert server.blob(repository, blob) == layout.read(blob)
    client.run("crane", "pull", "--format", "oci", f"{here}:v1", client.home / "out")
    assert (client.home / "out" / "blobs" / "sha256" / pushed.removeprefix("sha256:")).read_bytes() == layout.read(
        pushed
    )
    client.run("crane", "validate", "--remote", f"{here}:v1")


def test_tag_list_and_copy(client: Client, server: Server, repository: str, pushed: str) -> None:
    here = f"{server.host}/{repository}"
    client.run("crane", "tag", f"{here}:v1", "v2")
    assert client.run("crane", "ls", here).split() == ["v1", "v2"]
    client.run("crane", "copy", f"{here}:v2", f"{here}-copy:v2")
    assert server.manifest(f"{repository}-copy", "v2")[0] == pushed
    assert {repository, f"{repository}-copy"} <= set(client.run("crane", "catalog", server.host).split())


def test_delete(client: Client, server: Server, repository: str, pushed: str) -> None:
    here = f"{server.host}/{repository}"
    client.run("crane", "tag", f"{here}:v1", "v2")
    client.run("crane", "delete", f"{here}:v2")
    assert server.tags(repository) == ["v1"], "deleting a tag leaves the manifest and its other tags"
    client.run("crane", "delete", f"{here}@{pushed}")
    assert server.status(repository, pushed) == 404
