"""Look-ups that share a query share nothing else: each caller has his own rights, and nobody sees an old tag."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from dataforge_registry.core.access import ANONYMOUS, DEVELOPER, SYSTEM, Principal
from dataforge_registry.core.body import Body
from dataforge_registry.core.local import LocalRepository
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import (
    Denied,
    NameUnknown,
    RegistryError,
    TokenInvalid,
    Unauthorized,
    Unavailable,
)
from dataforge_registry.core.records import accounts, projects
from dataforge_registry.core.records.artifacts import Actor
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.pulls import PullLog
from dataforge_registry.core.store import Limits, Store
from dataforge_registry.drivers.memory import MemoryDriver

pytestmark = pytest.mark.asyncio
NAME = "wells/gr"


async def pieces(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


def seen_by(store: Store, who: Principal, name: str = NAME) -> LocalRepository:
    return LocalRepository(store, who, name, Actor(who.name))


async def push(store: Store, tag: str, n: int) -> Digest:
    """An empty index of its own digest under a tag."""
    body = {"schemaVersion": 2, "mediaType": media.OCI_INDEX, "manifests": [], "annotations": {"n": str(n)}}
    raw = json.dumps(body).encode()
    manifest, _ = await seen_by(store, SYSTEM).push_manifest(Body(pieces(raw), len(raw), None), None, None, [tag])
    return manifest.digest


@pytest_asyncio.fixture(loop_scope="session")
async def store(database: Database) -> Store:
    store = Store(database, MemoryDriver(), Limits(), PullLog(database))
    async with database.transaction() as conn:
        await projects.create(conn, SYSTEM, "wells")
    await push(store, "v1", 1)
    return store


@pytest_asyncio.fixture(loop_scope="session")
async def people(store: Store) -> dict[str, Principal]:
    """ann is a developer, eve no member, root an administrator; old is ann as she signed in before her epoch."""
    found = {"anonymous": ANONYMOUS}
    async with store.database.transaction() as conn:
        for name in ("ann", "eve", "root"):
            await accounts.create(conn, SYSTEM, name, None, admin=name == "root")
            account = await accounts.find(conn, name)
            assert account is not None
            found[name] = account.principal
        await projects.set_member(conn, SYSTEM, "wells", "user", "ann", DEVELOPER)
    return found | {"old": Principal("account", found["ann"].id, "ann", epoch=found["ann"].epoch + 1)}


EXPECTED: dict[str, type[RegistryError] | None] = {
    "ann": None,
    "root": None,
    "eve": Denied,
    "anonymous": Unauthorized,
    "old": TokenInvalid,
}


async def test_callers_of_one_query_have_their_own_rights(store: Store, people: dict[str, Principal]) -> None:
    asked = list(EXPECTED) * 20
    answers = await asyncio.gather(
        *(seen_by(store, people[who]).stat_manifest("v1") for who in asked),
        *(seen_by(store, people[who]).tags("", 10) for who in asked),
        return_exceptions=True,
    )
    for who, answer in zip([*asked, *asked], answers, strict=True):
        expected = EXPECTED[who]
        assert isinstance(answer, expected) if expected else not isinstance(answer, BaseException), (who, answer)


async def test_a_member_that_goes_is_refused_by_the_next_look_up(store: Store, people: dict[str, Principal]) -> None:
    ann = seen_by(store, people["ann"])
    await ann.stat_manifest("v1")
    async with store.database.transaction() as conn:
        await projects.remove_member(conn, SYSTEM, "wells", "user", "ann")
    with pytest.raises(Denied):
        await ann.stat_manifest("v1")


async def test_what_starts_after_a_tag_moved_sees_it(store: Store, people: dict[str, Principal]) -> None:
    """While a crowd keeps queries under way all the time."""
    over = asyncio.Event()
    looked = 0

    async def crowd() -> None:
        nonlocal looked
        while not over.is_set():
            await seen_by(store, people["ann"]).stat_manifest("v1")
            looked += 1

    readers = [asyncio.create_task(crowd()) for _ in range(8)]
    try:
        for n in range(30):
            digest = await push(store, "v1", n)
            found = await asyncio.gather(*(seen_by(store, people["root"]).stat_manifest("v1") for _ in range(3)))
            assert {stored.digest for stored in found} == {digest}
    finally:
        over.set()
        await asyncio.gather(*readers)
    assert looked > 30


async def test_who_stops_waiting_harms_nobody(store: Store, people: dict[str, Principal]) -> None:
    waiting = [asyncio.create_task(seen_by(store, people["ann"]).stat_manifest("v1")) for _ in range(40)]
    await asyncio.sleep(0)
    for task in waiting[::2]:
        task.cancel()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[::2])
    assert all(not isinstance(answer, BaseException) for answer in answers[1::2])
    await seen_by(store, people["ann"]).stat_manifest("v1")


async def test_without_the_database_there_is_no_answer_from_memory(store: Store, people: dict[str, Principal]) -> None:
    """All who wait are told so, and the next query is asked anew (promise P30)."""
    ann = seen_by(store, people["ann"])
    stored, _ = await ann.get_manifest("v1")
    await store.database.close()
    answers = await asyncio.gather(
        *(ann.get_manifest(ref) for ref in ["v1", stored.digest] * 5), return_exceptions=True
    )
    assert all(isinstance(answer, Unavailable) for answer in answers), answers


async def test_a_project_that_is_not_there(store: Store, people: dict[str, Principal]) -> None:
    expected = {"root": NameUnknown, "ann": Denied, "eve": Denied, "anonymous": Unauthorized}
    for who, error in expected.items():
        with pytest.raises(error):
            await seen_by(store, people[who], "none/gr").stat_manifest("v1")
