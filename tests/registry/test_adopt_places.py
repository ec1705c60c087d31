"""`dfr adopt` over trees in buckets, and killed in the middle."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner

from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.drivers import open_driver
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.registry.cli import build

from ..core.adopting.trees import ROOT, Tree
from ..drivers.stores import BUCKET, S3, Azure, Gcs, azurite, fake_gcs, versitygw

SECRET = {"REGISTRY_AUTH_SECRETKEY": "32 characters or more are a secret"}
IMAGES = 12


def surroundings(store: S3 | Azure | Gcs) -> dict[str, str]:
    """What the tools of a cloud find in the environment."""
    match store:
        case S3():
            keys = {"AWS_ACCESS_KEY_ID": store.accesskey, "AWS_SECRET_ACCESS_KEY": store.secretkey}
            return keys | {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": store.endpoint}
        case Azure():
            account = {"AZURE_STORAGE_ACCOUNT": store.accountname, "AZURE_STORAGE_KEY": store.accountkey}
            return account | {"AZURE_STORAGE_SERVICE_ENDPOINT": store.endpoint}
        case Gcs():
            return {"STORAGE_EMULATOR_HOST": store.endpoint}


@pytest.mark.parametrize("inside", [True, False], ids=["in place", "copied"])
@pytest.mark.parametrize(
    ("started", "kind", "scheme"),
    [
        pytest.param(versitygw, "s3", "s3", marks=pytest.mark.tool("versitygw")),
        pytest.param(azurite, "azure", "az", marks=pytest.mark.tool("azurite")),
        (fake_gcs, "gcs", "gs"),
    ],
    ids=["s3", "azure", "gcs"],
)
def test_trees_in_buckets(
    started: Callable[[], Any], kind: str, scheme: str, inside: bool, database_url: str, tmp_path: Path
) -> None:
    store, root = started(), uuid4().hex
    layers = [b"one layer" * 9_000, b"another" * 9_000, b"small"]

    async def fill() -> None:
        old = open_driver(kind, store.parameters(f"{root}/old"))
        tree = Tree(old)
        image = await tree.image("wells/logs", *layers, tags=("v1",))
        await tree.index("wells/logs", image, tags=("all",))
        await tree.image("wells/deep/er", layers[0], tags=("v1",))
        await tree.image("wells/lacking", b"lost")
        await old.delete(f"{ROOT}/{tree.data(Digest.of(b'lost'))}")
        await old.close()

    asyncio.run(fill())
    own = store.environment(root) if inside else surroundings(store)
    runner = CliRunner(env=own | SECRET | {"REGISTRY_DATABASE_URL": database_url})
    said = tmp_path / "report.json"

    def dfr(*words: str) -> str:
        done = runner.invoke(build(), [*words, "--data", str(tmp_path / "data")])
        assert done.exit_code == (words[0] == "adopt"), (done.output, done.exception)
        return done.output

    for again in (False, True):
        text = dfr("adopt", "--distribution-root", f"{scheme}://{BUCKET}/{root}/old", "--report", str(said))
        assert "is missing" in text and "project wells: " in text
        found = {each["name"]: each for each in json.loads(said.read_text())["repositories"]}
        logs = found["wells/logs"]
        assert (logs["manifests"], logs["tags"], logs["moves"], logs["known"]) == (
            (0, 0, 0, 2) if again else (2, 2, 2, 0)
        )
        blobs = sum(each["in_place"] for each in found.values()), sum(each["copied"] for each in found.values())
        assert blobs == ((0, 0) if again else (3, 0) if inside else (0, 3))
    dfr("fsck", "--repair")
    dfr("fsck")
    dfr("scrub")


def test_killed_again_and_again(database_url: str, tmp_path: Path) -> None:
    """kill -9 wherever it is: the next run takes what is left, and the last one finds nothing to do."""
    old = tmp_path / "old"

    async def fill() -> None:
        tree = Tree(FilesystemDriver(str(old)))
        for number in range(IMAGES):
            for layer in (b"%d" % number * 9_000, b"%d again" % number):
                await tree.image(f"wells/part{number % 4}", layer, tags=(f"t{number}", "latest"))

    asyncio.run(fill())
    said = tmp_path / "report.json"
    command = [sys.executable, "-m", "dataforge_registry.registry", "adopt", "--distribution-root", str(old)]
    command += ["--data", str(tmp_path / "data"), "--report", str(said)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    env |= SECRET | {"REGISTRY_DATABASE_URL": database_url}

    def count(statement: str = "SELECT count(*) FROM artifact") -> Any:
        async def ask() -> Any:
            conn = await asyncpg.connect(database_url)
            try:
                return await conn.fetchval(statement)
            finally:
                await conn.close()

        return asyncio.run(ask())

    for enough in (3, IMAGES):
        running = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while count() < enough and running.poll() is None:
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert not said.exists()
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(said.read_text())["repositories"]
    assert sum(each["known"] for each in found) >= IMAGES
    assert sum(each["known"] + each["manifests"] for each in found) == count() == 2 * IMAGES
    moves = "SELECT count(*) FROM tag_history WHERE username = '' AND op_time < now()"
    assert count(moves) == 2 * IMAGES + 2 * IMAGES  # two of each image's tag, and all of a repository's latest
    rows = "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM (SELECT * FROM tag_history) AS t"
    before = count(rows), count("SELECT count(*) FROM access_log"), count("SELECT count(*) FROM event")
    runner = CliRunner(env=env)
    for words in (["adopt", "--distribution-root", str(old)], ["fsck", "--repair"], ["fsck"], ["scrub"]):
        checked = runner.invoke(build(), [*words, "--data", str(tmp_path / "data")])
        assert checked.exit_code == 0, checked.output
        if words[0] == "adopt":
            after = count(rows), count("SELECT count(*) FROM access_log"), count("SELECT count(*) FROM event")
            assert after == before
