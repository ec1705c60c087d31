"""Real registries of others, filled by foreign clients and taken over: what they served, we serve."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ..drivers.stores import BUCKET, versitygw
from .layout import write_layout
from .server import Client, Mode, Server, environment, free_port, serving, wait_for

pytestmark = [pytest.mark.tool("crane", "oras"), pytest.mark.xdist_group("adopt")]
REPORT = "application/vnd.example.report"
REPOSITORIES = ("wells/image", "wells/deep/er", "alone")


@dataclass(frozen=True)
class Old:
    """Another registry's program, the section of its configuration that says where its tree is, our settings over
    the same store, what the tree is called."""

    program: str
    storage: dict[str, Any]
    settings: dict[str, str]
    root: str


@contextmanager
def running(old: Old, folder: Path) -> Iterator[Server]:
    host = f"127.0.0.1:{free_port()}"
    config = folder / "old.json"
    storage = old.storage | {"delete": {"enabled": True}}
    config.write_text(
        json.dumps({"version": 0.1, "storage": storage, "http": {"addr": host}, "log": {"level": "warn"}})
    )
    with (folder / "old.log").open("wb") as log:
        process = subprocess.Popen(
            [old.program, "serve", str(config)], env=environment(), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_for(f"http://{host}/v2/", process, folder / "old.log")
            yield Server(host, folder)
        finally:
            process.terminate()
            process.wait(20)


def files(program: str, folder: Path) -> Old:
    root = str(folder / "old")
    return Old(
        program,
        {"filesystem": {"rootdirectory": root}},
        {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": str(folder)},
        root,
    )


def bucket() -> Old:
    store = versitygw()
    section = store.parameters() | {"forcepathstyle": True, "secure": False}
    root = str(section["rootdirectory"])
    return Old(
        "registry",
        {"s3": section | {"rootdirectory": f"/{root}/old"}},
        store.environment(root),
        f"s3://{BUCKET}/{root}/old",
    )


def fill(client: Client, folder: Path) -> str:
    """Images, an index of two, an attached report, several tags; the digest that the report is of."""
    host = client.server.host
    for number, name in enumerate(REPOSITORIES):
        layout = write_layout(folder / f"layout{number}", {"a.txt": b"alpha", "b.bin": name.encode() * 50_000})
        client.run("crane", "push", "--insecure", layout.directory, f"{host}/{name}:v1")
        client.run("crane", "tag", "--insecure", f"{host}/{name}:v1", "latest")
    image = f"{host}/wells/image"
    (client.home / "log.las").write_bytes(b"~VERSION\n" * 1000)
    client.run(
        "oras", "push", "--plain-http", "--artifact-type", "application/vnd.example.log", f"{image}:las", "log.las"
    )
    client.run(
        *("crane", "index", "append", "--insecure", "-m", f"{image}:v1", "-m", f"{host}/wells/deep/er:v1"),
        *("-t", f"{image}:all"),
    )
    (client.home / "report.json").write_text('{"ok": true}')
    client.run("oras", "attach", "--plain-http", "--artifact-type", REPORT, f"{image}:las", "report.json")
    return client.server.manifest("wells/image", "las")[0]


def served(server: Server, name: str) -> dict[str, Any]:
    """Everything that tags lead to: manifests and blobs, byte for byte."""
    found: dict[str, Any] = {"tags": sorted(server.tags(name))}  # old registries do not sort
    waiting = list(found["tags"])
    while waiting:
        reference = waiting.pop()
        digest, raw = server.manifest(name, reference)
        found[reference] = (digest, raw)
        body = json.loads(raw)
        waiting += [each["digest"] for each in body.get("manifests", ()) if each["digest"] not in found]
        for blob in (body.get("config"), *body.get("layers", ())):
            if blob is not None:
                found[blob["digest"]] = server.blob(name, blob["digest"])
    return found


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("registry", marks=pytest.mark.tool("registry")),
        pytest.param("docker-registry", marks=pytest.mark.tool("docker-registry")),
        pytest.param("s3", marks=pytest.mark.tool("registry", "versitygw")),
    ],
)
def test_what_another_registry_served_is_served_here(kind: str, database_url: str, tmp_path: Path) -> None:
    old = bucket() if kind == "s3" else files(kind, tmp_path)
    (tmp_path / "home").mkdir()
    with running(old, tmp_path) as before:
        subject = fill(Client(tmp_path / "home", before), tmp_path)
        there = {name: served(before, name) for name in REPOSITORIES}
    records = {"REGISTRY_DATABASE_URL": database_url, "REGISTRY_AUTH_SECRETKEY": "32 characters or more are a secret"}
    with tempfile.TemporaryDirectory(prefix="dfr-adopt-") as folder:
        Path(folder).chmod(0o755)
        with serving(Path(folder) / "data", Mode("hypercorn", False), **old.settings, **records) as server:
            said = tmp_path / "report.json"
            for _ in range(2):
                server.command("adopt", "--distribution-root", old.root, "--project", "lib", "--report", str(said))
                if not (found := json.loads(said.read_text())["repositories"])[0]["known"]:
                    first = found
            assert sum(each["manifests"] for each in found) == 0
            assert {each["name"] for each in first} == set(REPOSITORIES)
            assert all((each["copied"], each["refused"]) == (0, []) for each in first)
            assert {each["name"]: each["tags"] for each in first} == {n: len(there[n]["tags"]) for n in REPOSITORIES}
            for name in REPOSITORIES:
                here = name if "/" in name else f"lib/{name}"
                assert served(server, here) == there[name]
            assert [each["artifactType"] for each in server.referrers("wells/image", subject)] == [REPORT]
            server.command("fsck", "--repair")
            server.command("fsck")
            server.command("scrub")
