"""Collecting what nobody needs, while everybody goes on pushing (schema.sql section 7, gc_*).

Two queues: reviews (links, blobs and artifacts to look at, each when its lease or undo window is over) and the blobs
whose state has an end (claims, rot, condemned blobs, tombstones). A batch is one function call, so a worker that is
stopped or killed holds no lock; what others hold is passed over and looked at again. Objects go afterwards, by
`deletions`. Any number of workers may do this at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Final, TypeVar

import asyncpg

from ..oci.errors import Unavailable
from ..records.calls import fetchrow
from ..records.database import Database
from ..records.outages import RETRY_AFTER

T = TypeVar("T")

BATCH: Final = 500
PATIENCE: Final = 5
"""Times that a batch is tried which gave way to pushes."""

REVIEWS = "SELECT taken, artifacts, links, condemned, bytes FROM gc_reviews($1, $2)"
SWEEP = "SELECT taken, gone, bytes, forgotten FROM gc_sweep($1, $2)"
UNTAGGED = "SELECT last, deleted, bytes FROM gc_untagged($1, $2, $3, $4, $5)"


@dataclass(frozen=True, slots=True)
class Tally:
    """What was done: rows looked at, artifacts purged, links dropped, blobs condemned (and their bytes), blobs gone
    (and their bytes, free once their objects are deleted), tombstones dropped, untagged artifacts deleted."""

    taken: int = 0
    artifacts: int = 0
    links: int = 0
    condemned: int = 0
    condemned_bytes: int = 0
    gone: int = 0
    freed_bytes: int = 0
    forgotten: int = 0
    untagged: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Tally)))


class Gc:
    """The collector. `lease` and `undo` are the configuration's; `tell` hears what each batch came to."""

    def __init__(
        self,
        database: Database,
        *,
        lease: timedelta,
        undo: timedelta,
        batch: int = BATCH,
        tell: Callable[[Tally], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._lease = lease
        self._undo = undo
        self._tell = tell
        self.batch = batch

    async def step(self) -> int:
        """A batch of both queues; returns how many rows they gave."""
        return (await self.both()).taken

    async def both(self) -> Tally:
        """A batch of both queues."""
        return await self.reviews() + await self.sweep()

    async def reviews(self) -> Tally:
        """A batch of what is to be looked at now."""
        row = await _patiently(lambda: fetchrow(self._database, REVIEWS, self.batch, self._undo))
        assert row is not None
        return self._told(Tally(row["taken"], row["artifacts"], row["links"], row["condemned"], row["bytes"]))

    async def sweep(self) -> Tally:
        """A batch of blobs whose state has ended now."""
        row = await _patiently(lambda: fetchrow(self._database, SWEEP, self.batch, self._lease))
        assert row is not None
        done = Tally(row["taken"], gone=row["gone"], freed_bytes=row["bytes"], forgotten=row["forgotten"])
        return self._told(done)

    async def untagged(self, after: int, window: timedelta, username: str) -> tuple[int | None, Tally]:
        """Delete the untagged among the next artifacts after an id, as by digest, if they were pushed longer ago than
        `window`; returns the id to go on from, None at the end."""
        given = (after, self.batch, window, self._undo, username)
        row = await _patiently(lambda: fetchrow(self._database, UNTAGGED, *given))
        assert row is not None
        return row["last"], self._told(Tally(untagged=row["deleted"]))

    def _told(self, tally: Tally) -> Tally:
        self._tell(tally)
        return tally


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Again, where gc gave way to whoever it would have waited for."""
    for attempt in range(PATIENCE):
        try:
            return await call()
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(0.1 * 2**attempt)
    raise Unavailable("gc gave way to pushes; it goes on later", headers=RETRY_AFTER)
