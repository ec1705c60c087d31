"""Nonstop gc while many push, mount, ask, index and delete, with leases of a second (promises P6 and P7).

    PUSHES=50000 PUSHERS=16 pytest tests/core/gc/test_pushers.py -s

What a positive answer promises is half a lease: a manifest refused sooner is a failure, later it is counted as slow.
"""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import BlobUnknown, ManifestBlobUnknown, ManifestReferenced, ManifestUnknown
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.gc import Tally
from dataforge_registry.drivers.filesystem import FilesystemDriver

from .conftest import Yard

PUSHES = int(os.environ.get("PUSHES", "300"))
PUSHERS = int(os.environ.get("PUSHERS", "4"))
LEASE, UNDO = timedelta(seconds=1), timedelta(seconds=0.2)
HALF = LEASE.total_seconds() / 2
HOMES = ("p/a", "p/b", "q/a")


@dataclass
class Score:
    """What happened, and what may not."""

    pushed: int = 0
    slow: int = 0
    refused: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    acked: dict[tuple[str, Digest], list[bytes]] = field(default_factory=dict)
    done: Tally = field(default_factory=Tally)

    def enough(self) -> bool:
        return self.pushed >= PUSHES and self.done.gone > 10


class Pusher:
    """One client: its randomness, and the contents that it shares with all others."""

    def __init__(self, yard: Yard, score: Score, pool: list[bytes], seed: int) -> None:
        self.yard, self.score, self.pool, self.random = yard, score, pool, random.Random(seed)
        self.mine: list[tuple[str, Digest]] = []
        self.number = seed << 32
        self.retired: list[bytes] = []

    async def run(self) -> None:
        while not self.score.enough():
            await self.push(self.random.choice(HOMES))
            await self.random.choice([self.delete, self.check, self.index, self.check])()

    def content(self) -> bytes:
        """One that others push too, or a new one, or one that nobody has pushed for a while."""
        place = self.random.randrange(len(self.pool))
        if self.random.random() < 0.3:
            retired = self.random.choice(self.retired) if self.retired and self.random.random() < 0.5 else None
            self.retired.append(self.pool[place])
            self.pool[place] = retired or os.urandom(self.random.choice([50, 9000]))
        return self.pool[place]

    async def blob(self, name: str, content: bytes) -> dict[str, Any]:
        """Have a blob in a repository: it is there, it is mounted, or it is pushed."""
        digest, repository = Digest.of(content), self.yard.repository(name)
        have = {"digest": digest, "size": len(content), "mediaType": "application/vnd.test.layer"}
        way = self.random.random()
        if way < 0.3:
            try:
                await repository.stat_blob(digest)
                return have
            except BlobUnknown:
                pass
        elif way < 0.6 and await repository.mount_blob(digest, self.random.choice([None, *HOMES])):
            return have
        return await self.yard.blob(content, name)

    async def push(self, name: str) -> None:
        """Blobs, a pause, the manifest."""
        contents = [self.content() for _ in range(self.random.randint(1, 3))]
        self.number += 1
        started = time.monotonic()
        layers = [await self.blob(name, content) for content in contents]
        await asyncio.sleep(self.random.choice([0, 0, 0, 0.05, 0.2]))
        tags = [f"t{self.random.randint(0, 20)}"] if self.random.random() < 0.5 else []
        note = {"annotations": {"n": str(self.number)}}
        digest = await self.promised(name, started, lambda: self.yard.image(*layers, tags=tags, name=name, **note))
        if digest is not None:
            self.score.pushed += 1
            self.score.acked[name, digest] = contents
            self.mine.append((name, digest))

    async def promised(self, name: str, started: float, put: Callable[[], Awaitable[Digest]]) -> Digest | None:
        try:
            return await put()
        except ManifestBlobUnknown as error:
            if time.monotonic() - started < HALF:
                self.score.refused.append(f"{name}: {error.detail}")
            self.score.slow += 1
            return None

    async def index(self) -> None:
        """An index over manifests that were just pushed without a tag, which the policy would delete."""
        name, started = self.random.choice(HOMES), time.monotonic()
        content = self.content()
        layer = await self.blob(name, content)
        children, began = [], time.monotonic()  # a child's lease runs from its own push, not from the last answer
        for _ in range(2):
            self.number += 1
            note = {"annotations": {"n": str(self.number)}}
            put = self.yard.image(layer, tags=[], name=name, **note)
            if (child := await self.promised(name, started, lambda put=put: put)) is None:  # type: ignore[misc]
                return
            children.append(child)
        await asyncio.sleep(self.random.choice([0, 0, 0.1]))
        try:
            digest = await self.promised(name, began, lambda: self.yard.index(*children, tags=["i"], name=name))
        except ManifestUnknown:  # read for its size
            self.score.slow += 1
            if time.monotonic() - began < HALF:
                self.score.lost.append(f"{name}: a child of half a lease")
            return
        if digest is not None:
            for child in children:
                self.score.acked[name, child] = [content]

    async def delete(self) -> None:
        """An artifact of ours."""
        if len(self.mine) > 3:
            name, digest = self.mine.pop(self.random.randrange(len(self.mine)))
            self.score.acked.pop((name, digest))
            with suppress(ManifestUnknown, ManifestReferenced):  # the policy was faster; an index lists it
                await self.yard.repository(name).delete_manifest(digest)

    async def check(self) -> None:
        if self.mine:
            await self.read(*self.random.choice(self.mine))

    async def read(self, name: str, digest: Digest) -> None:
        """What was acknowledged is there, byte for byte."""
        repository = self.yard.repository(name)
        try:
            await repository.get_manifest(digest)
            for content in self.score.acked[name, digest]:
                if await repository.read_blob(Digest.of(content)) != content:
                    self.score.lost.append(f"{name}@{digest}: other bytes")
        except (ManifestUnknown, BlobUnknown) as error:
            if (name, digest) in self.score.acked and not await self.by_policy(name, digest):
                self.score.lost.append(f"{name}@{digest}: {error}")

    async def by_policy(self, name: str, digest: Digest) -> bool:
        """It lost its tag, its lease was over, and it was deleted as untagged: by the collector, as it was asked to."""
        asked = "SELECT 1 FROM access_log WHERE repo_name = $1 AND resource = $2 AND username = 'policy'"
        if await self.yard.all(asked, name, digest):
            self.score.acked.pop((name, digest), None)
            self.mine = [each for each in self.mine if each != (name, digest)]
            return True
        return False


async def collecting(yard: Yard, score: Score) -> None:
    """Reviews, sweep, policy, mover and deletions without a pause."""
    while True:
        score.done += await yard.gc.both()
        after: int | None = 0
        while after is not None:
            after, tally = await yard.gc.untagged(after, timedelta(0), "policy")
            score.done += tally
        await yard.mover.step()
        await yard.deletions.step()
        await asyncio.sleep(0)


@asynccontextmanager
async def collectors(yard: Yard, score: Score, number: int) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(collecting(yard, score)) for _ in range(number)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(error) for error in ended} == {asyncio.CancelledError}


@pytest.mark.asyncio
async def test_nothing_that_was_promised_is_lost_or_refused(database_url: str, tmp_path: Path) -> None:
    database, driver = await Database.open(database_url, size=20), FilesystemDriver(str(tmp_path))
    yard, score = Yard(database, driver, LEASE, UNDO), Score()
    pool = [os.urandom(size) for size in (50, 9000) for _ in range(2 * PUSHERS + 6)]
    for name in HOMES:
        await yard.blob(b"first", name)
    pushers = [Pusher(yard, score, pool, seed) for seed in range(PUSHERS)]
    async with collectors(yard, score, 3), asyncio.TaskGroup() as group:
        for pusher in pushers:
            group.create_task(pusher.run())
    print(f"\n{score.pushed} pushes, {score.slow} slower than half a lease; {score.done}")
    assert (score.refused, score.lost) == ([], [])
    assert await yard.violations() == []
    for name, digest in list(score.acked):
        await pushers[0].read(name, digest)
    await yard.settle()
    for name, digest in list(score.acked):
        await pushers[0].read(name, digest)
    assert score.lost == []
    assert await yard.orphans() == (set(), set())
    assert await yard.violations() == []
    assert await yard.all("SELECT count(*) FROM gc_review") == [0]
    await yard.store.settle()
    await driver.close()
    await database.close()
