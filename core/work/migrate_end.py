"""What was under way in the old store when changes were switched off: pushes, and uploads that have not ended."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ..records.database import Database

XMAX: Final = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
XMIN: Final = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
PAUSE: Final = 0.2

OPEN = """
SELECT count(*)::int AS count, coalesce(sum("offset"), 0)::bigint AS size,
  max(expires_at) AT TIME ZONE 'UTC' AS until
FROM upload WHERE status = 'open' AND staging IS NOT NULL
"""
DROP = """
WITH dropped AS (DELETE FROM upload WHERE status = 'open' AND staging IS NOT NULL RETURNING staging)
INSERT INTO upload_staging (id, state, abort_after) SELECT staging ->> 'id', staging, clock_timestamp() FROM dropped
ON CONFLICT (id) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Uploads:
    """Unfinished uploads with bytes in the store: how many, their bytes, when the last expires."""

    count: int = 0
    size: int = 0
    until: datetime | None = None


async def quiet(database: Database) -> None:
    """Wait until every transaction has ended that may have begun before the mode was set: later ones see it, and
    link_charge refuses them, so that no blob becomes live any more."""
    async with database.acquire() as conn:
        first = await conn.fetchval(XMAX)
        while await conn.fetchval(XMIN) < first:  # noqa: ASYNC110  (of other processes)
            await asyncio.sleep(PAUSE)


async def end_uploads(database: Database, drop: bool) -> Uploads:
    """Those that there are; with `drop` they have ended."""
    async with database.transaction() as conn:
        row = await conn.fetchrow(OPEN)
        if drop:
            await conn.execute(DROP)
    assert row is not None
    return Uploads(row["count"], row["size"], row["until"])
