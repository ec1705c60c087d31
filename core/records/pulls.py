"""Pulls, gathered in memory and written once a second: a hot tag costs one row update a second, not one a pull.

What a crash may lose is the last second of pulls (model.md section 3); a change's audit row is never written here.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

import asyncpg

from ..oci.errors import Unavailable
from .database import Connection, Database

log = logging.getLogger(__name__)

CHUNK: Final = 1000
"""Rows of one COPY: encoding more at once would hold up the event loop that serves requests."""
PATIENCE: Final = 60.0
"""Seconds for which the pull time of a row that others hold is tried again."""

NOW = "SELECT clock_timestamp()"
LOGGED = (
    "username",
    "project_id",
    "repo_name",
    "repo_tag",
    "operation",
    "op_time",
    "resource",
    "address",
    "request_id",
)
"""Columns of access_log that a pull fills. By COPY: arrays cost 4 us a value to encode, this 2 us a row."""

# Rows that a push or a deletion holds are left for the next second: a flush waits for none of them, so it can be part
# of no deadlock, whatever the order in which others take their locks.
TOUCH_ARTIFACTS = """
WITH free AS (SELECT id FROM artifact WHERE id = ANY($1::bigint[]) FOR NO KEY UPDATE SKIP LOCKED)
UPDATE artifact a SET pull_time = greatest(a.pull_time, clock_timestamp() - make_interval(secs => p.age))
FROM free, unnest($1::bigint[], $2::float8[]) AS p (id, age)
WHERE a.id = free.id AND p.id = free.id
RETURNING a.id
"""
TOUCH_TAGS = """
WITH free AS (SELECT id FROM tag WHERE id = ANY($1::bigint[]) FOR NO KEY UPDATE SKIP LOCKED)
UPDATE tag t SET pull_time = greatest(t.pull_time, clock_timestamp() - make_interval(secs => p.age))
FROM free, unnest($1::bigint[], $2::float8[]) AS p (id, age)
WHERE t.id = free.id AND p.id = free.id
RETURNING t.id
"""
# Counts are owed, so this one waits: for repositories alone, in the order of their ids, holding nothing else.
COUNT_PULLS = """
WITH held AS (
  SELECT repository_id FROM repository WHERE repository_id = ANY($1::bigint[]) ORDER BY repository_id FOR NO KEY UPDATE
)
UPDATE repository r SET pull_count = r.pull_count + p.n
FROM held, unnest($1::bigint[], $2::bigint[]) AS p (id, n)
WHERE r.repository_id = held.repository_id AND p.id = held.repository_id
"""

HOT: Final = (TOUCH_ARTIFACTS, TOUCH_TAGS, COUNT_PULLS)


class Pull(NamedTuple):
    """One manifest given to somebody. A named tuple, since one is made for each request of the hottest path."""

    artifact_id: int
    tag_id: int | None
    repository_id: int
    project_id: int
    repository: str
    tag: str
    digest: str
    username: str
    address: str
    request_id: str


class PullLog:
    """Pulls of one process on their way to the records.

    `record` is cheap and never waits; `run` flushes every `interval` seconds until cancelled; `close` flushes what is
    left. All are counted, and a `share` of them, picked at random, gets a row of the audit trail. While the database
    cannot be used, up to `bound` pulls wait; further ones are dropped, with one line in the log for each outage.
    """

    def __init__(self, database: Database, *, interval: float = 1.0, bound: int = 100_000, share: float = 1.0) -> None:
        self._database = database
        self._interval = interval
        self._bound = bound
        self._share = share
        self._fresh: list[tuple[Pull, float]] = []
        self._rows: list[tuple[Pull, float]] = []
        self._artifacts: dict[int, float] = {}
        self._tags: dict[int, float] = {}
        self._counts: Counter[int] = Counter()
        self._dropped = 0
        self._failing = False
        self._flushing = asyncio.Lock()
        self._current: asyncio.Task[None] | None = None

    def record(self, pull: Pull) -> None:
        """Take a pull that happens now."""
        if len(self._fresh) + len(self._rows) < self._bound:
            self._fresh.append((pull, time.monotonic()))
        else:
            self._dropped += 1

    async def run(self) -> None:
        """Flush until cancelled. A flush under way is not cut off, lest nobody knows what of it was written: `close`
        waits for it."""
        while True:
            await asyncio.sleep(self._interval)
            self._current = asyncio.create_task(self.flush())
            await asyncio.shield(self._current)

    async def close(self) -> None:
        """Flush once more; pulls that cannot be written now are lost, with a line in the log."""
        await self.flush()
        if lost := len(self._rows) + len(self._fresh):
            log.warning("%d pulls could not be recorded before the end", lost)

    async def flush(self) -> None:
        """Write what was gathered. What cannot be written stays for the next time; no error comes out."""
        async with self._flushing:
            self._fold()
            try:
                await self._write()
            except Unavailable as error:
                if not self._failing:
                    log.warning("pulls wait for the database: %s", error)
                self._failing = True
                return
            self._failing = False
            if self._dropped:
                log.warning("%d pulls were dropped while the database could not be used", self._dropped)
                self._dropped = 0

    def _fold(self) -> None:
        fresh, self._fresh = self._fresh, []
        self._rows += fresh if self._share >= 1 else [each for each in fresh if random.random() < self._share]
        for pull, at in fresh:
            self._artifacts[pull.artifact_id] = at
            if pull.tag_id is not None:
                self._tags[pull.tag_id] = at
            self._counts[pull.repository_id] += 1

    async def _write(self) -> None:
        while self._rows:
            async with self._database.transaction() as conn:
                await self._log(conn, self._rows[:CHUNK])
            del self._rows[:CHUNK]
        if self._counts:
            counts = sorted(self._counts.items())
            await self._database.run(lambda conn: conn.execute(COUNT_PULLS, *_columns(counts)))
            self._counts.clear()
        if self._artifacts or self._tags:
            async with self._database.transaction() as conn:
                artifacts = await _touch(conn, TOUCH_ARTIFACTS, self._artifacts)
                tags = await _touch(conn, TOUCH_TAGS, self._tags)
            self._artifacts, self._tags = artifacts, tags

    async def _log(self, conn: Connection, rows: list[tuple[Pull, float]]) -> None:
        since, now = time.monotonic(), await conn.fetchval(NOW)
        try:
            await conn.copy_records_to_table(
                "access_log",
                columns=LOGGED,
                records=[
                    (
                        pull.username,
                        pull.project_id,
                        pull.repository,
                        pull.tag,
                        "pull",
                        now - timedelta(seconds=since - at),
                        pull.digest,
                        pull.address,
                        pull.request_id,
                    )
                    for pull, at in rows
                ],
            )
        except (asyncpg.DataError, UnicodeEncodeError) as error:
            # A text that PostgreSQL cannot hold must not keep all later pulls from being written.
            log.error("%d pulls cannot be recorded: %s", len(rows), error)


async def _touch(conn: Connection, statement: str, times: Mapping[int, float]) -> dict[int, float]:
    """Write pull times; returns those of rows that others hold, to be tried again while they are young."""
    if not times:
        return {}
    now = time.monotonic()
    done = await conn.fetch(statement, list(times), [now - at for at in times.values()])
    written = {row["id"] for row in done}
    return {key: at for key, at in times.items() if key not in written and now - at < PATIENCE}


def _columns(pairs: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [key for key, _ in pairs], [n for _, n in pairs]
