"""What clients and dead processes left behind: uploads, stagings, expired credentials (reliability.md 3.1).

An upload's row goes first, and names its staging in upload_staging as it goes; then the driver aborts what stands
there; then those rows go. Whatever is left without any row, an upload that began in a crash, goes after `GRACE`.
"""

import json
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from dataforge_registry.drivers.base import Driver, DriverError, Staging

from ..records.database import Connection, Database

log = logging.getLogger(__name__)

BATCH: Final = 200
GRACE: Final = 86400.0
"""Seconds for which a staging may lack a row: far more than any request lives between the two."""

# A finished upload stays an hour for a repeated PUT: whoever finishes it sets expires_at so.
EXPIRE_UPLOADS = """
WITH expired AS (
  DELETE FROM upload WHERE id = ANY(ARRAY(
    SELECT id FROM upload
    WHERE expires_at <= (SELECT clock_timestamp()) AND (lease IS NULL OR leased_at <= clock_timestamp() - $1::interval)
    ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))
  RETURNING staging
), queued AS (
  INSERT INTO upload_staging (id, state, abort_after)
  SELECT staging ->> 'id', staging, clock_timestamp() FROM expired WHERE staging IS NOT NULL
  ON CONFLICT (id) DO NOTHING
)
SELECT count(*) FROM expired
"""
TAKE_STAGINGS = """
UPDATE upload_staging SET abort_after = clock_timestamp() + interval '5 minutes'
WHERE id = ANY(ARRAY(
  SELECT id FROM upload_staging WHERE abort_after <= (SELECT clock_timestamp()) ORDER BY abort_after LIMIT $1
  FOR UPDATE SKIP LOCKED))
RETURNING state
"""
REMOVE_STAGINGS = "DELETE FROM upload_staging WHERE id = ANY($1::text[])"
UNKNOWN_STAGINGS = """
SELECT s.id FROM unnest($1::text[]) AS s (id)
WHERE NOT EXISTS (SELECT 1 FROM upload u WHERE u.staging ->> 'id' = s.id)
  AND NOT EXISTS (SELECT 1 FROM upload_staging q WHERE q.id = s.id)
"""
EXPIRE_TOKENS = "DELETE FROM refresh_token WHERE expires_at <= now()"
EXPIRE_SESSIONS = "DELETE FROM session WHERE expires_at <= now()"
EXPIRE_USED = "DELETE FROM used_once WHERE expires_at <= now()"
EXPIRE_FAILURES = """
DELETE FROM login_failure WHERE blocked_until <= now() AND last_failure <= now() - interval '1 day'
"""

HOT: Final = (EXPIRE_UPLOADS, TAKE_STAGINGS, REMOVE_STAGINGS, EXPIRE_TOKENS, EXPIRE_SESSIONS, EXPIRE_USED)


class Reaper:
    """Removes what nobody will come back for. `lease` is how long a silent writer of an upload is waited for."""

    def __init__(self, database: Database, driver: Driver, *, lease: float = 30.0, grace: float = GRACE) -> None:
        self._database = database
        self._driver = driver
        self._lease = timedelta(seconds=lease)
        self._grace = grace

    async def uploads(self) -> int:
        """Remove expired uploads that nobody writes to; returns how many."""
        removed = 0
        while True:
            async with self._database.transaction() as conn:
                count = int(await conn.fetchval(EXPIRE_UPLOADS, self._lease, BATCH))
            removed += count
            if count < BATCH:
                return removed

    async def stagings(self) -> int:
        """Abort the stagings that were given up; returns how many. One that cannot be aborted now is tried again."""
        aborted = 0
        while True:
            taken = await self._database.run(self._take)
            done = await self._abort(taken)
            async with self._database.acquire() as conn:
                await conn.execute(REMOVE_STAGINGS, done)
            aborted += len(done)
            if len(taken) < BATCH:
                return aborted

    async def strays(self) -> int:
        """Abort old stagings that no row knows; returns how many."""
        aborted = 0
        found: list[Staging] = []
        async for staging in self._driver.stale(time.time() - self._grace):
            found.append(staging)
            if len(found) == BATCH:
                aborted += await self._abort_unknown(found)
                found = []
        return aborted + await self._abort_unknown(found)

    async def credentials(self) -> None:
        """Remove expired refresh tokens and sessions, what could only be used once, and failed logins that no longer
        count."""
        async with self._database.acquire() as conn:
            for statement in (EXPIRE_TOKENS, EXPIRE_SESSIONS, EXPIRE_USED, EXPIRE_FAILURES):
                await conn.execute(statement)

    @staticmethod
    async def _take(conn: Connection) -> list[Staging]:
        return [Staging(**json.loads(row["state"])) for row in await conn.fetch(TAKE_STAGINGS, BATCH)]

    async def _abort(self, stagings: Sequence[Staging]) -> list[str]:
        done = []
        for staging in stagings:
            try:
                await self._driver.abort(staging)
                done.append(staging.id)
            except DriverError as error:
                log.warning("staging %s cannot be aborted: %s", staging.id, error)
        return done

    async def _abort_unknown(self, stagings: Sequence[Staging]) -> int:
        if not stagings:
            return 0
        async with self._database.acquire() as conn:
            rows = await conn.fetch(UNKNOWN_STAGINGS, [staging.id for staging in stagings])
        unknown = {row["id"] for row in rows}
        return len(await self._abort([staging for staging in stagings if staging.id in unknown]))
