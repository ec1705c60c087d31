"""From one store to another while it is used: all that is promised is there in the end, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.body import Body
from dataforge_registry.core.oci.digest import Digest, blob_key, manifest_key
from dataforge_registry.core.oci.errors import ReadOnly, UploadUnknown
from dataforge_registry.core.records import settings
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.fsck import Fsck
from dataforge_registry.core.work.migrate import MARK, Migration, MigrationError
from dataforge_registry.drivers.base import Driver, NotFound
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.drivers.memory import MemoryDriver

from ...drivers.stores import azurite, fake_gcs, versitygw
from ..gc.conftest import LARGE, LEASE, Yard, pieces

pytestmark = pytest.mark.asyncio(loop_scope="session")
ADOPTED = b"adopted" * LARGE


@pytest_asyncio.fixture(loop_scope="session")
async def yard(database: Database, tmp_path: Path) -> AsyncIterator[Yard]:
    yield Yard(database, FilesystemDriver(str(tmp_path / "old")))


async def fill(yard: Yard) -> Digest:
    """Blobs of every kind: large, in their rows, moved, condemned, adopted."""
    layers = [await yard.blob(bytes([n]) * (LARGE if n else 200_000)) for n in range(3)]
    small = await yard.blob(b"small")
    await yard.mover.step()
    digest = await yard.image(*layers, small, await yard.blob(b"in its row"), tags=["v1"])
    adopted = await yard.blob(ADOPTED)
    key = "docker/registry/v2/blobs/" + str(adopted["digest"])[7:] + "/data"
    await yard.driver.put(key, pieces(ADOPTED))
    await yard.driver.delete(blob_key(adopted["digest"]))
    await yard.do("UPDATE artifact_blob SET key = $2 WHERE digest = $1", adopted["digest"], key)
    await yard.image(layers[0], adopted, tags=["v2"])
    await yard.blob(b"condemned" * LARGE, "q/a")
    await yard.do("UPDATE artifact_blob SET state = 'condemned' WHERE digest = $1", Digest.of(b"condemned" * LARGE))
    await yard.do(
        "DELETE FROM repository_blob WHERE repository_id = (SELECT repository_id FROM repository WHERE name = 'q/a')"
    )
    return digest


async def read_only(yard: Yard, mode: settings.Mode = settings.Mode.READ_ONLY) -> None:
    await yard.database.run(lambda conn: settings.set_mode(conn, SYSTEM, mode))


async def keys(driver: Driver) -> dict[str, int]:
    return {stat.key: stat.size async for stat in driver.list() if stat.key != MARK}


async def promised(yard: Yard) -> dict[str, int]:
    """What the rows say must be there."""
    blobs = await yard.all(
        "SELECT digest, generation, key, size FROM artifact_blob WHERE state IN ('live', 'condemned')"
    )
    found = {key or blob_key(Digest(digest), generation): size for digest, generation, key, size in blobs}
    for digest, size in await yard.all("SELECT digest, octet_length(manifest) FROM artifact"):
        found[manifest_key(Digest(digest))] = size
    return found


S3 = pytest.mark.tool("versitygw")


@pytest.mark.parametrize(
    ("source", "make"),
    [
        (None, MemoryDriver),
        pytest.param(None, lambda: versitygw().driver(), marks=S3),
        pytest.param(lambda: versitygw().driver(), lambda: azurite().driver(), marks=[S3, pytest.mark.tool("azurite")]),
        pytest.param(lambda: fake_gcs().driver(), lambda: versitygw().driver(), marks=S3),
    ],
    ids=["files to memory", "files to s3", "s3 to azure", "gcs to s3"],
)
async def test_all_of_it_comes_while_more_comes_and_goes(
    yard: Yard, source: Callable[[], Driver] | None, make: Callable[[], Driver]
) -> None:
    target = make()
    if source is not None:
        yard = Yard(yard.database, source())
    await fill(yard)

    async def pushing() -> None:
        for n in range(8 if source else 20):
            await yard.image(
                await yard.blob(bytes([100 + n]) * (LARGE + n)), await yard.blob(b"n%d" % n), tags=[f"t{n}"]
            )
            await yard.mover.step()
            if n % 4 == 3:
                found = await yard.repository().stat_manifest(f"t{n - 2}")
                await yard.repository().delete_manifest(found.digest)

    passes, _ = await asyncio.gather(Migration(yard.database, yard.driver, target).run(), pushing())
    assert passes[0].copied >= 9 and not any(each.failed for each in passes)
    await read_only(yard)
    last = (await Migration(yard.database, yard.driver, target).finish(False))[-1]
    assert (last.copied, last.failed) == (0, {})
    assert await keys(target) == await promised(yard)
    moved = Yard(yard.database, target)
    for name in await moved.repository().tags("", 100):
        _, raw = await moved.repository().get_manifest(name)
        assert raw
    assert await moved.repository().read_blob(Digest.of(ADOPTED)) == ADOPTED
    old = [
        each.kind async for each in Fsck(yard.database, yard.driver, grace=-LEASE).run() if each.kind != "lacking copy"
    ]
    assert [each.kind async for each in Fsck(yard.database, target, grace=-LEASE).run()] == old
    await target.close()
    await yard.driver.close()


class Died(Exception):
    pass


class Dying(MemoryDriver):
    """Ends the process, as far as a test can, behind so many puts."""

    left = 3

    async def put(self, key: str, data: Any, size: int | None = None) -> int:
        stored = await super().put(key, data, size)
        self.left -= 1
        if self.left == 0:
            raise Died
        return stored


async def test_it_goes_on_where_it_was(yard: Yard) -> None:
    target = Dying()
    for n in range(6):
        await yard.blob(bytes([n]) * 100_000)
    with pytest.raises(Died):
        await Migration(yard.database, yard.driver, target).run()
    there = len(await keys(target))
    assert 0 < there < 6
    target.left = 100
    passes = await Migration(yard.database, yard.driver, target).run()
    assert [each.copied for each in passes] == [6 - there, 0]


async def test_wrong_and_lost_bytes_never_arrive(yard: Yard, tmp_path: Path) -> None:
    target = MemoryDriver()
    contents = [bytes([n]) * size for n, size in enumerate((200_000, 30_000, 200_001, 30_001))]
    digests = [(await yard.blob(content))["digest"] for content in contents]
    for digest in digests[:2]:
        path = tmp_path / "old" / blob_key(digest)
        path.write_bytes(b"x" + path.read_bytes()[1:])
    for digest in digests[2:]:
        (tmp_path / "old" / blob_key(digest)).unlink()
    (done,) = await Migration(yard.database, yard.driver, target).run()
    assert set(done.failed) == {blob_key(digest) for digest in digests}
    assert "not those of" in done.failed[blob_key(digests[0])]
    assert await keys(target) == {}


class Vanishing(FilesystemDriver):
    """gc deletes an object just before it is read."""

    yard: Yard

    async def open(self, key: str, start: int = 0, stop: int | None = None) -> Any:
        await self.yard.do("UPDATE artifact_blob SET state = 'gone'")
        raise NotFound(key)


async def test_what_gc_takes_meanwhile_is_no_failure_and_goes_from_both(yard: Yard, tmp_path: Path) -> None:
    target = MemoryDriver()
    kept, gone = await yard.blob(b"k" * LARGE), await yard.blob(b"g" * LARGE, "q/a")
    image = await yard.image(gone, tags=["v"], name="q/a")
    await Migration(yard.database, yard.driver, target).run()
    assert len(await keys(target)) == 3
    await yard.repository("q/a").delete_manifest(image)
    await yard.image(kept, tags=["v"])
    await yard.settle()
    await read_only(yard)
    passes = await Migration(yard.database, yard.driver, target).finish(False)
    assert passes[0].deleted == 2
    assert await keys(target) == await promised(yard)
    await read_only(yard, settings.Mode.NORMAL)
    await yard.blob(b"g" * LARGE, "q/a")  # comes again at a key that nothing deletes
    assert await yard.state(gone["digest"]) == ("live", 1)

    vanishing = Vanishing(str(tmp_path / "old"))
    vanishing.yard = yard
    (done,) = await Migration(yard.database, vanishing, target).run()
    assert done.failed == {}


async def test_pushes_under_way_and_uploads(yard: Yard) -> None:
    target = MemoryDriver()

    async def slow() -> AsyncIterator[bytes]:
        yield b"a" * LARGE
        await read_only(yard)
        yield b"b" * LARGE

    content = b"a" * LARGE + b"b" * LARGE
    await yard.image(await yard.blob(b"first" * LARGE), tags=["v"])
    session = await yard.repository().start_upload("sha256")
    await session.append(Body(pieces(b"half"), 4, None), 0)
    with pytest.raises(ReadOnly):
        await yard.repository().push_blob(Digest.of(content), Body(slow(), len(content), None))
    with pytest.raises(ReadOnly):
        await session.finish(Digest.of(b"half"), Body(pieces(b""), 0, None), None)
    migration = Migration(yard.database, yard.driver, target)
    with pytest.raises(MigrationError, match=r"1 unfinished uploads \(4 bytes\).*--drop-uploads"):
        await migration.finish(False)
    assert not (await migration.finish(True))[-1].failed
    assert await keys(target) == await promised(yard)
    await read_only(yard, settings.Mode.NORMAL)
    with pytest.raises(UploadUnknown):
        await (await yard.repository().find_upload(session.id)).offset()


async def test_stores_of_others_are_left_alone(yard: Yard) -> None:
    target = MemoryDriver()
    await target.put("blobs/other", pieces(b"x"))
    with pytest.raises(MigrationError, match=r"not empty \(blobs/other\)"):
        await Migration(yard.database, yard.driver, target).run()
    await target.put(MARK, pieces(b'{"registry": "%s"}' % str(uuid4()).encode()))
    with pytest.raises(MigrationError, match="another registry"):
        await Migration(yard.database, yard.driver, target).run()
