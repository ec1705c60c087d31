"""Copies inside the registry: no byte passes through the client, and blobs that the project has cost nothing again."""

from collections.abc import Sequence
from graphlib import TopologicalSorter

from .access import SYSTEM
from .cataloguing import describe
from .curves.catalogue import home_of
from .oci.accessory import accessory_of
from .oci.digest import Digest
from .oci.manifest import parse
from .oci.names import check_repository
from .records import copying, repositories
from .records.artifacts import Actor, Precondition, Push
from .records.copying import Original
from .records.lookup import FoundBlob, key
from .store import Store


async def copy(store: Store, source: str, artifact_id: int, target: str, actor: Actor) -> None:
    """Copy an artifact of the repository `source`, with its tags, its children and what is attached to them, into the
    repository `target`, made if need be. The caller has asked for the rights on both sides.

    NotFound, NameInvalid, Unsupported; CurveConflict where the target is another curve's, or has given a version's
    number to another; QuotaExceeded. Then nothing is copied.
    """
    check_repository(target)
    async with store.database.acquire() as conn:
        originals = await copying.read(conn, artifact_id)
    repository_id = await store.makes.get(repositories.New(target, False, actor))

    async def find(digest: Digest) -> FoundBlob | None:
        return (await store.by_blob.get(key(SYSTEM, source, digest)))[1]

    async def push(original: Original) -> Push:
        manifest = parse(original.raw, original.media_type, Digest(original.digest))
        return Push(
            repository_id,
            manifest,
            original.tags,
            Precondition(),
            accessory_of(manifest, original.tags),
            actor,
            home=home_of(target) is not None,
            curve=await describe(store.reading, find, target, True, manifest),  # read where it lies, not here
        )

    waves = [[(each.id, await push(each)) for each in wave] for wave in _waves(originals)]
    await copying.put(store.database, repository_id, waves, store.limits.lease)


def _waves(originals: Sequence[Original]) -> list[list[Original]]:
    """In the order in which they can be put: each after its children."""
    by_id = {each.id: each for each in originals}
    sorter = TopologicalSorter({each.id: [child for child in each.children if child in by_id] for each in originals})
    sorter.prepare()
    waves = []
    while sorter.is_active():
        ready = sorter.get_ready()
        waves.append([by_id[each] for each in sorted(ready)])
        sorter.done(*ready)
    return waves
