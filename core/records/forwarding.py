"""How far the audit trail was forwarded, and which worker does it now: one row, while it is forwarded anywhere."""

from datetime import timedelta
from typing import Final, NamedTuple

from . import settings
from .checkpoints import Tip
from .database import Connection

ENDPOINT: Final = "audit_log_forward_endpoint"
"""The setting's name, as Harbor calls it."""
BEGIN = """INSERT INTO audit_forward (log_id, checkpoint)
SELECT CASE WHEN is_called THEN last_value ELSE 0 END, (SELECT coalesce(max(number), 0) FROM audit_checkpoint)
FROM access_log_id ON CONFLICT DO NOTHING"""
END = "DELETE FROM audit_forward"
PLACE = """SELECT f.log_id, f.checkpoint,
  EXISTS (SELECT 1 FROM audit_checkpoint c WHERE c.number > f.checkpoint AND c.last_id <= f.log_id) AS sealed
FROM audit_forward f WHERE f.one"""
TAKE = """UPDATE audit_forward SET holder = $1, until = clock_timestamp() + $2::interval
WHERE one AND (until <= clock_timestamp() OR holder = $1) RETURNING log_id, checkpoint"""
ADVANCE = """UPDATE audit_forward SET log_id = $3, checkpoint = $4, until = clock_timestamp()
WHERE one AND holder = $1 AND log_id = $2"""
POINTS = """SELECT number, last_id, total, chain, made_at FROM audit_checkpoint
WHERE number > $1 AND last_id <= $2 ORDER BY number LIMIT $3"""

HOT = (PLACE, TAKE, ADVANCE, POINTS)


class Place(NamedTuple):
    """The last row, and the last checkpoint, that arrived."""

    log_id: int
    checkpoint: int


async def endpoint(conn: Connection) -> str:
    """Where an administrator wants it forwarded to; empty: nowhere."""
    return await settings.text(conn, ENDPOINT) or ""


async def set_endpoint(conn: Connection, wanted: str) -> None:
    """From now on. Another collector goes on where the last one was; after none, it begins anew."""
    await settings.set_text(conn, ENDPOINT, wanted)
    await conn.execute(BEGIN if wanted else END)


async def place(conn: Connection) -> tuple[Place, bool]:
    """Where it is, begun now if it never was; and whether a checkpoint over what is forwarded is not."""
    row = await conn.fetchrow(PLACE)
    if row is None:
        await conn.execute(BEGIN)
        row = await conn.fetchrow(PLACE)
        assert row is not None
    return Place(row["log_id"], row["checkpoint"]), row["sealed"]


async def take(conn: Connection, holder: str, lease: timedelta) -> Place | None:
    """Where to go on, for this worker alone until its lease is over; None: another is at it."""
    row = await conn.fetchrow(TAKE, holder, lease)
    return None if row is None else Place(*row)


async def advance(conn: Connection, holder: str, before: Place, after: Place) -> None:
    """All up to there has arrived. Nothing changes where another worker has taken over."""
    await conn.execute(ADVANCE, holder, before.log_id, *after)


async def points(conn: Connection, after: int, through: int, limit: int) -> list[Tip]:
    """Checkpoints behind one, over rows up to another."""
    return [Tip(*row) for row in await conn.fetch(POINTS, after, through, limit)]
