"""Collectors that die between any two steps, or in one: whoever comes next goes on, and nothing is lost or left."""

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest

from dataforge_registry.core.oci.digest import Digest

from .conftest import LARGE, LEASE, UNDO, Yard

pytestmark = pytest.mark.asyncio
KILLS = int(os.environ.get("KILLS", "6"))
MORTAL = Path(__file__).with_name("mortal.py")


@pytest.mark.parametrize("after", ["take", "delete"])
async def test_a_delete_worker_that_died_leaves_its_requests(yard: Yard, after: str) -> None:
    for _ in range(3):
        await yard.blob(os.urandom(LARGE))
    await yard.pass_time(LEASE)
    await yard.gc.step()
    await yard.pass_time(UNDO)
    await yard.gc.step()
    taken = await yard.deletions.take()
    if after == "delete":
        await yard.deletions.delete(taken)
    assert await yard.deletions.step() == 0  # they are somebody's
    await yard.pass_time(UNDO)
    assert await yard.deletions.step() == 3
    assert await yard.objects() == set()
    assert await yard.all("SELECT count(*) FROM gc_delete") == [0]


async def test_a_manifest_that_comes_while_its_copy_is_deleted_is_copied_again(yard: Yard) -> None:
    layer = await yard.blob(os.urandom(LARGE))
    image = await yard.image(layer, tags=["v"])
    await yard.repository().delete_manifest(image)
    await yard.pass_time(UNDO)
    await yard.gc.step()
    taken = await yard.deletions.unwanted(await yard.deletions.take())
    assert [each.generation for each in taken] == [-1]
    done = await yard.deletions.delete(taken)
    assert await yard.image(layer, tags=["v"]) == image
    await yard.deletions.remove(done)
    (payload,) = await yard.all("SELECT payload::text FROM task WHERE kind = 'manifest.copy'")
    assert str((await yard.all("SELECT id FROM artifact"))[0]) in payload
    await yard.repository().delete_manifest(image)
    await yard.settle()
    assert await yard.objects("") == set()
    assert await yard.all("SELECT count(*) FROM gc_delete") == [0]


async def killed(yard: Yard, url: str, folder: str, number: int) -> None:
    """Collectors, one after another, each killed after a while."""
    for _ in range(number):
        times = str(LEASE.total_seconds()), str(UNDO.total_seconds())
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(MORTAL), url, folder, *times, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        await process.stdout.readline()
        await asyncio.sleep(random.uniform(0.0, 0.2))
        process.kill()
        await process.wait()


async def test_killed_collectors_lose_nothing(yard: Yard, database_url: str, tmp_path: Path) -> None:
    contents = [os.urandom(random.choice([50, LARGE])) for _ in range(40)]
    kept: dict[Digest, bytes] = {}
    killing = asyncio.create_task(killed(yard, database_url, str(tmp_path / "store"), KILLS))
    while not killing.done():
        content = random.choice(contents)
        image = await yard.image(await yard.blob(content), tags=[])
        kept[image] = content
        if len(kept) > 10:
            await yard.repository().delete_manifest(random.choice(list(kept)))
            kept = {
                digest: kept[digest]
                for digest in await yard.all("SELECT digest FROM artifact WHERE deleted_at IS NULL")
            }
        await yard.pass_time((LEASE + UNDO) / 20)
    await killing
    assert await yard.violations() == []
    await yard.settle()
    for image, content in kept.items():
        await yard.repository().get_manifest(image)
        assert await yard.repository().read_blob(Digest.of(content)) == content
    assert await yard.orphans() == (set(), set())
    assert await yard.violations() == []
    assert await yard.all("SELECT count(*) FROM gc_delete") == [0]
