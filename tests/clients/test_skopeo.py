"""skopeo (containers/image, as in podman and buildah): copy between layouts and registries, delete, list."""

import json

import pytest

from .layout import Layout
from .server import Client, Server

pytestmark = pytest.mark.tool("skopeo")
TO, FROM = "--dest-tls-verify=false", "--src-tls-verify=false"
# The signature policy of the machine is not what is tested here.
COPY = ("skopeo", "--insecure-policy", "copy")


@pytest.fixture
def pushed(client: Client, server: Server, repository: str, layout: Layout) -> str:
    client.run(*COPY, TO, f"oci:{layout.directory}:v1", f"docker://{server.host}/{repository}:v1")
    return layout.digest


def test_push_and_pull(client: Client, server: Server, repository: str, layout: Layout, pushed: str) -> None:
    assert server.manifest(repository, "v1") == (pushed, layout.read(pushed))
    client.run(*COPY, FROM, f"docker://{server.host}/{repository}:v1", "oci:out:v1")
    blobs = client.home / "out" / "blobs" / "sha256"
    assert {blob.name for blob in blobs.iterdir()} == {d.removeprefix("sha256:") for d in (pushed, *layout.blobs)}


def test_copy_list_and_inspect(client: Client, server: Server, repository: str, pushed: str) -> None:
    here = f"docker://{server.host}/{repository}"
    client.run(*COPY, FROM, TO, f"{here}:v1", f"{here}-copy:v2")
    assert server.manifest(f"{repository}-copy", "v2")[0] == pushed
    listed = json.loads(client.run("skopeo", "list-tags", "--tls-verify=false", f"{here}-copy"))
    assert listed["Tags"] == ["v2"]
    assert json.loads(client.run("skopeo", "inspect", "--tls-verify=false", f"{here}:v1"))["Digest"] == pushed


def test_a_docker_schema2_copy(client: Client, server: Server, repository: str, pushed: str) -> None:
    here = f"docker://{server.host}/{repository}"
    client.run(*COPY, FROM, TO, "--format", "v2s2", f"{here}:v1", f"{here}:docker")
    digest, manifest = server.manifest(repository, "docker")
    assert digest != pushed
    assert json.loads(manifest)["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"


def test_delete(client: Client, server: Server, repository: str, pushed: str) -> None:
    client.run("skopeo", "delete", "--tls-verify=false", f"docker://{server.host}/{repository}:v1")
    assert server.status(repository, pushed) == 404
