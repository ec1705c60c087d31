"""Trees of other registries: all that is whole is taken over once, what is not is told, nothing of the tree goes."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import requests

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.adopting.adopter import Adopter, Plan
from dataforge_registry.core.adopting.distribution import DistributionTree
from dataforge_registry.core.adopting.layout import LayoutTree, NoLayout
from dataforge_registry.core.backup import backup, restore
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import ReadOnly
from dataforge_registry.core.records import adopted, settings
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.migrate import Migration
from dataforge_registry.core.work.scrub import Scrub
from dataforge_registry.drivers import open_driver
from dataforge_registry.drivers.base import Driver
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.drivers.memory import MemoryDriver

from ...clients.layout import write_layout
from ...conftest import Databases
from ...drivers.stores import versitygw
from ..gc.conftest import LARGE, LEASE, Yard
from .conftest import adopt, whole
from .trees import ROOT, Tree

pytestmark = pytest.mark.asyncio(loop_scope="session")
BIG = b"big" * LARGE


async def filled(old: Driver) -> dict[str, Digest]:
    tree = Tree(old)
    made = {"a": await tree.image("p/a", BIG, b"one", tags=("v1", "latest")), "b": await tree.image("p/a", BIG, b"two")}
    made["index"] = await tree.index("p/a", made["a"], made["b"], tags=("all",))
    subject = {"digest": made["a"], "size": 1, "mediaType": media.OCI_MANIFEST}
    made["report"] = await tree.image("p/a", b"{}", artifactType="application/vnd.report", subject=subject)
    made["below"] = await tree.image("p/a/0/below", BIG, tags=("v1",))
    made["untold"] = await tree.image("p/z", b"config", mediaType=None, tags=("v1",))
    made["alone"] = await tree.image("alone", b"alone", tags=("v1",))
    await tree.blob("p/a", b"of no manifest")
    return made


@pytest.mark.parametrize("place", ["harbor/", None], ids=["in place", "copied"])
async def test_a_whole_tree_once(yard: Yard, old: FilesystemDriver, place: str | None) -> None:
    made = await filled(old)
    before = {stat.key: stat async for stat in old.list()}
    plan = await adopt(yard, old, place, dry_run=True, project="lib")
    assert await yard.all("SELECT count(*) FROM artifact") == [0]
    found = await adopt(yard, old, place, project="lib", verify=True)
    assert {name: (each.manifests, each.tags, each.refused) for name, each in found.items()} == {
        "alone": (1, 1, []),
        "p/a": (4, 3, []),
        "p/a/0/below": (1, 1, []),
        "p/z": (1, 1, []),
    }
    assert {name: (each.manifests, each.tags, each.refused) for name, each in plan.items()} == {
        name: (each.manifests, each.tags, []) for name, each in found.items()
    }
    # the repository below comes first, as the store lists them
    blobs = found["p/a"]
    assert (blobs.in_place, blobs.copied, blobs.linked) == ((3, 0, 1) if place else (0, 3, 1))
    assert await yard.all("SELECT count(*) FROM artifact_blob WHERE key IS NOT NULL") == [6 if place else 0]
    home = yard.repository("p/a")
    for name, tag in (("a", "v1"), ("a", "latest"), ("index", "all")):
        stored, raw = await home.get_manifest(tag)
        assert (stored.digest, Digest.of(raw)) == (made[name], made[name])
    assert await home.read_blob(Digest.of(BIG)) == BIG
    assert [each async for each in await home.open_blob(Digest.of(BIG), 1, 4)] == [BIG[1:4]]
    assert [each.digest for each in await home.referrers(made["a"], None, "", 10)] == [made["report"]]
    assert (await yard.repository("lib/alone").stat_manifest("v1")).digest == made["alone"]
    again = await adopt(yard, old, place, project="lib")
    assert all((each.manifests, each.tags, each.in_place, each.copied) == (0, 0, 0, 0) for each in again.values())
    assert again["p/a"].known == 4
    await yard.mover.step()
    await whole(yard)
    assert {stat.key: stat async for stat in old.list()} == before


async def test_what_is_broken_is_told_and_stops_nothing(yard: Yard, old: FilesystemDriver) -> None:
    tree = Tree(old)
    good = await tree.image("p/a", BIG, tags=("good",))
    lacking = await tree.image("p/a", b"lost layer", tags=("lacking",))
    await old.delete(f"{ROOT}/{tree.data(Digest.of(b'lost layer'))}")
    short = await tree.image("p/a", b"cut layer")
    await old.put(f"{ROOT}/{tree.data(Digest.of(b'cut layer'))}", _once(b"cut"))
    parent = await tree.index("p/a", good, lacking)
    rotten = await tree.image("p/a", b"x", tags=("rotten",))
    await old.put(f"{ROOT}/{tree.data(rotten)}", _once(b"{}"))
    gone = await tree.image("p/b", b"y")
    await old.delete(f"{ROOT}/{tree.data(gone)}")
    ancient = await tree.manifest("p/b", {"schemaVersion": 1, "fsLayers": []})
    folder = "repositories/p/b/_manifests"
    await tree.put(f"{folder}/tags/dangling/current/link", b"sha256:" + b"0" * 64)
    await tree.put(f"{folder}/tags/headless/index/sha256/{good.hex}/link", good.encode())
    await tree.put(f"{folder}/revisions/sha256/{good.hex}/link", b"")
    await tree.image("alone", b"z")
    await tree.image("Q/a", b"z")
    found = await adopt(yard, old)
    said = {(name, each.what): each.why for name, report in found.items() for each in report.refused}
    assert {key: why for key, why in said.items() if key[0] == "p/a"}.keys() == {
        ("p/a", what) for what in (lacking, short, parent, rotten)
    }
    assert "is missing" in said["p/a", lacking] and "has 3 bytes, the manifest says 9" in said["p/a", short]
    assert "not those of its digest" in said["p/a", rotten] and "bytes are missing" in said["p/b", gone]
    assert "schema 1" in said["p/b", ancient] and "no manifest of the repository" in said["p/b", "dangling"]
    assert "once it named sha256:" in said["p/b", "headless"] and "deleted or damaged" in said["p/b", good]
    assert "--project" in said["alone", "alone"] and "lower-case" in said["Q/a", "Q/a"]
    assert await yard.repository("p/a").tags("", 10) == ["good"]
    assert (found["p/a"].manifests, found["p/a"].tags) == (1, 1)
    await whole(yard)


async def test_damage_of_the_right_size(yard: Yard, old: FilesystemDriver) -> None:
    tree = Tree(old)
    image = await tree.image("p/a", BIG)
    await old.put(f"{ROOT}/{tree.data(Digest.of(BIG))}", _once(b"x" + BIG[1:]))
    (refused,) = (await adopt(yard, old, verify=True))["p/a"].refused
    assert refused.what == image and "damaged" in refused.why
    assert (await adopt(yard, old))["p/a"].refused == []
    scrub = Scrub(yard.database, yard.driver)
    assert [each.verdict async for each in scrub.run(0, await scrub.last())] == ["rotten"]
    await yard.blob(BIG)  # healed by a push, elsewhere; the old bytes stay where they are
    await yard.settle()
    assert (await old.stat(f"{ROOT}/{tree.data(Digest.of(BIG))}")).size == len(BIG)
    copied = (await adopt(yard, old, None))["p/a"]
    assert (copied.refused, copied.known) == ([], 1)


async def test_gc_leaves_the_old_tree_alone_until_confirmed(yard: Yard, old: FilesystemDriver) -> None:
    made = await filled(old)
    before = {stat.key async for stat in old.list()}
    await adopt(yard, old, project="lib")
    for name in ("index", "report", "a", "b"):
        await yard.repository("p/a").delete_manifest(made[name])
    await yard.repository("p/a/0/below").delete_manifest(made["below"])
    await yard.settle()
    assert await yard.state(Digest.of(BIG)) == ("gone", 0)
    assert {stat.key async for stat in old.list()} == before
    back = (await adopt(yard, old, project="lib"))["p/a"]  # copied: the old key may be deleted at any moment
    assert (back.manifests, back.copied, back.linked, back.refused) == (4, 3, 1, [])
    assert await yard.all("SELECT key FROM artifact_blob WHERE digest = $1", Digest.of(BIG)) == [None]
    assert await yard.database.run(lambda conn: adopted.release_trees(conn, SYSTEM)) == 4
    await yard.deletions.step()
    lost = {f"{ROOT}/{Tree.data(Digest.of(content))}" for content in (BIG, b"one", b"two", b"{}")}
    assert {stat.key async for stat in old.list()} == before - lost
    assert await yard.repository("p/a").read_blob(Digest.of(BIG)) == BIG
    await yard.mover.step()
    await whole(yard)


async def test_tags_and_changes_of_ours_are_kept(yard: Yard, old: FilesystemDriver) -> None:
    made = await filled(old)
    mine = await yard.image(await yard.blob(b"mine"), tags=["v1"])
    (refused,) = (await adopt(yard, old))["p/a"].refused
    assert refused.what == "v1" and made["a"] in refused.why
    assert (await yard.repository().stat_manifest("v1")).digest == mine
    assert (await yard.repository().stat_manifest("latest")).digest == made["a"]
    await yard.database.run(lambda conn: settings.set_mode(conn, SYSTEM, settings.Mode.READ_ONLY))
    await Tree(old).image("p/a", b"later")
    with pytest.raises(ReadOnly):
        await adopt(yard, old)


async def test_adopted_blobs_move_to_another_driver(yard: Yard, old: FilesystemDriver) -> None:
    await filled(old)
    await adopt(yard, old, project="lib")
    target = MemoryDriver()
    (first, _) = await Migration(yard.database, yard.driver, target).run()
    assert first.failed == {}
    moved = Yard(yard.database, target)
    assert await moved.repository().read_blob(Digest.of(BIG)) == BIG
    await whole(moved)


async def test_adopted_blobs_are_in_backups(
    yard: Yard, old: FilesystemDriver, databases: Databases, tmp_path: Path
) -> None:
    await filled(old)
    await adopt(yard, old, project="lib")
    report = await backup(yard.database, yard.driver, tmp_path / "copy", LEASE, blobs=True)
    assert (report.copied, report.missing) == (6, [])
    name = await databases.create()
    other = await Database.open(databases.url(name), size=5)
    try:
        elsewhere = FilesystemDriver(str(tmp_path / "elsewhere"))
        assert (await restore(other, elsewhere, tmp_path / "copy")).missing == []
        assert await Yard(other, elsewhere).repository("p/a").read_blob(Digest.of(BIG)) == BIG
    finally:
        await other.close()
        await databases.drop(name)


@pytest.mark.tool("versitygw")
async def test_links_to_the_store_are_to_the_old_keys(database: Database) -> None:
    parameters = versitygw().parameters()
    driver = open_driver("s3", parameters)
    old = open_driver("s3", parameters | {"rootdirectory": parameters["rootdirectory"] + "/harbor"})
    yard = Yard(database, driver)
    layer = b"more than memory keeps" * LARGE
    await Tree(old).image("p/a", layer)
    assert (await adopt(yard, old))["p/a"].in_place == 1
    link = await yard.store.reading.url(await yard.repository("p/a").find_blob(Digest.of(layer)), 60)
    assert link is not None and "/harbor/docker/registry/v2/blobs/" in link
    assert (await asyncio.to_thread(requests.get, link, timeout=30)).content == layer
    await whole(yard)
    await old.close()
    await driver.close()


class Killed(Exception):
    pass


async def test_a_run_that_was_killed_goes_on(yard: Yard, old: FilesystemDriver) -> None:
    await filled(old)

    def tell(name: str, done: int) -> None:
        if (name, done) == ("p/a", 2):
            raise Killed

    adopter = Adopter(yard.store, DistributionTree(old), Plan(old, "harbor/", project="lib"), tell)
    with pytest.raises(Killed):
        _ = [each async for each in adopter.run()]
    found = await adopt(yard, old, project="lib")
    assert found["p/a"].known + found["p/a"].manifests == 4 and found["p/a"].known >= 2
    assert await yard.repository("p/a").tags("", 10) == ["all", "latest", "v1"]
    await whole(yard)


@pytest.mark.parametrize("place", ["harbor/", None], ids=["in place", "copied"])
async def test_an_image_layout(yard: Yard, old: FilesystemDriver, tmp_path: Path, place: str | None) -> None:
    layout = write_layout(tmp_path / "store" / "harbor", {"a.txt": b"alpha", "b.bin": BIG}, "v1")
    index = json.loads((layout.directory / "index.json").read_text())
    index["manifests"] += [{"digest": "sha256:0", "mediaType": media.OCI_MANIFEST}]
    (layout.directory / "index.json").write_text(json.dumps(index))
    for manifests, refused in ((1, 1), (0, 1)):
        adopter = Adopter(yard.store, LayoutTree(old, "p/image"), Plan(old, place))
        (found,) = [each async for each in adopter.run()]
        assert (found.manifests, found.tags, len(found.refused)) == (manifests, manifests, refused)
    stored, _ = await yard.repository("p/image").get_manifest("v1")
    assert stored.digest == layout.digest
    for blob in layout.blobs:
        assert await yard.repository("p/image").read_blob(Digest(blob)) == layout.read(blob)
    await whole(yard)


async def test_no_image_layout(yard: Yard, old: FilesystemDriver) -> None:
    for content, why in ((None, "no index.json"), (b"[]", "cannot be read"), (b"{", "cannot be read")):
        if content is not None:
            await old.put("index.json", _once(content))
        with pytest.raises(NoLayout, match=why):
            _ = [each async for each in LayoutTree(old, "p/a").repositories()]


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
