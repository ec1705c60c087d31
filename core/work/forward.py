"""Forwarding the audit trail to a syslog collector: every row once its place is settled, in order, at least once.

The place stands in the database and moves when a batch has arrived, so neither a restart nor a collector that is away
loses a row; after a death the last batch comes twice. One worker forwards at a time, by a lease.
"""

import asyncio
from datetime import timedelta
from typing import Final
from uuid import uuid4

from ..oci.errors import Unavailable
from ..records import forwarding, journal
from ..records.database import Database
from ..records.forwarding import Place
from ..records.journal import Horizon
from ..syslog import PATIENCE, Endpoint, checkpoint_message, host_name, row_message, send

BATCH: Final = 1000
POINTS: Final = 100
LEASE: Final = timedelta(seconds=120)


class Forwarder:
    """`configured`: the collector that the configuration names; empty: that of the settings, if any."""

    def __init__(self, database: Database, configured: str, *, patience: float = PATIENCE) -> None:
        self._database = database
        self._configured = configured
        self._patience = patience
        self._holder = str(uuid4())
        self._horizon = Horizon()
        self._host = host_name()

    async def step(self) -> int:
        """Forward the next batch; returns how many messages that were. Unavailable: the collector cannot be reached, or
        did not read all, and the batch is owed."""
        async with self._database.acquire() as conn:
            wanted = self._configured or await forwarding.endpoint(conn)
            if not wanted:
                return 0
            settled = await self._horizon.settled(conn)
            place, sealed = await forwarding.place(conn)
            if settled <= place.log_id and not sealed:
                return 0
            taken = await forwarding.take(conn, self._holder, LEASE)
            if taken is None:
                return 0
            rows = await journal.read(conn, taken.log_id, settled, BATCH)
            through = rows[-1].log_id if len(rows) == BATCH else max(settled, taken.log_id)
            points = await forwarding.points(conn, taken.checkpoint, through, POINTS)
        messages = [row_message(row, self._host) for row in rows]
        messages += [checkpoint_message(point, self._host) for point in points]
        if messages:
            await self._send(Endpoint.parse(wanted), messages)
        async with self._database.acquire() as conn:
            after = Place(through, points[-1].number if points else taken.checkpoint)
            await forwarding.advance(conn, self._holder, taken, after)
        return len(messages)

    async def _send(self, endpoint: Endpoint, messages: list[bytes]) -> None:
        try:
            await asyncio.to_thread(send, endpoint, messages, self._patience)
        except OSError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Unavailable(f"the audit collector {endpoint} has not taken what it was sent: {reason}") from error
