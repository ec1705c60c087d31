"""What goes, when, and what stays: links, blobs, charges, artifacts, indexes and their children, accessories."""

import os

import pytest

from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest, blob_key
from dataforge_registry.core.oci.errors import BlobUnknown, ManifestUnknown
from dataforge_registry.core.work.gc_run import GcParameters

from .conftest import LARGE, LEASE, UNDO, Yard

pytestmark = pytest.mark.asyncio
sizes = pytest.mark.parametrize("size", [100, LARGE], ids=["inline", "large"])


@sizes
async def test_a_blob_that_no_manifest_names_goes_step_by_step(yard: Yard, size: int) -> None:
    content = os.urandom(size)
    digest = (await yard.blob(content))["digest"]
    await yard.collect()
    assert await yard.state(digest) == ("live", 0)
    assert await yard.used() == (size, 0)
    await yard.pass_time(LEASE)
    await yard.collect()
    assert await yard.state(digest) == ("condemned", 0)
    assert await yard.used() == (0, 0)
    assert await yard.objects() == {blob_key(digest)}  # the object is untouched
    with pytest.raises(BlobUnknown):
        await yard.repository().stat_blob(digest)
    await yard.pass_time(UNDO)
    await yard.collect()
    assert await yard.state(digest) == ("gone", 0)
    assert await yard.objects() == set()
    assert await yard.all("SELECT count(*) FROM gc_review") == [0]
    assert (await yard.blob(content))["digest"] == digest
    assert await yard.state(digest) == ("live", 1)
    await yard.mover.step()
    assert await yard.objects() == {blob_key(digest, 1)}
    assert await yard.repository().read_blob(digest) == content


@sizes
async def test_a_condemned_blob_is_revived_by_a_push(yard: Yard, size: int) -> None:
    content = os.urandom(size)
    layer = await yard.blob(content)
    await yard.pass_time(LEASE)
    await yard.collect()
    assert (await yard.blob(content, "p/b"))["digest"] == layer["digest"]
    assert await yard.state(layer["digest"]) == ("live", 0)
    await yard.image(layer, tags=["v"], name="p/b")
    await yard.settle()
    assert await yard.state(layer["digest"]) == ("live", 0)
    assert await yard.repository("p/b").read_blob(layer["digest"]) == content
    assert await yard.violations() == []


async def test_what_a_manifest_names_stays(yard: Yard) -> None:
    content = os.urandom(LARGE)
    layer = await yard.blob(content)
    image = await yard.image(layer, tags=["v"])
    used = await yard.used()
    await yard.settle()
    assert await yard.repository().read_blob(layer["digest"]) == content
    assert (await yard.repository().stat_manifest("v")).digest == image
    assert await yard.used() == used
    assert await yard.all("SELECT count(*) FROM gc_review") == [0]  # nothing is looked at for ever


async def test_an_untagged_manifest_stays_too(yard: Yard) -> None:
    layer = await yard.blob(os.urandom(LARGE))
    image = await yard.image(layer, tags=[])
    moved = await yard.image(layer, tags=["v"], annotations={"n": "1"})
    await yard.image(layer, tags=["v"], annotations={"n": "2"})
    await yard.repository().delete_tag("v")
    await yard.settle()
    for digest in (image, moved):
        assert (await yard.repository().stat_manifest(digest)).digest == digest
    assert await yard.violations() == []


async def test_a_promise_is_kept_and_renewed(yard: Yard) -> None:
    """What a positive answer promises is half a lease at least."""
    layer = await yard.blob(os.urandom(LARGE))
    for _ in range(5):
        await yard.pass_time(0.6 * LEASE)
        await yard.repository().stat_blob(layer["digest"])
        await yard.collect()
    assert await yard.state(layer["digest"]) == ("live", 0)
    await yard.image(layer, tags=["v"])


async def test_a_deleted_artifact_keeps_all_for_the_undo_window(yard: Yard) -> None:
    layer = await yard.blob(os.urandom(LARGE))
    image = await yard.image(layer, tags=["v"])
    _, raw = await yard.repository().get_manifest(image)
    await yard.pass_time(LEASE)
    await yard.repository().delete_manifest(image)
    await yard.collect()
    assert await yard.used() == (LARGE + len(raw), 1)
    assert await yard.state(layer["digest"]) == ("live", 0)
    assert await yard.image(layer, tags=["again"]) == image  # the same bytes bring it back
    await yard.settle()
    assert await yard.state(layer["digest"]) == ("live", 0)
    await yard.repository().delete_manifest(image)
    await yard.pass_time(UNDO)
    await yard.collect()
    assert await yard.used() == (0, 0)
    assert await yard.all("SELECT count(*) FROM artifact") == [0]
    assert await yard.state(layer["digest"]) == ("condemned", 0)
    await yard.pass_time(UNDO)
    await yard.collect()
    assert await yard.orphans() == (set(), set())
    assert await yard.objects("") == set()


async def test_a_blob_is_paid_for_until_the_last_repository_of_the_project_drops_it(yard: Yard) -> None:
    content = os.urandom(LARGE)
    layer = await yard.blob(content, "p/a")
    await yard.blob(content, "p/b")
    await yard.blob(content, "q/a")
    image = await yard.image(layer, tags=["v"], name="p/b")
    await yard.settle()
    assert await yard.all("SELECT r.name FROM repository_blob JOIN repository r USING (repository_id)") == ["p/b"]
    _, raw = await yard.repository("p/b").get_manifest("v")
    assert await yard.used() == (LARGE + len(raw), 1)
    assert await yard.all("SELECT storage_used FROM project WHERE name = 'q'") == [0]
    await yard.repository("p/b").delete_manifest(image)
    await yard.settle()
    assert await yard.used() == (0, 0)
    assert await yard.objects("") == set()
    assert await yard.violations() == []


async def test_a_deleted_blob_is_absent_at_once_and_dropped(yard: Yard) -> None:
    content = os.urandom(LARGE)
    digest = (await yard.blob(content))["digest"]
    await yard.repository().delete_blob(digest)
    await yard.collect()
    assert await yard.used() == (0, 0)
    assert await yard.state(digest) == ("live", 0)  # its own lease is not over
    await yard.settle()
    assert await yard.objects() == set()
    assert await yard.state(digest) == ("gone", 0)


async def test_a_hidden_blob_stays_while_a_deleted_artifact_may_come_back(yard: Yard) -> None:
    layer = await yard.blob(os.urandom(LARGE))
    image = await yard.image(layer, tags=["v"])
    await yard.pass_time(LEASE)
    await yard.repository().delete_manifest(image)
    await yard.repository().delete_blob(layer["digest"])
    await yard.collect()
    assert await yard.all("SELECT hidden FROM repository_blob") == [True]
    await yard.settle()
    assert await yard.all("SELECT count(*) FROM repository_blob") == [0]
    assert await yard.objects("") == set()


async def test_children_follow_their_index(yard: Yard) -> None:
    children = [await yard.image(await yard.blob(os.urandom(LARGE)), tags=[]) for _ in range(3)]
    index = await yard.index(*children, tags=["v"])
    await yard.settle()
    await yard.repository().delete_manifest(index)
    for child in children:
        await yard.repository().delete_manifest(child)
    await yard.pass_time(UNDO)
    await yard.collect()
    assert await yard.all("SELECT count(*) FROM artifact") == [0]
    await yard.settle()
    assert await yard.objects("") == set()
    assert await yard.used() == (0, 0)


async def test_a_deleted_child_waits_for_the_window_of_its_index(yard: Yard) -> None:
    child = await yard.image(await yard.blob(os.urandom(LARGE)), tags=[])
    index = await yard.index(child, tags=["v"])
    await yard.repository().delete_manifest(index)
    await yard.pass_time(0.5 * UNDO)
    await yard.repository().delete_manifest(child)
    await yard.do("UPDATE artifact SET keep_until = keep_until + '10 hours' WHERE digest = $1", index)
    await yard.do(
        "UPDATE gc_review SET review_after = review_after + '10 hours' WHERE review_after < now() + '40 minutes'"
    )
    await yard.pass_time(UNDO)
    await yard.collect()
    assert await yard.all("SELECT count(*) FROM artifact") == [2]  # an index that comes back lists it
    await yard.pass_time(10 * LEASE)
    await yard.collect()
    assert await yard.all("SELECT count(*) FROM artifact") == [0]


async def test_a_child_deleted_in_a_sparse_project_leaves_its_index(yard: Yard) -> None:
    child = await yard.image(await yard.blob(os.urandom(LARGE)), tags=[])
    index = await yard.index(child, tags=["v"])
    await yard.do("""UPDATE project SET metadata = '{"sparse": "true"}'""")
    await yard.repository().delete_manifest(child)
    await yard.settle()
    assert await yard.all("SELECT digest FROM artifact") == [index]
    assert await yard.all("SELECT child_id FROM artifact_reference") == [None]
    assert await yard.objects() == set()


async def test_copies_made_for_an_index_go_with_it(yard: Yard) -> None:
    """An index of curves holds copies of what lives in repositories below; they are charged there."""
    child = await yard.image(await yard.blob(os.urandom(LARGE), "p/a/b"), tags=["v"], name="p/a/b")
    index = await yard.index(child, tags=["v"], below="p/a/b")
    await yard.settle()
    assert await yard.all("SELECT repository_name FROM artifact WHERE NOT charged") == ["p/a"]
    await yard.repository().delete_manifest(index)
    await yard.settle()
    assert await yard.all("SELECT repository_name FROM artifact") == ["p/a/b"]
    assert await yard.all("SELECT r.name FROM repository_blob JOIN repository r USING (repository_id)") == ["p/a/b"]
    assert await yard.violations() == []
    await yard.repository("p/a/b").delete_manifest(child)
    await yard.settle()
    assert await yard.objects("") == set()
    assert await yard.used() == (0, 0)


async def test_a_copy_that_is_pushed_for_its_own_sake_is_charged_and_stays(yard: Yard) -> None:
    layer = await yard.blob(os.urandom(LARGE), "p/a/b")
    child = await yard.image(layer, tags=["v"], name="p/a/b")
    index = await yard.index(child, tags=["v"], below="p/a/b")
    used, artifacts = await yard.used()
    assert await yard.image(layer, tags=[]) == child
    _, raw = await yard.repository().get_manifest(child)
    assert await yard.used() == (used + len(raw), artifacts + 1)
    assert await yard.image(layer, tags=[]) == child
    assert await yard.used() == (used + len(raw), artifacts + 1)  # once
    await yard.repository().delete_manifest(index)
    await yard.settle()
    assert (await yard.repository().stat_manifest(child)).digest == child
    assert await yard.violations() == []


async def test_a_waiting_manifest_is_bound_before_its_blob_is_dropped(yard: Yard) -> None:
    """A sparse manifest and the blob's link, each made without seeing the other."""
    await yard.blob(b"other")
    await yard.do("""UPDATE project SET metadata = '{"sparse": "true"}'""")
    layer = await yard.blob(os.urandom(LARGE))
    await yard.image(layer, tags=["v"])
    await yard.do("UPDATE artifact_blob_ref SET link_id = NULL")
    await yard.settle()
    assert await yard.state(layer["digest"]) == ("live", 0)
    assert await yard.all("SELECT link_id IS NOT NULL FROM artifact_blob_ref") == [True]


async def test_untagged_artifacts_go_by_policy_alone(yard: Yard) -> None:
    layer = await yard.blob(os.urandom(LARGE))
    tagged = await yard.image(layer, tags=["v"])
    untagged = await yard.image(layer, tags=[], annotations={"n": "1"})
    child = await yard.image(layer, tags=[], annotations={"n": "2"})
    await yard.index(child, tags=["i"])
    subject = {"subject": {"digest": tagged, "size": 1, "mediaType": media.OCI_MANIFEST}}
    signature = await yard.image(layer, tags=[], annotations={"n": "3"}, **subject)
    orphan = {"subject": {"digest": Digest.of(b"?"), "size": 1, "mediaType": media.OCI_MANIFEST}}
    unattached = await yard.image(layer, tags=[], annotations={"n": "4"}, **orphan)

    async def delete(window: float) -> int:
        after, deleted = 0, 0
        while after is not None:
            after, tally = await yard.gc.untagged(after, window * LEASE, "me")
            deleted += tally.untagged
        return deleted

    assert await delete(0) == 0  # promised lately
    await yard.pass_time(LEASE)
    assert await delete(2) == 0  # pushed lately
    assert await delete(0.5) == 2
    for digest in (untagged, unattached):
        with pytest.raises(ManifestUnknown):
            await yard.repository().stat_manifest(digest)
    assert await yard.all("SELECT count(*) FROM artifact") == [6]  # the undo window
    await yard.settle()
    left = {tagged, child, signature} | set(
        await yard.all("SELECT digest FROM artifact WHERE manifest_media_type = $1", media.OCI_INDEX)
    )
    assert set(await yard.all("SELECT digest FROM artifact")) == left
    assert await yard.all("SELECT DISTINCT username FROM access_log WHERE operation = 'delete'") == ["me"]
    assert await yard.violations() == []


@pytest.mark.parametrize("dry", [True, False])
async def test_what_is_held_is_passed_over(yard: Yard, dry: bool) -> None:
    """One hold does not keep a run from all else, and an artifact deleted before it was held stays too."""
    layer = await yard.blob(os.urandom(LARGE))
    held, deleted = [await yard.image(layer, tags=[], annotations={"n": str(number)}) for number in range(2)]
    await yard.image(await yard.blob(os.urandom(LARGE), "p/b"), tags=[], name="p/b")
    await yard.repository().delete_manifest(deleted)
    await yard.do("""INSERT INTO hold (project_id, repository_id, reason, username)
      SELECT project_id, repository_id, 'court', 'me' FROM repository WHERE name = 'p/a'""")
    await yard.pass_time(2 * LEASE)
    run = await yard.run(await yard.start(GcParameters(delete_untagged=True, dry_run=dry)))
    assert run.status == "success"
    if dry:
        assert (run.attributes["would"]["untagged"], run.attributes["would"]["artifacts"]) == (1, 0)
        return
    await yard.settle()
    assert set(await yard.all("SELECT digest FROM artifact")) == {held, deleted}
    assert await yard.violations() == []


async def test_rot_that_nobody_heals_and_claims_that_nobody_finishes(yard: Yard) -> None:
    lost, kept = await yard.blob(os.urandom(LARGE)), await yard.blob(os.urandom(LARGE))
    await yard.image(kept, tags=["v"])
    await yard.do("UPDATE artifact_blob SET state = 'missing', keep_until = now()")
    claim = Digest.of(b"claimed")
    await yard.do("SELECT blob_claim((SELECT repository_id FROM repository), $1, 5, $2)", claim, LEASE)
    await yard.collect()
    assert await yard.state(lost["digest"]) == ("missing", 0)
    await yard.settle()
    assert await yard.state(lost["digest"]) == ("gone", 0)
    assert await yard.state(claim) == ("gone", 0)
    assert await yard.state(kept["digest"]) == ("missing", 0)  # a push heals it
    assert await yard.objects() == {blob_key(kept["digest"])}


async def test_a_heal_that_nobody_finished(yard: Yard) -> None:
    content = os.urandom(LARGE)
    layer = await yard.blob(content)
    await yard.image(layer, tags=["v"])
    await yard.do("UPDATE artifact_blob SET state = 'missing', keep_until = now()")
    await yard.do(
        "SELECT blob_claim((SELECT repository_id FROM repository), $1, $2, $3)", layer["digest"], LARGE, LEASE
    )
    assert await yard.state(layer["digest"]) == ("pending", 1)
    await yard.settle()
    assert await yard.state(layer["digest"]) == ("missing", 1)
    await yard.blob(content)
    assert await yard.state(layer["digest"]) == ("live", 2)
    await yard.settle()
    assert await yard.repository().read_blob(layer["digest"]) == content
    assert await yard.orphans() == (set(), set())


async def test_a_tombstone_goes_when_nothing_names_its_digest(yard: Yard) -> None:
    digest = (await yard.blob(os.urandom(LARGE)))["digest"]
    await yard.do("INSERT INTO segment VALUES ('\\x00', $1, 'f4', 1)", digest)
    await yard.settle()
    await yard.do("INSERT INTO gc_delete (digest, generation, next_try) VALUES ($1, 0, now() + '100 days')", digest)
    await yard.pass_time(30 * 12 * LEASE)
    await yard.collect()
    assert await yard.state(digest) == ("gone", 0)
    await yard.do("DELETE FROM gc_delete")
    await yard.pass_time(LEASE)
    await yard.collect()
    assert await yard.state(digest) is None
    assert await yard.all("SELECT count(*) FROM segment") == [0]
