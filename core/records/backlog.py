"""How much is left undone, and for how long: what monitoring asks of the records."""

from typing import Final, NamedTuple

from .database import Database

MOST: Final = 1000
"""More rows than that are not counted."""
BACKLOG: Final = """
SELECT (SELECT count(*) FROM (SELECT FROM task WHERE status IN ('pending', 'running') ORDER BY update_time LIMIT $1) t),
  (SELECT extract(epoch FROM clock_timestamp() - update_time)::float8 FROM task
   WHERE status IN ('pending', 'running') ORDER BY update_time LIMIT 1),
  (SELECT count(*) FROM (SELECT FROM event ORDER BY xid, id LIMIT $1) e),
  (SELECT extract(epoch FROM clock_timestamp() - op_time)::float8 FROM event ORDER BY xid, id LIMIT 1),
  (SELECT extract(epoch FROM clock_timestamp() - op_time)::float8 FROM access_log
   WHERE log_id > coalesce((SELECT last_id FROM audit_checkpoint ORDER BY last_id DESC LIMIT 1), 0)
   ORDER BY log_id LIMIT 1)
"""
FULLEST: Final = """
SELECT max((storage_used + storage_reserved)::float8 / storage_limit) FROM project
WHERE NOT deleted AND storage_limit > 0
"""


class Backlog(NamedTuple):
    """Counts end at MOST; ages are in seconds, 0 where there is nothing."""

    tasks: int
    task_age: float
    events: int
    event_age: float
    unsealed_age: float
    fullest: float
    """The share of its storage quota that the fullest project uses; 0: no project has one."""


async def backlog(database: Database) -> Backlog:
    """What is left undone now."""
    async with database.acquire() as conn:
        row = await conn.fetchrow(BACKLOG, MOST)
        fullest = await conn.fetchval(FULLEST)
    assert row is not None
    return Backlog._make(value or 0 for value in (*row, fullest))
