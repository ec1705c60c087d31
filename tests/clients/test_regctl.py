"""regctl (regclient): anonymous mounts for every blob, uploads in chunks of 1 MiB, range reads."""

import json
import random

import pytest

from .layout import Layout
from .server import Client, Server

pytestmark = pytest.mark.tool("regctl")


class Regctl:
    """regctl told that this registry speaks plain HTTP."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def __call__(self, *arguments: str, **options: str) -> str:
        host = self.client.server.host
        return self.client.run("regctl", "--host", f"reg={host},tls=disabled", *arguments, **options)


@pytest.fixture
def regctl(client: Client) -> Regctl:
    return Regctl(client)


@pytest.fixture
def pushed(regctl: Regctl, server: Server, repository: str, layout: Layout) -> str:
    regctl("image", "copy", f"ocidir://{layout.directory}:v1", f"{server.host}/{repository}:v1")
    return layout.digest


def test_push_pull_and_copy(regctl: Regctl, server: Server, repository: str, layout: Layout, pushed: str) -> None:
    here = f"{server.host}/{repository}"
    assert regctl("manifest", "digest", f"{here}:v1").strip() == pushed
    assert server.manifest(repository, "v1") == (pushed, layout.read(pushed))
    regctl("image", "copy", f"{here}:v1", f"{here}-copy:v2")
    assert server.manifest(f"{repository}-copy", "v2")[0] == pushed
    regctl("image", "copy", f"{here}-copy:v2", "ocidir://out:v1")
    blobs = regctl.client.home / "out" / "blobs" / "sha256"
    assert {blob.name for blob in blobs.iterdir()} == {d.removeprefix("sha256:") for d in (pushed, *layout.blobs)}


def test_artifacts_and_referrers(regctl: Regctl, server: Server, repository: str, pushed: str) -> None:
    here = f"{server.host}/{repository}"
    (regctl.client.home / "note.txt").write_text("checked")
    put = ("artifact", "put", "--artifact-type", "application/vnd.example.note", "--file", "note.txt")
    regctl(*put, "--subject", f"{here}:v1")
    (referrer,) = server.referrers(repository, pushed)
    assert referrer["artifactType"] == "application/vnd.example.note"
    listed = json.loads(regctl("artifact", "list", "--format", "raw-body", f"{here}:v1"))
    assert [each["digest"] for each in listed["manifests"]] == [referrer["digest"]]
    assert regctl("artifact", "get", "--subject", f"{here}:v1") == "checked"


def test_a_large_blob_in_chunks(regctl: Regctl, server: Server, repository: str) -> None:
    # regctl reads a blob of unknown size from its standard input and sends it in pieces of 1 MiB.
    text = random.Random(5).randbytes(4 << 20).hex()[: 5 << 20]
    digest = regctl("blob", "put", f"{server.host}/{repository}", input=text).split()[0]
    assert server.blob(repository, digest) == text.encode()
    assert regctl("blob", "get", f"{server.host}/{repository}", digest) == text


def test_delete(regctl: Regctl, server: Server, repository: str, pushed: str) -> None:
    here = f"{server.host}/{repository}"
    regctl("image", "copy", f"{here}:v1", f"{here}:v2")
    assert regctl("tag", "ls", here).split() == ["v1", "v2"]
    regctl("tag", "delete", f"{here}:v1")
    assert server.tags(repository) == ["v2"]
    assert server.status(repository, pushed) == 200
    regctl("manifest", "delete", f"{here}@{pushed}")
    assert server.status(repository, pushed) == 404
