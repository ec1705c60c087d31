"""Every driver the contract suite runs over. A new driver joins by a line in MAKERS and nothing else."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from dataforge_registry.core.oci.digest import hash_of_key
from dataforge_registry.drivers.base import Driver
from dataforge_registry.drivers.cache_folder import CacheFolder
from dataforge_registry.drivers.cached import Cached
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.drivers.wrap import Faulty, Prefix

from .stores import azure_driver, azurite, ceph, fake_gcs, gcs_driver, minio, s3_driver, versitygw

MAKERS: dict[str, Callable[[Path], Driver]] = {
    "memory": lambda folder: MemoryDriver(),
    "filesystem": lambda folder: FilesystemDriver(str(folder / "store")),
    "prefix-memory": lambda folder: Prefix(MemoryDriver(), "registries/north"),
    "prefix-filesystem": lambda folder: Prefix(FilesystemDriver(str(folder / "store")), "registries/north"),
    "cached-memory": lambda folder: Cached(
        MemoryDriver(), CacheFolder(str(folder / "cache"), 1 << 20), hash_of_key, lambda what, size: None
    ),
    "faulty-memory": lambda folder: Faulty(MemoryDriver()),
    "s3": lambda folder: s3_driver(versitygw()),
    "prefix-s3": lambda folder: Prefix(s3_driver(versitygw()), "registries/north"),
    "azure": lambda folder: azure_driver(azurite()),
    "prefix-azure": lambda folder: Prefix(azure_driver(azurite()), "registries/north"),
    "gcs": lambda folder: gcs_driver(fake_gcs()),
    "prefix-gcs": lambda folder: Prefix(gcs_driver(fake_gcs()), "registries/north"),
    "s3-ceph": lambda folder: s3_driver(ceph()),
    "s3-minio": lambda folder: s3_driver(minio()),
}
TOOLS = {
    **dict.fromkeys(("s3", "prefix-s3"), "versitygw"),
    **dict.fromkeys(("azure", "prefix-azure"), "azurite"),
    "s3-ceph": "radosgw",
    "s3-minio": "minio",
}
HEAVY = ("s3-ceph", "s3-minio")
"""Begun by one test process and not by each."""


def marks(kind: str) -> list[pytest.MarkDecorator]:
    """What a kind needs."""
    grouped = [pytest.mark.xdist_group(kind)] if kind in HEAVY else []
    return [*grouped, *([pytest.mark.tool(TOOLS[kind])] if kind in TOOLS else [])]


KINDS = [pytest.param(kind, marks=marks(kind)) for kind in MAKERS]


@pytest_asyncio.fixture(params=KINDS)
async def driver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Driver]:
    """An empty store."""
    made = MAKERS[request.param](tmp_path)
    await made.check()
    yield made
    await made.close()
