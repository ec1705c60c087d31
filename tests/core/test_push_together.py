"""Pushes of manifests that share a transaction share nothing else: each has its own answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import ManifestBlobUnknown, PreconditionFailed
from dataforge_registry.core.oci.manifest import Manifest, parse
from dataforge_registry.core.records import artifacts
from dataforge_registry.core.records.artifacts import Actor, Precondition, Push
from dataforge_registry.core.records.calls import fetchval
from dataforge_registry.core.records.database import Database

pytestmark = pytest.mark.asyncio
LEASE = timedelta(hours=1)
STATE = """SELECT (SELECT count(*) FROM artifact), (SELECT count(*) FROM tag), (SELECT count(*) FROM tag_history),
  (SELECT count(*) FROM event WHERE kind = 'artifact.pushed'),
  (SELECT count(*) FROM access_log WHERE operation = 'push'),
  (SELECT artifact_count FROM project) = (SELECT count(*) FROM artifact),
  (SELECT storage_used FROM project) = (SELECT sum(octet_length(manifest)) FROM artifact)"""


def index(n: int, *children: Manifest) -> Manifest:
    """An index of its own digest."""
    listed = [{"digest": c.digest, "size": len(c.raw), "mediaType": c.media_type} for c in children]
    body: dict[str, Any] = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": listed}
    raw = json.dumps(body | {"annotations": {"n": str(n)}}).encode()
    return parse(raw, media.OCI_INDEX, Digest.of(raw))


class Pusher:
    """Pushes to one repository, all together."""

    def __init__(self, database: Database, repository: int) -> None:
        self.pushes = artifacts.pushes(database, LEASE)
        self.repository = repository

    def push(self, manifest: Manifest, tag: str, expected: Precondition | None = None) -> Push:
        return Push(self.repository, manifest, [tag], expected or Precondition(), None, Actor("me"))

    async def all(self, *pushes: Push) -> list[int | BaseException]:
        answers = await asyncio.gather(*map(self.pushes.get, pushes), return_exceptions=True)
        return [answer if isinstance(answer, BaseException) else answer.absent for answer in answers]


@pytest_asyncio.fixture(loop_scope="session")
async def pusher(database: Database) -> AsyncIterator[Pusher]:
    yield Pusher(database, await fetchval(database, "SELECT repository_make('p', 'p/a', true, 'me', '', '')"))


async def state(database: Database) -> tuple[Any, ...]:
    async with database.acquire() as conn:
        return tuple(await conn.fetchrow(STATE) or ())


async def test_pushes_that_meet_are_one_transaction(pusher: Pusher, database: Database) -> None:
    pushes = [pusher.push(index(n), f"v{n}") for n in range(20)]
    assert await pusher.all(*pushes) == [0] * 20
    assert await state(database) == (20, 20, 20, 20, 20, True, True)
    transactions = await fetchval(database, "SELECT count(DISTINCT xmin::text) FROM artifact")
    assert transactions == 1


async def test_a_push_that_is_refused_takes_no_other_down(pusher: Pusher, database: Database) -> None:
    absent = index(0)
    answers = await pusher.all(
        pusher.push(index(1), "v1"),
        pusher.push(index(2, absent), "v2"),
        pusher.push(index(3), "v3", Precondition(match="*")),
        pusher.push(index(4), "v4", Precondition(none=True)),
    )
    assert [type(answer) for answer in answers] == [int, ManifestBlobUnknown, PreconditionFailed, int]
    assert await state(database) == (2, 2, 2, 2, 2, True, True)


async def test_pushes_of_one_tag_or_one_manifest_follow_each_other(pusher: Pusher, database: Database) -> None:
    first, last = index(1), index(2)
    assert (
        await pusher.all(
            pusher.push(first, "v"), pusher.push(last, "v"), pusher.push(last, "w"), pusher.push(first, "x")
        )
        == [0] * 4
    )
    named = await fetchval(
        database, "SELECT a.digest FROM tag t JOIN artifact a ON a.id = t.artifact_id WHERE name = 'v'"
    )
    assert named == last.digest
    assert await state(database) == (2, 3, 4, 4, 4, True, True)


async def test_an_index_may_come_with_its_children(pusher: Pusher, database: Database) -> None:
    children = [index(n) for n in range(3)]
    parent = index(9, *children)
    answers = await pusher.all(
        *(pusher.push(child, f"c{n}") for n, child in enumerate(children)), pusher.push(parent, "all")
    )
    assert answers == [0] * 4, "those that were refused together are tried alone, in their order"
    held = (
        "SELECT count(*) FROM artifact_reference f JOIN artifact a ON a.id = f.artifact_id WHERE f.child_id IS NOT NULL"
    )
    assert await fetchval(database, held) == 3


async def test_opposite_orders_of_tags_do_not_deadlock(pusher: Pusher, database: Database) -> None:
    """Two processes, the same tags in batches of opposite order, again and again."""
    other = Pusher(database, pusher.repository)
    for n in range(10):
        there = [pusher.push(index(n * 100 + k), f"t{k}") for k in range(12)]
        back = [other.push(index(n * 100 + 50 + k), f"t{k}") for k in reversed(range(12))]
        answers = await asyncio.gather(pusher.all(*there), other.all(*back))
        assert answers == [[0] * 12, [0] * 12]
    assert await fetchval(database, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == 0


async def test_groups_share_no_artifact_and_no_tag(pusher: Pusher) -> None:
    one, two = index(1), index(2)
    pushes = [pusher.push(one, "a"), pusher.push(two, "b"), pusher.push(two, "c"), pusher.push(one, "b")]
    assert [len(group) for group in artifacts.disjoint(pushes)] == [2, 2]
