"""A tree as Harbor leaves it after years: projects, nested names, and much that is not to be taken or cannot be."""

from collections import Counter

import pytest

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import ReadOnly
from dataforge_registry.core.records import settings
from dataforge_registry.drivers.filesystem import FilesystemDriver

from ..gc.conftest import LARGE, Yard
from .conftest import adopt, adopt_all, whole
from .trees import ROOT, Tree

pytestmark = pytest.mark.asyncio(loop_scope="session")
ROWS = """SELECT (SELECT count(*) FROM artifact) + (SELECT count(*) FROM tag) + (SELECT sum(id) FROM tag_history)
  + (SELECT count(*) FROM repository_blob) + (SELECT count(*) FROM access_log) + (SELECT count(*) FROM event)"""
FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"


async def aged(old: FilesystemDriver) -> dict[str, Digest]:
    tree = Tree(old)
    layer = await tree.blob("library/base", b"layer" * LARGE)
    away = {"mediaType": FOREIGN, "size": 3, "digest": Digest.of(b"far"), "urls": ["https://elsewhere/far"]}
    near = away | {"digest": Digest.of(b"near by"), "size": 7}
    await tree.blob("library/base", b"near by")
    made = {
        "base": await tree.image("library/base", b"config", layers=[layer, away, near], tags=("v1", "latest")),
        "deep": await tree.image("team/build/linux/amd64", b"deep", tags=("v1",)),
        "unlinked": await tree.image("team/app", b"config of app", b"app", tags=("v1",)),
        "lacking": await tree.image("team/app", b"config of lacking", b"lost", tags=("broken",)),
        "subject": await tree.image("secret/data", b"data", tags=("v1",)),
        "first": await tree.manifest("library/base", {"schemaVersion": 1, "fsLayers": [], "name": "x"}, "ancient"),
    }
    subject = {"digest": made["subject"], "size": 1, "mediaType": media.OCI_MANIFEST}
    made["sbom"] = await tree.image("secret/data", b"{}", artifactType="application/vnd.sbom", subject=subject)
    gone = made["gone"] = await tree.image("team/app", b"config of gone", b"of the gone", tags=("moving",))
    made["moving"] = await tree.image("team/app", b"config of moving", tags=("moving",))
    for link in (
        f"team/app/_manifests/revisions/sha256/{gone.hex}/link",  # a manifest that was deleted
        f"team/app/_layers/sha256/{Digest.of(b'app').hex}/link",  # a layer that its repository does not serve any more
    ):
        await old.delete(f"{ROOT}/repositories/{link}")
    await old.delete(f"{ROOT}/{tree.data(Digest.of(b'lost'))}")
    await tree.put("repositories/team/app/_uploads/0c7e/data", b"begun")
    await tree.put("repositories/team/app/_uploads/0c7e/startedat", b"2020-01-01T00:00:00Z")
    return made


@pytest.mark.parametrize("place", ["harbor/", None], ids=["in place", "copied"])
async def test_a_tree_of_several_projects(yard: Yard, old: FilesystemDriver, place: str | None) -> None:
    made = await aged(old)
    await yard.blob(b"mine", "team/mine")
    public = frozenset({"library", "team", "typo"})
    for dry in (True, False):
        found, projects = await adopt_all(yard, old, place, public=public, dry_run=dry)
        assert projects.found == {
            "library": "made, public",
            "secret": "made, private",
            "team": "here already and left private",
        }
        assert projects.unmet() == ["typo"]
        assert {name: (each.manifests, each.tags, each.moves) for name, each in found.items()} == {
            "library/base": (1, 2, 2),
            "secret/data": (2, 1, 1),
            "team/app": (2, 2, 3),
            "team/build/linux/amd64": (1, 1, 1),
        }
        refused = {each.what: each.why for report in found.values() for each in report.refused}
        assert refused.keys() == {made["lacking"], made["first"]}
        assert "is missing" in refused[made["lacking"]] and "schema 1" in refused[made["first"]]
        left = Counter(each.why.partition(":")[0] for report in found.values() for each in report.left)
        assert left == {
            "a foreign layer": 1,
            "a layer that no manifest taken over names": 4,  # two each of the deleted manifest and of the lacking one
            "deleted there": 1,
            "an upload that did not end": 1,
        }
    assert await yard.all("SELECT name FROM project WHERE metadata ->> 'public' = 'true'") == ["library"]
    assert await yard.repository("library/base").read_blob(Digest.of(b"near by")) == b"near by"
    assert await yard.repository("team/app").read_blob(Digest.of(b"app")) == b"app"
    referrers = await yard.repository("secret/data").referrers(made["subject"], None, "", 10)
    assert [each.digest for each in referrers] == [made["sbom"]]
    assert await yard.repository("team/app").tags("", 10) == ["moving", "v1"]
    rows = await yard.all(ROWS)
    again = await adopt(yard, old, place, public=public)
    assert sum(each.manifests + each.tags + each.moves + each.in_place + each.copied for each in again.values()) == 0
    assert await yard.all(ROWS) == rows
    await yard.mover.step()
    await whole(yard)


async def test_no_project_is_made_while_nothing_may_change(yard: Yard, old: FilesystemDriver) -> None:
    await aged(old)
    await yard.database.run(lambda conn: settings.set_mode(conn, SYSTEM, settings.Mode.READ_ONLY))
    with pytest.raises(ReadOnly, match="dfr mode normal"):
        await adopt(yard, old)
    assert await yard.all("SELECT count(*) FROM project") == [0]
