"""What a tag named before: whatever order its links say, or a reason why they say none."""

import os
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.adopting.past import Untold, past_of
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import ManifestUnknown
from dataforge_registry.core.records import history
from dataforge_registry.core.records.history import Move
from dataforge_registry.drivers.filesystem import FilesystemDriver

from ..gc.conftest import Yard
from .conftest import adopt, whole
from .trees import ROOT, Tree

A, B, C = (Digest.of(letter) for letter in (b"a", b"b", b"c"))
FIRST = 1_600_000_000.0
TAGGINGS = st.lists(st.tuples(st.sampled_from((A, B, C)), st.integers(1, 1000)), min_size=1)


@given(TAGGINGS)
def test_what_a_registry_wrote_is_read_back(taggings: list[tuple[Digest, int]]) -> None:
    """Each tagging writes the index link, then the current one, at a later time than the one before."""
    indexed, now, current = {}, FIRST, FIRST
    for digest, pause in taggings:
        now += pause
        indexed[digest], current = now, now + 0.5
    past = past_of(taggings[-1][0], current, indexed, now + 1)
    assert past[-1] == (taggings[-1][0], now)
    assert {named.digest: named.at for named in past} == indexed
    assert all(earlier.at < later.at for earlier, later in pairwise(past))


@pytest.mark.parametrize(
    ("current", "indexed", "why"),
    [
        (3, {B: 1}, "does not list"),
        (3, {A: 0, B: -1}, "no times"),
        (3, {A: 2, B: 3}, "times are those of a copy"),
        (1, {A: 2}, "times are those of a copy"),
        (4, {A: 3, B: 1, C: 1}, "one time"),
        (3, {A: 3, B: 3}, "those of a copy|one time"),
        (9, {A: 9}, "future"),
    ],
)
def test_what_is_not_told(current: float, indexed: dict[Digest, float], why: str) -> None:
    with pytest.raises(Untold, match=why):
        past_of(A, current, indexed, 5)


class Dated:
    """A tree on files whose links have the times that a test says."""

    def __init__(self, root: Path) -> None:
        self.root, self.tree = root, Tree(FilesystemDriver(str(root)))

    async def tag(self, name: str, tag: str, digest: Digest, at: float) -> None:
        folder = f"repositories/{name}/_manifests/tags/{tag}"
        for part in (f"index/sha256/{digest.hex}", "current"):
            await self.tree.put(f"{folder}/{part}/link", digest.encode())
            os.utime(self.root / ROOT / folder / part / "link", (at, at))

    def delete(self, name: str, digest: Digest) -> None:
        (self.root / ROOT / f"repositories/{name}/_manifests/revisions/sha256/{digest.hex}/link").unlink()


@pytest.fixture
def dated(tmp_path: Path) -> Dated:
    return Dated(tmp_path / "store" / "harbor")


def when(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


async def moves(yard: Yard, tag: str, name: str = "p/a") -> list[Move]:
    """Oldest first."""
    home = await history.repository(yard.database, name.partition("/")[0], name)
    assert home is not None
    return (await history.moves(yard.database, home, tag, datetime.now(UTC), None, 100))[::-1]


@pytest.mark.asyncio(loop_scope="session")
async def test_the_history_of_tags_comes_along(yard: Yard, old: FilesystemDriver, dated: Dated) -> None:
    one, two, gone = [await dated.tree.image("p/a", letter) for letter in (b"1", b"2", b"3")]
    for at, digest in enumerate((one, two, gone, one)):  # its first time is not to be seen any more
        await dated.tag("p/a", "latest", digest, FIRST + at)
    await dated.tag("p/a", "only", two, FIRST + 9)
    dated.delete("p/a", gone)
    plan = await adopt(yard, old, dry_run=True)
    assert plan["p/a"].moves == 4
    found = (await adopt(yard, old))["p/a"]
    assert (found.tags, found.moves, found.refused) == (2, 4, [])
    assert {left.what: left.why.partition(":")[0] for left in found.left} == {
        gone: "deleted there",
        Digest.of(b"3"): "a layer that no manifest taken over names",
    }
    latest = [(two, FIRST + 1), (gone, FIRST + 2), (one, FIRST + 3)]
    told = await moves(yard, "latest")
    assert [(each.to_digest, each.op_time, each.username) for each in told] == [(d, when(at), "") for d, at in latest]
    assert [each.from_digest for each in told] == [None, two, gone]
    home = await history.repository(yard.database, "p", "p/a")
    assert home is not None
    assert await history.as_of(yard.database, home, "latest", when(FIRST + 1.5)) == two
    assert await history.as_of(yard.database, home, "only", when(FIRST + 10)) == two
    for at, why in ((FIRST + 0.5, "named nothing"), (FIRST + 2, "not here any more")):
        with pytest.raises(ManifestUnknown, match=why):
            await history.as_of(yard.database, home, "latest", when(at))
    await yard.repository().delete_tag("only")
    before = await moves(yard, "latest"), await moves(yard, "only")
    again = (await adopt(yard, old))["p/a"]
    assert (again.tags, again.moves) == (1, 0)  # the deleted tag is made again, now
    assert await moves(yard, "latest") == before[0]
    assert [each.to_digest for each in await moves(yard, "only")] == [two, None, two]
    await whole(yard)


@pytest.mark.asyncio(loop_scope="session")
async def test_histories_that_begin_here(yard: Yard, old: FilesystemDriver, dated: Dated) -> None:
    one, two = [await dated.tree.image("p/a", letter) for letter in (b"1", b"2")]
    for tag, times in (("copied", (5.0, 4.0)), ("same", (5.0, 5.0)), ("moved", (4.0, 5.0)), ("mine", (4.0, 5.0))):
        for digest, at in zip((one, two), times, strict=True):
            await dated.tag("p/a", tag, digest, FIRST + at)
    mine = await yard.image(await yard.blob(b"mine"), tags=["moved"])
    await adopt(yard, old, history=False)
    assert [len(await moves(yard, tag)) for tag in ("copied", "same", "mine")] == [1, 1, 1]
    await yard.repository().delete_tag("mine")
    await yard.image(await yard.blob(b"mine"), tags=["mine"])
    found = (await adopt(yard, old))["p/a"]
    assert (found.moves, [refused.what for refused in found.refused]) == (0, ["mine", "moved"])
    assert {left.what: left.why.partition(":")[0] for left in found.left} == {
        tag: "its history begins here" for tag in ("copied", "same")
    }
    assert [each.to_digest for each in await moves(yard, "moved")] == [mine]
    assert [each.to_digest for each in await moves(yard, "copied")] == [two]
