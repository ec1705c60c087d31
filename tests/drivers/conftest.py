"""Every driver the contract suite runs over. A new driver joins by a line in MAKERS and nothing else."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from dataforge_registry.drivers.base import Driver
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.drivers.wrap import Faulty, Prefix

MAKERS: dict[str, Callable[[Path], Driver]] = {
    "memory": lambda folder: MemoryDriver(),
    "filesystem": lambda folder: FilesystemDriver(str(folder / "store")),
    "prefix-memory": lambda folder: Prefix(MemoryDriver(), "registries/north"),
    "prefix-filesystem": lambda folder: Prefix(FilesystemDriver(str(folder / "store")), "registries/north"),
    "faulty-memory": lambda folder: Faulty(MemoryDriver()),
}


@pytest_asyncio.fixture(params=MAKERS)
async def driver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Driver]:
    """An empty store."""
    made = MAKERS[request.param](tmp_path)
    await made.check()
    yield made
    await made.close()
