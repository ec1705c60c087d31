"""Each kind of damage is found, told once, mended where it can be, and nothing else is."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dataforge_registry.core.oci.digest import Digest, blob_key, manifest_key
from dataforge_registry.core.work.fsck import Finding, Fsck
from dataforge_registry.core.work.gc_run import GcParameters
from dataforge_registry.core.work.manifests import COPY, CopyManifests, copies
from dataforge_registry.core.work.queue import Queue
from dataforge_registry.core.work.relay import relay
from dataforge_registry.core.work.task import Kind

from .conftest import LARGE, LEASE, UNDO, Yard

pytestmark = pytest.mark.asyncio
CONTENTS = [bytes([number]) * LARGE for number in range(4)]
DIGESTS = [Digest.of(content) for content in CONTENTS]
OTHER = Digest.of(b"other")


async def checked(yard: Yard, repair: bool = False) -> list[Finding]:
    fsck = Fsck(yard.database, yard.driver, grace=-LEASE, repair=repair)
    return [finding async for finding in fsck.run()]


async def copied(yard: Yard) -> None:
    """The copies of manifests that are owed."""
    while await relay(yard.database, {"artifact.pushed": copies}, 100):
        pass
    queue = Queue(yard.database, {COPY: Kind(CopyManifests(yard.database, yard.driver))})
    working = asyncio.create_task(queue.run())
    while await yard.all("SELECT 1 FROM task WHERE status IN ('pending', 'running')"):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    queue.stop()
    await working


@pytest_asyncio.fixture(loop_scope="session")
async def whole(yard: Yard) -> AsyncIterator[Yard]:
    """Blobs of all sizes and states, a manifest, an index; nothing is wrong."""
    layers = [await yard.blob(content) for content in CONTENTS[:2]]
    image = await yard.image(*layers, await yard.blob(b"small"), tags=["v"])
    await yard.index(image, tags=["i"])
    await yard.blob(CONTENTS[2], "q/a")
    await yard.pass_time(LEASE)
    await yard.gc.step()
    await yard.blob(CONTENTS[3], "q/a")
    await yard.blob(b"inline", "q/a")
    await copied(yard)
    assert await checked(yard) == []
    yield yard


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


DAMAGES: dict[str, tuple[str, str]] = {
    "charge without a link": ("project 1 pays", "INSERT INTO project_blob SELECT 1, max(id), 5 FROM artifact_blob"),
    "link without its charge": ("project 1 pays nothing", "DELETE FROM project_blob WHERE blob_id = 1"),
    "account": ("p is charged 7 bytes", "UPDATE project SET storage_used = 7 WHERE name = 'p'"),
    "waiting blob": ("which is here", "UPDATE artifact_blob_ref SET link_id = NULL WHERE link_id = 1"),
    "waiting child": ("which is here", "UPDATE artifact_reference SET child_id = NULL"),
    "linked blob": ("is condemned though", "UPDATE artifact_blob SET state = 'condemned' WHERE id = 1"),
    "forgotten link": (
        "is nobody's",
        "DELETE FROM gc_review WHERE kind = 'link' AND target = (SELECT max(id) FROM repository_blob)",
    ),
    "forgotten artifact": (
        "was deleted",
        "UPDATE artifact SET deleted_at = now() WHERE id = (SELECT max(id) FROM artifact)",
    ),
    "forgotten blob": ("linked by nobody", "UPDATE artifact_blob SET state = 'live' WHERE state = 'condemned'"),
}


@pytest.mark.parametrize("kind", DAMAGES)
async def test_damage_between_rows(whole: Yard, kind: str) -> None:
    said, damage = DAMAGES[kind]
    await whole.do(damage)
    found = await checked(whole)
    assert kind in {finding.kind for finding in found}
    assert {finding.kind for finding in found} <= {kind, "account", "forgotten link"}
    assert any(said in finding.what for finding in found if finding.kind == kind)
    assert not any(finding.mended for finding in found)
    mended = await checked(whole, repair=True)
    assert all(finding.mended for finding in mended)
    assert await checked(whole) == []
    assert await whole.violations() == []


@pytest.mark.parametrize("cut", [None, 5], ids=["deleted", "truncated"])
@pytest.mark.parametrize("which", [0, 2], ids=["live", "condemned"])
async def test_a_blob_whose_object_is_lost(whole: Yard, root: Path, which: int, cut: int | None) -> None:
    path = root / blob_key(DIGESTS[which])
    if cut is None:
        path.unlink()
    else:
        os.truncate(path, cut)
    (found,) = await checked(whole)
    assert (found.kind, found.mended) == ("lost blob", False)
    assert (await whole.state(DIGESTS[which]) or [""])[0] in ("live", "condemned")
    (found,) = await checked(whole, repair=True)
    assert found.mended
    assert await whole.state(DIGESTS[which]) == ("missing", 0)
    assert [each.kind for each in await checked(whole)] == []
    await whole.blob(CONTENTS[which])
    assert await whole.state(DIGESTS[which]) == ("live", 1)
    assert await whole.repository().read_blob(DIGESTS[which]) == CONTENTS[which]
    await whole.deletions.step()
    assert await checked(whole) == []


STRAYS = {
    "of no row": blob_key(OTHER),
    "of an earlier generation": blob_key(DIGESTS[0], 0),
    "of a tombstone": blob_key(DIGESTS[3], 0),
    "of no manifest": manifest_key(OTHER),
}


@pytest.mark.parametrize("which", STRAYS)
async def test_objects_that_no_row_means(whole: Yard, root: Path, which: str) -> None:
    if which == "of an earlier generation":
        await whole.do("UPDATE artifact_blob SET generation = 1 WHERE digest = $1", DIGESTS[0])
        os.link(root / blob_key(DIGESTS[0]), root / blob_key(DIGESTS[0], 1))
    elif which == "of a tombstone":
        await whole.repository("q/a").delete_blob(DIGESTS[3])
        await whole.gc.step()
        await whole.do("UPDATE artifact_blob SET state = 'gone' WHERE digest = $1", DIGESTS[3])
    else:
        path = root / STRAYS[which]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"other")
    old = Fsck(whole.database, whole.driver, grace=LEASE)
    assert [finding async for finding in old.run()] == []  # so young that a push may be about to name it
    (found,) = await checked(whole)
    assert found.kind == ("stray copy" if which == "of no manifest" else "stray object")
    assert STRAYS[which] in found.what
    (found,) = await checked(whole, repair=True)
    assert found.mended
    assert await checked(whole) == []
    await whole.deletions.step()
    assert STRAYS[which] not in await whole.objects("")
    assert await checked(whole) == []
    if which == "of no row":
        await whole.blob(b"other")
        assert await whole.state(OTHER) == ("live", 1)


async def test_files_that_are_no_keys_are_left_alone(whole: Yard, root: Path) -> None:
    names = ["blobs/readme", "blobs/sha256/aa/bb/aabb", f"{manifest_key(OTHER)}.g1", f"{blob_key(OTHER)}.g0"]
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    found = await checked(whole, repair=True)
    assert [(each.kind, each.mended) for each in found] == [("unknown object", False)] * 4
    assert all((root / name).exists() for name in names)


@pytest.mark.parametrize("lost", [True, False], ids=["deleted", "truncated"])
async def test_a_manifest_without_its_copy(whole: Yard, root: Path, lost: bool) -> None:
    digest = (await whole.all("SELECT digest FROM artifact ORDER BY id LIMIT 1"))[0]
    path = root / manifest_key(Digest(digest))
    kept = path.read_bytes()
    if lost:
        path.unlink()
    else:
        os.truncate(path, 3)
    (found,) = await checked(whole)
    assert found.kind == "lacking copy"
    await checked(whole, repair=True)
    await copied(whole)
    assert path.read_bytes() == kept
    assert await checked(whole) == []


async def test_nothing_is_found_while_others_push_and_gc_runs(whole: Yard) -> None:
    stop = asyncio.Event()

    async def push() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            layer = await whole.blob(b"%d" % number * 3000, "r/a")
            image = await whole.image(layer, tags=["v"], name="r/a")
            if number % 3 == 0:
                await whole.repository("r/a").delete_manifest(image)
            await whole.gc.step()
            await whole.mover.step()
            await whole.deletions.step()

    pushing = asyncio.create_task(push())
    found: list[Any] = []
    for _ in range(5):
        fsck = Fsck(whole.database, whole.driver, grace=LEASE)
        found += [finding async for finding in fsck.run()]
        await whole.pass_time(LEASE + UNDO)
    stop.set()
    await pushing
    assert {each.kind for each in found} <= {"lacking copy"}  # nobody makes them here
    await whole.run(await whole.start(GcParameters()))
