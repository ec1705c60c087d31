"""P24: a backup of one moment, pushes after it, a restore: fsck lists exactly the difference."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from dataforge_registry.core.backup import BackupError, backup, restore
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.snapshot import tables
from dataforge_registry.core.work.fsck import Fsck
from dataforge_registry.drivers.filesystem import FilesystemDriver

from ...conftest import Databases
from ..gc.conftest import LARGE, Yard

pytestmark = pytest.mark.asyncio(loop_scope="session")
HOUR = timedelta(hours=1)


def large(letter: str) -> bytes:
    return letter.encode() * LARGE


@pytest_asyncio.fixture(loop_scope="session")
async def other(databases: Databases) -> AsyncIterator[Database]:
    """Another fresh database with today's schema."""
    name = await databases.create()
    database = await Database.open(databases.url(name), size=5)
    yield database
    await database.close()
    await databases.drop(name)


async def findings(database: Database, driver: FilesystemDriver) -> list[tuple[str, str]]:
    found = [each async for each in Fsck(database, driver, grace=timedelta(seconds=-5)).run()]
    return [(each.kind, each.what) for each in found if each.kind not in ("lacking copy", "stray copy")]


async def test_restored_records_and_store_differ_by_what_came_later(
    database: Database, other: Database, tmp_path: Path
) -> None:
    driver = FilesystemDriver(str(tmp_path / "store"))
    yard = Yard(database, driver)
    kept = [await yard.blob(large(letter)) for letter in "abc"]
    digest = await yard.image(*kept, tags=["v1", "latest"])
    await yard.blob(b"small, and still in its row")
    report = await backup(database, driver, tmp_path / "copy", HOUR, blobs=False)
    assert (report.blobs, report.missing) == (4, [])
    later = [await yard.blob(large(letter)) for letter in "xy"]
    await yard.image(*later, tags=["latest"])
    restored = await restore(other, driver, tmp_path / "copy")
    assert (restored.rows, restored.blobs, restored.missing) == (report.rows, 4, [])
    found = await findings(other, driver)
    assert sorted(kind for kind, _ in found) == ["stray object"] * 2
    assert all(any(str(each["digest"])[7:] in what for _, what in found) for each in later)
    again = Yard(other, driver)
    stored, _ = await again.repository().get_manifest("latest")
    assert stored.digest == digest
    assert [await again.repository().read_blob(Digest(each["digest"])) for each in kept] == [large(x) for x in "abc"]
    await again.image(*[await again.blob(large(letter)) for letter in "xz"], tags=["v2"])  # numbers go on
    assert await again.repository().tags("", 10) == ["latest", "v1", "v2"]


async def test_every_row_comes_back(database: Database, other: Database, tmp_path: Path) -> None:
    yard = Yard(database, FilesystemDriver(str(tmp_path / "store")))
    await yard.image(await yard.blob(large("a")), tags=["v1"])
    await backup(database, yard.driver, tmp_path / "copy", HOUR, blobs=False)
    await restore(other, yard.driver, tmp_path / "copy")
    async with database.acquire() as one, other.acquire() as two:
        for table in await tables(one):
            columns = ", ".join(table.columns)
            ask = f"SELECT md5(string_agg(q::text, '' ORDER BY q::text)) FROM (SELECT {columns} FROM {table.name}) AS q"
            assert await one.fetchval(ask) == await two.fetchval(ask), table.name


async def test_blobs_travel_with_it_once(database: Database, other: Database, tmp_path: Path) -> None:
    yard = Yard(database, FilesystemDriver(str(tmp_path / "store")))
    await yard.image(await yard.blob(large("a")), tags=["v1"])
    assert (await backup(database, yard.driver, tmp_path / "copy", HOUR, blobs=True)).copied == 1
    assert (await backup(database, yard.driver, tmp_path / "copy", HOUR, blobs=True)).copied == 0
    elsewhere = FilesystemDriver(str(tmp_path / "elsewhere"))
    report = await restore(other, elsewhere, tmp_path / "copy")
    assert (report.copied, report.missing) == (1, [])
    assert await findings(other, elsewhere) == []


async def test_lost_blobs_are_named(database: Database, other: Database, tmp_path: Path) -> None:
    yard = Yard(database, FilesystemDriver(str(tmp_path / "store")))
    blob = await yard.blob(large("a"))
    await backup(database, yard.driver, tmp_path / "copy", HOUR, blobs=False)
    report = await restore(other, FilesystemDriver(str(tmp_path / "empty")), tmp_path / "copy")
    assert report.missing == [blob["digest"]]


async def test_what_cannot_be_restored_changes_nothing(database: Database, other: Database, tmp_path: Path) -> None:
    driver = FilesystemDriver(str(tmp_path / "store"))
    yard = Yard(database, driver)
    await yard.blob(large("a"))
    with pytest.raises(BackupError, match="holds no whole backup"):
        await restore(other, driver, tmp_path)
    await backup(database, driver, tmp_path / "copy", HOUR, blobs=False)
    with pytest.raises(BackupError, match="not empty"):
        await restore(database, driver, tmp_path / "copy")
    (tmp_path / "copy/tables/repository_blob.copy").write_text("")
    with pytest.raises(BackupError, match=r"repository_blob\.copy has 0 rows, not 1"):
        await restore(other, driver, tmp_path / "copy")
    async with other.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM project") == 0
    with pytest.raises(BackupError, match=r"longer than gc\.undo"):
        await backup(database, driver, tmp_path / "copy", timedelta(0), blobs=True)
    assert not (tmp_path / "copy/backup.json").exists()
