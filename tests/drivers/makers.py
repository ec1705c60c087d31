"""Every driver the contract suite runs over. A new driver joins by a line in MAKERS and nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dataforge_registry.core.oci.digest import hash_of_key
from dataforge_registry.drivers.base import Driver
from dataforge_registry.drivers.cache_folder import CacheFolder
from dataforge_registry.drivers.cached import Cached
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.drivers.wrap import Faulty, Prefix

from .stores import azurite, ceph, fake_gcs, minio, versitygw

MAKERS: dict[str, Callable[[Path], Driver]] = {
    "memory": lambda folder: MemoryDriver(),
    "filesystem": lambda folder: FilesystemDriver(str(folder / "store")),
    "prefix-memory": lambda folder: Prefix(MemoryDriver(), "registries/north"),
    "prefix-filesystem": lambda folder: Prefix(FilesystemDriver(str(folder / "store")), "registries/north"),
    "cached-memory": lambda folder: Cached(
        MemoryDriver(), CacheFolder(str(folder / "cache"), 1 << 20), hash_of_key, lambda what, size: None
    ),
    "faulty-memory": lambda folder: Faulty(MemoryDriver()),
    "s3": lambda folder: versitygw().driver(),
    "prefix-s3": lambda folder: Prefix(versitygw().driver(), "registries/north"),
    "azure": lambda folder: azurite().driver(),
    "gcs": lambda folder: fake_gcs().driver(),
    "s3-ceph": lambda folder: ceph().driver(),
    "s3-minio": lambda folder: minio().driver(),
}
TOOLS = {
    **dict.fromkeys(("s3", "prefix-s3"), "versitygw"),
    "azure": "azurite",
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
