"""A project's limits under racers: never passed by a byte, never falsely refused, and what is counted is what is there
(promise P10). CI runs a part of its rounds: DFR_QUOTA_ROUNDS=1000 DFR_QUOTA_RACERS=200 runs all of them."""

import asyncio
import os
import random
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import QuotaExceeded
from dataforge_registry.core.records import blobs, quotas
from dataforge_registry.core.records.calls import fetch, fetchval
from dataforge_registry.core.records.database import Database

pytestmark = pytest.mark.asyncio
ROUNDS = int(os.environ.get("DFR_QUOTA_ROUNDS", "50"))
RACERS = int(os.environ.get("DFR_QUOTA_RACERS", "40"))
LEASE = timedelta(hours=1)
COUNTED = """SELECT storage_used, storage_reserved, (SELECT coalesce(sum(size), 0)::bigint FROM project_blob c WHERE
c.project_id = p.project_id), (SELECT count(*) FROM project_reservation) FROM project p"""


class Bench:
    """One project with a limit, and pushes to its repositories as the server does them, without HTTP."""

    def __init__(self, database: Database, project: int, homes: list[int]) -> None:
        self.database = database
        self.project = project
        self.homes = homes

    async def limit(self, storage: int, warning: int = 0) -> None:
        statement = "UPDATE project SET storage_limit = $1, quota_warning = $2 RETURNING 1"
        await fetchval(self.database, statement, storage, warning)

    async def push(self, content: bytes, size: int, promised: bool, home: int) -> int:
        """The size of what is charged now, 0 where it was refused."""
        digest = Digest.of(content)
        made = False
        try:
            if promised:
                made = await quotas.reserve(self.database, self.project, digest, size)
            claim = await blobs.claim(self.database, home, digest, size, LEASE)
            finish = (home, claim, digest, size, LEASE, None, LEASE)
            assert claim.live or await blobs.finish(self.database, *finish)
        except QuotaExceeded as refused:
            if made:
                await quotas.release(self.database, self.project, digest)
            assert refused.detail["used"] + refused.detail["asked"] > refused.detail["limit"]
            return 0
        return size

    async def counted(self) -> tuple[Any, ...]:
        """(used, reserved, what blobs come to, reservations)"""
        return tuple((await fetch(self.database, COUNTED))[0])


@pytest_asyncio.fixture(loop_scope="session")
async def bench(database: Database) -> Bench:
    homes = [await fetchval(database, f"SELECT repository_make('p', 'p/r{n}', true, '', '', '')") for n in range(3)]
    return Bench(database, await fetchval(database, "SELECT project_id FROM project"), homes)


async def test_racers_fill_a_limit_to_the_byte(bench: Bench) -> None:
    """Each round has room for exactly some of the racers, of equal size: just as many come in."""
    dice = random.Random(10)
    held = 0
    for turn in range(ROUNDS):
        size, fit = dice.randint(1, 1 << 40), dice.randint(0, RACERS)
        await bench.limit(held + size * fit)
        pushed = await asyncio.gather(
            *(
                bench.push(f"{turn} {racer}".encode(), size, dice.random() < 0.5, dice.choice(bench.homes))
                for racer in range(RACERS)
            )
        )
        assert sum(map(bool, pushed)) == fit, "falsely refused, or over"
        held += sum(pushed)
        assert await bench.counted() == (held, 0, held, 0)
        if held > 1 << 60:  # bigint is not the question here
            break


async def test_racers_of_any_size_never_pass_a_limit(bench: Bench) -> None:
    """Who is refused would not fit beside what is held or promised then; two of three racers bring the same blobs."""
    dice = random.Random(11)
    held: dict[bytes, int] = {}
    for turn in range(ROUNDS):
        limit = sum(held.values()) + dice.randint(0, 10_000)
        await bench.limit(limit)
        sizes = [dice.randint(0, 2000) for _ in range(RACERS)]
        names = [f"{turn} {racer if racer % 3 else 0}".encode() for racer in range(RACERS)]
        first = {name: size for name, size in zip(reversed(names), reversed(sizes), strict=True)}
        racers = [bench.push(name, first[name], dice.random() < 0.5, dice.choice(bench.homes)) for name in names]
        pushed = await asyncio.gather(*racers)
        held |= {name: size for name, size in zip(names, pushed, strict=True) if size}
        used = sum(held.values())
        assert used <= limit
        assert await bench.counted() == (used, 0, used, 0)


async def test_room_is_promised_once_a_blob_and_given_back(bench: Bench) -> None:
    first, other = Digest.of(b"first"), Digest.of(b"other")
    await bench.limit(100)
    assert await quotas.reserve(bench.database, bench.project, first, 80)
    assert not await quotas.reserve(bench.database, bench.project, first, 80), "another brings the same"
    with pytest.raises(QuotaExceeded) as refused:
        await quotas.reserve(bench.database, bench.project, other, 21)
    assert refused.value.detail == {"limit": 100, "used": 80, "asked": 21}
    assert await bench.push(b"small", 21, False, bench.homes[0]) == 0, "what is promised is not there for others"
    assert await bench.push(b"small", 20, False, bench.homes[0]) == 20
    await quotas.release(bench.database, bench.project, first)
    assert await bench.counted() == (20, 0, 20, 0)
    assert await bench.push(b"first", 80, True, bench.homes[0]) == 80
    assert not await quotas.reserve(bench.database, bench.project, first, 80), "it is charged already"
    assert await bench.counted() == (100, 0, 100, 0)


async def test_a_promise_that_nobody_kept_ends_by_itself(bench: Bench) -> None:
    await bench.limit(100)
    assert await quotas.reserve(bench.database, bench.project, Digest.of(b"killed"), 90)
    assert await bench.push(b"next", 90, True, bench.homes[0]) == 0
    await fetchval(bench.database, "UPDATE project_reservation SET until = clock_timestamp() RETURNING 1")
    assert await bench.push(b"next", 90, True, bench.homes[0]) == 90
    assert await bench.counted() == (90, 0, 90, 0)


async def test_the_soft_limit_is_told_once_each_time_it_is_passed(bench: Bench) -> None:
    await bench.limit(100, warning=90)
    told = "SELECT payload ->> 'used' FROM event WHERE kind = 'quota.warning' ORDER BY id"
    for content, size, events in ((b"a", 89, []), (b"b", 1, ["90"]), (b"c", 5, ["90"])):
        assert await bench.push(content, size, False, bench.homes[0]) == size
        assert [row[0] for row in await fetch(bench.database, told)] == events
