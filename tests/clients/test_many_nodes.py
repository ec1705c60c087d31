"""Foreign clients with something large before two nodes, one bucket in Ceph and deploy's nginx: each request goes to
another node, and each client sees one registry.

LARGE_MIB=1024 for images of 1 GiB; where 8 GiB of memory are not to spare one client at a time (`-k skopeo`), since the
bucket lies in memory and keeps what all of them pushed.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..deploy.proxies import NGINX
from ..drivers.stores import ceph
from ..faults.kill_nodes import Cluster, cluster
from ..memory import home
from .layout import CONFIG, LAYER, MANIFEST, store
from .server import Client, Server, sha256

SIZE = int(os.environ.get("LARGE_MIB", "24")) << 20
SECONDS = 120 + SIZE / (2 << 20)
pytestmark = [
    pytest.mark.tool("radosgw", NGINX),
    pytest.mark.xdist_group("s3-ceph"),
    pytest.mark.timeout(60 + 2 * SECONDS),
]


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    with home("dfr-nodes-") as folder, cluster(folder, ceph()) as running:
        yield running


@pytest.fixture
def shell(nodes: Cluster, tmp_path: Path) -> Client:
    return Client(tmp_path, Server(nodes.front.host, tmp_path), SECONDS)


def image(folder: Path) -> str:
    """An image layout at `folder`/large under v1; the digest of its one layer, of SIZE random bytes."""
    directory = folder / "large"
    layer = store(directory, os.urandom(SIZE), LAYER)
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    config = store(directory, json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode(), CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    listed = store(directory, json.dumps(manifest).encode(), MANIFEST)
    named = listed | {"annotations": {"org.opencontainers.image.ref.name": "v1"}}
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    return str(layer["digest"])


# skopeo would compress what does not look compressed
COMMANDS = {
    "oras": (
        ("oras", "cp", "--from-oci-layout", "large:v1", "{image}"),
        ("oras", "cp", "--to-oci-layout", "{image}", "back:v1"),
    ),
    "crane": (("crane", "push", "large", "{image}"), ("crane", "pull", "--format", "oci", "{image}", "back")),
    "skopeo": (
        ("skopeo", "--insecure-policy", "copy", "--preserve-digests", "oci:large:v1", "docker://{image}"),
        ("skopeo", "--insecure-policy", "copy", "--preserve-digests", "docker://{image}", "oci:back:v1"),
    ),
    "regctl": (
        ("regctl", "image", "copy", "ocidir://large:v1", "{image}"),
        ("regctl", "image", "copy", "{image}", "ocidir://back:v1"),
    ),
}


@pytest.mark.parametrize("program", [pytest.param(name, marks=pytest.mark.tool(name)) for name in COMMANDS])
def test_a_large_image_goes_and_comes_back(nodes: Cluster, shell: Client, program: str) -> None:
    layer = image(shell.home)
    for command in COMMANDS[program]:
        filled = [word.format(image=f"{nodes.front.host}/large/{program}:v1") for word in command]
        shell.run(*filled, SSL_CERT_FILE=nodes.front.certificate)
    back = (shell.home / "back" / "blobs" / layer.replace(":", "/")).read_bytes()
    assert (len(back), sha256(back)) == (SIZE, layer)
    assert set(nodes.front.nodes(f"/v2/large/{program}/")) == {str(node.port) for node in nodes.nodes}
