"""The months of access_log: a partition each, made ahead; what fell into DEFAULT meanwhile is moved to its month.

Months are UTC. Inserting never fails for want of a partition: DEFAULT is there from the first day.
"""

import re
from datetime import UTC, date, datetime
from typing import Final

import asyncpg

from .database import Connection, Database

MONTH: Final = re.compile(r"access_log_(\d{4})_(\d{2})")
AHEAD: Final = 2
"""Months after this one that have their partition ready."""
PATIENCE: Final = "3s"
"""How long to wait for transactions that have written to access_log: new ones wait behind us meanwhile."""

NOW = "SELECT clock_timestamp()"
PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'access_log'::regclass
"""
DEFAULT_MONTHS = """
SELECT DISTINCT date_trunc('month', op_time, 'UTC') AS month FROM access_log_default ORDER BY month LIMIT 120
"""


async def ensure_partitions(database: Database) -> list[str]:
    """Make the partitions that are missing, each in a transaction of its own; returns their names.

    A month is left for the next time while a long transaction has access_log in use.
    """
    async with database.acquire() as conn:
        today: datetime = await conn.fetchval(NOW)
        there = {row["relname"] for row in await conn.fetch(PARTITIONS)}
        strays = [row["month"] for row in await conn.fetch(DEFAULT_MONTHS)]
    first = date(today.astimezone(UTC).year, today.astimezone(UTC).month, 1)
    months = {_after(first, n) for n in range(AHEAD + 1)} | {stray.astimezone(UTC).date() for stray in strays}
    made = []
    for month in sorted(month for month in months if _name(month) not in there):
        try:
            async with database.transaction() as conn:
                await _make(conn, month)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError, asyncpg.DuplicateTableError):
            continue  # busy, or another worker was first
        made.append(_name(month))
    return made


async def dated(conn: Connection) -> dict[str, datetime]:
    """The partitions of months that are there, and when each ends."""
    found = {}
    for row in await conn.fetch(PARTITIONS):
        name: str = row["relname"]
        if match := MONTH.fullmatch(name):
            after = _after(date(int(match[1]), int(match[2]), 1), 1)
            found[name] = datetime(after.year, after.month, 1, tzinfo=UTC)
    return found


async def _make(conn: Connection, month: date) -> None:
    """Table, rows, then ATTACH: at no moment is a row in neither place.

    Writers are kept out at access_log itself, while readers go on: one that had been sent to DEFAULT already, and
    waited there, would find itself refused by DEFAULT's new constraint.
    """
    name, start, stop = _name(month), f"'{month}T00:00:00Z'", f"'{_after(month, 1)}T00:00:00Z'"
    await conn.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    await conn.execute("LOCK TABLE ONLY access_log IN SHARE ROW EXCLUSIVE MODE")
    await conn.execute(f"CREATE TABLE {name} (LIKE access_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    await conn.execute(
        f"WITH moved AS (DELETE FROM access_log_default WHERE op_time >= {start} AND op_time < {stop} RETURNING *) "
        f"INSERT INTO {name} SELECT * FROM moved"
    )
    await conn.execute(f"ALTER TABLE access_log ATTACH PARTITION {name} FOR VALUES FROM ({start}) TO ({stop})")


def _name(month: date) -> str:
    return f"access_log_{month:%Y_%m}"


def _after(month: date, n: int) -> date:
    years, index = divmod(month.month - 1 + n, 12)
    return date(month.year + years, index + 1, 1)
