"""The outbox: what happened, written by the transaction that did it, taken by the relay (reliability.md 3.2.8).

An event is removed in the transaction that makes jobs of it, so none is lost and none is told twice, and the table
stays as small as the relay is quick. What a job needs of its event is kept in the task (see core/work/relay.py).
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from .database import Connection

RELAY_LOCK: Final = 0x646672_01
"""Advisory lock of the one relay at a time: two would take events past each other, out of order."""

ONE_RELAY = "SELECT pg_try_advisory_xact_lock($1)"

# A transaction still running has an xid at or above the snapshot's xmin, and so have all that began after it: what
# lies below is complete, and taking it in this order shows nobody an effect before its cause.
TAKE_EVENTS = """
WITH taken AS (
  DELETE FROM event WHERE id = ANY(ARRAY(
    SELECT id FROM event WHERE xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY xid, id LIMIT $1))
  RETURNING *
)
SELECT id, kind, project_id, repository_id, artifact_id, username, payload, op_time FROM taken ORDER BY xid, id
"""

# Ids are given in about the order of time, and nothing hangs on the order of two that are near.
GATHERING = """SELECT (SELECT op_time FROM event ORDER BY id DESC LIMIT 1) > clock_timestamp() - $1::interval
  AND (SELECT op_time FROM event ORDER BY id LIMIT 1) > clock_timestamp() - $2::interval"""

HOT: Final = (TAKE_EVENTS, GATHERING)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: kind is `artifact.pushed`, `tag.deleted` ...; ids are null where they do not apply."""

    id: int
    kind: str
    project_id: int | None
    repository_id: int | None
    artifact_id: int | None
    username: str
    payload: dict[str, Any]
    op_time: datetime


async def take_events(conn: Connection, limit: int) -> list[Event]:
    """Remove and return the oldest complete events, in (xid, id) order; none while another relay is at it."""
    if not await conn.fetchval(ONE_RELAY, RELAY_LOCK):
        return []
    return [
        Event(**dict(row) | {"payload": json.loads(row["payload"])}) for row in await conn.fetch(TAKE_EVENTS, limit)
    ]


async def gathering(conn: Connection, quiet: timedelta, longest: timedelta) -> bool:
    """Whether events still come: the newest is younger than `quiet`, and none waits for `longest` yet."""
    return bool(await conn.fetchval(GATHERING, quiet, longest))
