"""`dfr verify` as a user runs it: good curves, and one whose statistics are not its values'."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from dataforge_registry.core.curves import schema
from dataforge_registry.core.curves.checks.verify_well import check_original, check_well
from dataforge_registry.core.curves.names import Reference
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.registry.client.curves import open_curve
from dataforge_registry.registry.client.remote import RemoteRegistry


def dfr(url: str, *arguments: str | Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "dataforge_registry.registry", *map(str, arguments)],
        env={**os.environ, "DFR_REGISTRY": url, "DFR_USERNAME": "", "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def well(open_server: Any, logs: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("las") / "verified.las"
    path.write_bytes(logs.las("Verified 1", {"GR": logs.smooth(20_000), "SP": np.array([1.5, np.nan] * 10_000)}))
    dfr(open_server.url, "import", path, "--into", "verified")
    return "verified/verified-1"


def test_what_was_imported_follows_the_format(open_server: Any, well: str) -> None:
    listed = dfr(open_server.url, "verify", well).stdout
    assert [line.split() for line in listed.splitlines()[2:]] == [
        [well, "good"],
        [f"{well}/log/gr", "good"],
        [f"{well}/log/sp", "good"],
    ]
    assert "good" in dfr(open_server.url, "verify", f"{well}/log/gr:v1").stdout
    assert "no curve" in dfr(open_server.url, "verify", f"{well}/log/none", code=1).stderr


async def _push_other_mean(url: str, curve: str) -> None:
    async with RemoteRegistry(url) as registry:
        repository = registry.repository(curve)
        version = await open_curve(registry, Reference.parse(curve))
        config = await version.config()
        stats = msgspec.structs.replace(config.stats, mean=(config.stats.max or 0) + 1)
        data = schema.encode(msgspec.structs.replace(config, stats=stats))
        assert version.manifest.config
        described = msgspec.structs.replace(version.manifest.config, digest=Digest.of(data), size=len(data))
        await repository.push_blob(data)
        raw = schema.encode(msgspec.structs.replace(version.manifest, config=described))
        await repository.push_manifest(raw, media.OCI_MANIFEST, ["wrong"])


def test_a_mean_that_is_another_is_found(open_server: Any, well: str) -> None:
    asyncio.run(_push_other_mean(open_server.url, f"{well}/log/gr"))
    done = dfr(open_server.url, "verify", f"{well}/log/gr@wrong", code=1)
    assert "wrong" in done.stdout and "the mean of the values is" in done.stdout
    assert "1 of 1 do not follow the format" in done.stderr


def test_wells_and_files_as_received(open_server: Any, well: str) -> None:
    async def documents() -> tuple[bytes, bytes]:
        async with RemoteRegistry(open_server.url) as registry:
            home = registry.repository(well)
            original = next(tag for tag in await home.tags() if tag.startswith("original-"))
            return (await home.get_manifest("latest"))[1], (await home.get_manifest(original))[1]

    index, original = asyncio.run(documents())
    assert check_well(index) == [] and check_original(original) == []
    assert "expected application/vnd.dataforge.well.v1" in check_well(original)[0]
    assert "../up" in check_original(original.replace(b"verified.las", b"../up.las"))[0]
    assert "twice" in check_well(index.replace(b"log/sp", b"log/gr"))[0]
    assert "not FRAME/CURVE" in check_well(index.replace(b"log/sp", b"/etc/sp"))[0]
    assert "not a curve's manifest" in check_well(index.replace(b"vnd.dataforge.curve.v1", b"vnd.other.v1"))[0]
