"""Adopted blobs are served like all others, also from copies on a local disk."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from dataforge_registry.core.adopting.adopter import Adopter, Plan
from dataforge_registry.core.adopting.layout import LayoutTree
from dataforge_registry.core.oci.digest import Digest, hash_of_key
from dataforge_registry.core.records.database import Database
from dataforge_registry.drivers.cache_folder import CacheFolder
from dataforge_registry.drivers.cached import Cached
from dataforge_registry.drivers.filesystem import FilesystemDriver

from ...clients.layout import write_layout
from ..gc.conftest import LARGE, Yard
from .conftest import adopt
from .trees import Tree

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("kind", ["distribution", "layout"])
async def test_copies_on_a_local_disk(database: Database, tmp_path: Path, kind: str) -> None:
    seen: Counter[str] = Counter()
    layer, store = Random(6).randbytes(10 * LARGE), FilesystemDriver(str(tmp_path / "store"))
    cached = Cached(
        store, CacheFolder(str(tmp_path / "cache"), 1 << 24), hash_of_key, lambda what, _: seen.update([what])
    )
    yard, old = Yard(database, cached), FilesystemDriver(str(tmp_path / "store/old"))
    if kind == "distribution":
        await Tree(old).image("p/a", layer)
        assert (await adopt(yard, old, "old/"))["p/a"].in_place == 1
    else:
        layout = write_layout(tmp_path / "store" / "old", {"layer": layer})
        layer = max((layout.read(blob) for blob in layout.blobs), key=len)
        tree = LayoutTree(old, "p/a")
        assert [each.refused async for each in Adopter(yard.store, tree, Plan(old, "old/")).run()] == [[]]
    for _ in range(4):
        body = await yard.repository().open_blob(Digest.of(layer))
        assert b"".join([piece async for piece in body]) == layer
        await cached.filled()
    assert (seen["hit"], seen["filled"]) == (2, 1)


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("blobs/sha256/aa/aa/" + "a" * 64, True),
        ("blobs/sha256/aa/aa/" + "a" * 64 + ".g2", True),
        ("old/docker/registry/v2/blobs/sha256/aa/" + "a" * 64 + "/data", True),
        ("blobs/sha512/" + "a" * 128, True),
        ("old/blobs/sha256/" + "a" * 63, False),
        ("manifests/sha256/aa/aa/" + "a" * 64, False),
        ("docker/registry/v2/repositories/p/_layers/sha256/" + "a" * 64 + "/link", False),
    ],
)
async def test_keys_that_say_their_hash(key: str, named: bool) -> None:
    assert (hash_of_key(key) is not None) is named
