"""buildah: an image committed here, pushed, and pulled into another store."""

import os

import pytest

from .server import Client, Server

pytestmark = [
    pytest.mark.tool("buildah"),
    pytest.mark.skipif(os.geteuid() != 0, reason="buildah's stores need root or a set-up of user namespaces"),
]


def store(client: Client, name: str) -> tuple[str, ...]:
    """A store of its own, on plain directories: it needs no kernel driver."""
    return (
        "buildah",
        "--storage-driver",
        "vfs",
        "--root",
        str(client.home / name),
        "--runroot",
        str(client.home / f"{name}-run"),
    )


def test_commit_push_and_pull(client: Client, server: Server, repository: str) -> None:
    policy = client.home / "policy.json"
    policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    (client.home / "well.las").write_bytes(b"~A\n" * 1000)
    here, target = store(client, "here"), f"{server.host}/{repository}:v1"
    container = client.run(*here, "from", "scratch").strip()
    client.run(*here, "copy", container, "well.las", "/well.las")
    image = client.run(*here, "commit", "--signature-policy", policy, container).strip()
    push = ("push", "--tls-verify=false", "--signature-policy", policy, "--digestfile", "digest")
    client.run(*here, *push, image, f"docker://{target}")
    digest = (client.home / "digest").read_text().strip()
    assert server.manifest(repository, "v1")[0] == digest

    there = store(client, "there")
    client.run(*there, "pull", "--tls-verify=false", "--signature-policy", policy, target)
    listed = client.run(*there, "images", "--format", "{{.Digest}}").split()
    assert listed == [digest]
