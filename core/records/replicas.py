"""Read replicas for questions that bear to be answered as of a moment ago, never longer than a bound.

How old a replica's answer is, is told by positions in the log and our own clock alone: the primary says how far it has
written at a moment of ours; a replica that has replayed as far is at least as new as that moment. So clocks of two
machines are never compared, and a primary without writes does not make its replicas look old. Their timelines must be
one: what followed another primary than today's may have what was never kept.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import asyncpg

from .outages import AGAIN, LOST, REFUSED

if TYPE_CHECKING:
    Pool = asyncpg.Pool[asyncpg.Record]

log = logging.getLogger(__name__)

WRITTEN = """SELECT (pg_control_checkpoint()).timeline_id AS line, lsn - '0/0'::pg_lsn - CASE
  WHEN at = 40 THEN 40 WHEN at % current_setting('wal_block_size')::int = 24 THEN 24 ELSE 0 END AS place
FROM (SELECT lsn, (pg_walfile_name_offset(lsn)).file_offset AS at FROM pg_current_wal_insert_lsn() AS lsn) AS written
WHERE NOT pg_is_in_recovery()"""
"""Behind the head of a page (24 bytes, in a file's first 40) with no record yet: the end of the page before, since a
replica comes no further before there is one."""
REPLAYED = """SELECT coalesce(pg_last_wal_replay_lsn() - '0/0'::pg_lsn, 0) AS place,
  (pg_control_checkpoint()).timeline_id AS line"""
"""In a server that was promoted, how far it got as a replica."""
LOOKS: Final = 5
"""How often within the bound the primary and its replicas are asked."""
BUSIEST: Final = 0.1
"""Seconds between two looks at least."""


class Mark(NamedTuple):
    """The primary had written up to `place` of a timeline at the moment `at` of our clock, in seconds, or before."""

    at: float
    place: int
    line: int


@dataclass
class Replica:
    """One of them, and the moment that its answers are not older than."""

    name: str
    pool: Pool
    as_of: float = float("-inf")
    failing: bool = False


class Replicas:
    """The replicas of one primary: `ask` one that is known to be younger than `bound` seconds, if there is one.

    `primary` asks the primary for a row; it is asked while this is open, whether or not there are questions.
    """

    def __init__(
        self, pools: dict[str, Pool], bound: float, primary: Callable[[str], Awaitable[asyncpg.Record | None]]
    ) -> None:
        self._replicas = [Replica(name, pool) for name, pool in pools.items()]
        self._bound = bound
        self._primary = primary
        self._marks: deque[Mark] = deque()
        self._turn = 0
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Look no more, and give the connections back."""
        self._watching.cancel()
        await asyncio.gather(self._watching, return_exceptions=True)
        for replica in self._replicas:
            replica.pool.terminate()

    async def ask(self, statement: str, args: tuple[Any, ...], patience: float) -> list[asyncpg.Record] | None:
        """The rows of a question within `patience` seconds; None: ask the primary, since no replica is young enough, or
        the one that was asked could not answer. A question that takes too long where others are answered is an error
        here too: the primary would only do the same work again."""
        replica = self._young()
        if replica is None:
            return None
        try:
            async with replica.pool.acquire(timeout=patience) as conn:
                return await conn.fetch(statement, *args, timeout=patience)
        except TimeoutError:
            if self._is_young(replica):
                raise
        except (*LOST, *AGAIN, OSError, asyncpg.InterfaceError) as error:  # AGAIN: it stood in the way of replaying
            if not isinstance(error, AGAIN):
                self._lost(replica, error)
        return None

    def _young(self) -> Replica | None:
        self._turn += 1
        for n in range(len(self._replicas)):
            replica = self._replicas[(self._turn + n) % len(self._replicas)]
            if self._is_young(replica):
                return replica
        return None

    def _is_young(self, replica: Replica) -> bool:
        return time.monotonic() - replica.as_of < self._bound

    def _lost(self, replica: Replica, error: BaseException) -> None:
        if not replica.failing:  # once an outage, not once a look
            log.warning("replica %s: %s; the primary is asked", replica.name, error or type(error).__name__)
        replica.failing, replica.as_of = True, float("-inf")

    async def _watch(self) -> None:
        pause = max(BUSIEST, self._bound / LOOKS)
        while True:
            try:
                async with asyncio.timeout(self._bound):
                    await self._mark()
            except Exception as error:  # of the primary: whoever needs it says so; nobody is young for long without
                log.debug("no mark of the primary: %s", error)
            if self._marks:
                await asyncio.gather(*map(self._look, self._replicas))
            await asyncio.sleep(pause)

    async def _mark(self) -> None:
        at = time.monotonic()
        if row := await self._primary(WRITTEN):
            self._marks.append(Mark(at, int(row["place"]), row["line"]))
        while self._marks and at - self._marks[0].at > self._bound:
            self._marks.popleft()

    async def _look(self, replica: Replica) -> None:
        try:
            async with asyncio.timeout(self._bound), replica.pool.acquire() as conn:
                row = await conn.fetchrow(REPLAYED)
        except REFUSED as error:
            self._lost(replica, error)
            return
        assert row is not None, "it is one row"
        reached = [mark.at for mark in self._marks if mark.place <= row["place"] and mark.line == row["line"]]
        if reached:
            replica.as_of, replica.failing = max(replica.as_of, reached[-1]), False
