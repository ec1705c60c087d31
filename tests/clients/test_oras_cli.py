"""The oras command line: artifacts of any kind, what is attached to them, copies between repositories."""

import json
from pathlib import Path

import pytest

from .server import Client, Server

pytestmark = pytest.mark.tool("oras")
REPORT = "application/vnd.example.report"


@pytest.fixture
def pushed(client: Client, server: Server, repository: str) -> str:
    """The digest of an artifact of two files, pushed under two tags."""
    (client.home / "log.las").write_bytes(b"~VERSION\n" * 1000 + repository.encode())
    (client.home / "empty.txt").write_bytes(b"")
    target = f"{server.host}/{repository}:v1,latest"
    client.run(
        "oras", "push", "--plain-http", "--artifact-type", "application/vnd.example.log", target, "log.las", "empty.txt"
    )
    return server.manifest(repository, "v1")[0]


def test_push_pull_and_tag(client: Client, server: Server, repository: str, pushed: str, tmp_path: Path) -> None:
    here = f"{server.host}/{repository}"
    assert client.run("oras", "resolve", "--plain-http", f"{here}:latest").strip() == pushed
    client.run("oras", "pull", "--plain-http", "--output", tmp_path / "out", f"{here}@{pushed}")
    assert (tmp_path / "out" / "log.las").read_bytes() == (client.home / "log.las").read_bytes()
    assert (tmp_path / "out" / "empty.txt").read_bytes() == b""
    client.run("oras", "tag", "--plain-http", f"{here}:v1", "v2", "v3")
    assert client.run("oras", "repo", "tags", "--plain-http", here).split() == ["latest", "v1", "v2", "v3"]
    assert repository.split("/", 1)[1] in client.run("oras", "repo", "ls", "--plain-http", f"{server.host}/clients/")


def test_attach_discover_and_copy_with_referrers(client: Client, server: Server, repository: str, pushed: str) -> None:
    here, there = f"{server.host}/{repository}", f"{server.host}/{repository}-copy"
    (client.home / "report.json").write_text('{"ok": true}')
    attach = ("oras", "attach", "--plain-http", "--artifact-type", REPORT, "--format", "json")
    attached = json.loads(client.run(*attach, f"{here}@{pushed}", "report.json"))["digest"]

    found = json.loads(client.run("oras", "discover", "--plain-http", "--format", "json", f"{here}:v1"))
    listed = found.get("referrers") or found["manifests"]
    assert [(each["digest"], each["artifactType"]) for each in listed] == [(attached, REPORT)]
    assert [each["digest"] for each in server.referrers(repository, pushed)] == [attached]
    assert server.tags(repository) == ["latest", "v1"], "with the referrers API no fall-back tag is written"

    client.run("oras", "cp", "-r", "--from-plain-http", "--to-plain-http", f"{here}:v1", f"{there}:v1")
    assert server.manifest(f"{repository}-copy", "v1")[0] == pushed
    assert [each["digest"] for each in server.referrers(f"{repository}-copy", pushed)] == [attached]


def test_copy_out_and_in_again(client: Client, server: Server, repository: str, pushed: str) -> None:
    here = f"{server.host}/{repository}"
    client.run("oras", "cp", "--from-plain-http", "--to-oci-layout", f"{here}:v1", "layout:v1")
    client.run("oras", "cp", "--from-oci-layout", "--to-plain-http", "layout:v1", f"{here}-back:v1")
    assert server.manifest(f"{repository}-back", "v1") == server.manifest(repository, "v1")


def test_blobs(client: Client, server: Server, repository: str) -> None:
    here = f"{server.host}/{repository}"
    (client.home / "blob").write_bytes(bytes(range(256)) * 4096)
    descriptor = json.loads(client.run("oras", "blob", "push", "--plain-http", "--descriptor", here, "blob"))
    client.run("oras", "blob", "fetch", "--plain-http", "--output", "back", f"{here}@{descriptor['digest']}")
    assert (client.home / "back").read_bytes() == (client.home / "blob").read_bytes()
    client.run("oras", "blob", "delete", "--plain-http", "--force", f"{here}@{descriptor['digest']}")
    assert server.request("HEAD", f"/v2/{repository}/blobs/{descriptor['digest']}").status_code == 404


def test_delete(client: Client, server: Server, repository: str, pushed: str) -> None:
    client.run("oras", "manifest", "delete", "--plain-http", "--force", f"{server.host}/{repository}:v1")
    assert server.status(repository, pushed) == 404
    assert server.tags(repository) == []
