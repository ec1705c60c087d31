"""A registry, and the tree of another one in a folder of its store."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.adopting.adopter import Adopter, Plan
from dataforge_registry.core.adopting.distribution import DistributionTree
from dataforge_registry.core.adopting.projects import Projects
from dataforge_registry.core.adopting.report import RepositoryReport
from dataforge_registry.core.records import adopted
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.fsck import Fsck
from dataforge_registry.core.work.scrub import Scrub
from dataforge_registry.drivers.base import Driver
from dataforge_registry.drivers.filesystem import FilesystemDriver

from ..gc.conftest import LEASE, Yard


@pytest_asyncio.fixture(loop_scope="session")
async def yard(database: Database, tmp_path: Path) -> AsyncIterator[Yard]:
    """A registry whose store has another registry's tree in a folder."""
    yield Yard(database, FilesystemDriver(str(tmp_path / "store")))


@pytest.fixture
def old(tmp_path: Path) -> FilesystemDriver:
    return FilesystemDriver(str(tmp_path / "store" / "harbor"))


async def adopt_all(
    yard: Yard, old: Driver, place: str | None = "harbor/", **options: Any
) -> tuple[dict[str, RepositoryReport], Projects]:
    if place is not None and not options.get("dry_run"):
        await yard.database.run(lambda conn: adopted.keep_trees(conn, SYSTEM))
    adopter = Adopter(yard.store, DistributionTree(old), Plan(old, place, **options))
    return {each.name: each async for each in adopter.run()}, adopter.projects


async def adopt(yard: Yard, old: Driver, place: str | None = "harbor/", **options: Any) -> dict[str, RepositoryReport]:
    return (await adopt_all(yard, old, place, **options))[0]


async def whole(yard: Yard) -> None:
    assert [
        each async for each in Fsck(yard.database, yard.driver, grace=-LEASE).run() if "copy" not in each.kind
    ] == []
    scrub = Scrub(yard.database, yard.driver)
    assert {each.verdict async for each in scrub.run(0, await scrub.last())} <= {"good"}
    assert await yard.violations() == []
