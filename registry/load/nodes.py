"""How many server processes run: each writes that it does, and hears of the others by the same statement."""

import asyncio
import os
import socket
from contextlib import suppress
from uuid import uuid4

from ...core.oci.errors import Unavailable
from ...core.records import nodes
from ...core.records.database import Database
from ...core.records.schema import Schema

BEAT_SECONDS = 5.0


class Nodes:
    """`live` is the number that the last beat told, at least this one; without a database it stays what it was."""

    def __init__(self, database: Database, *, serves: bool = True) -> None:
        self._database = database
        self._node = nodes.Node(uuid4(), f"{socket.gethostname()}:{os.getpid()}", Schema.load().version, serves)
        self.live = 1

    async def beat(self) -> None:
        """Write and hear once. Unavailable."""
        self.live = await self._database.run(lambda conn: nodes.beat(conn, self._node))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            with suppress(Unavailable):
                await self.beat()
            await asyncio.sleep(BEAT_SECONDS)

    async def leave(self) -> None:
        """Say goodbye, so that the others share what was ours at their next beat."""
        with suppress(Unavailable):
            await self._database.run(lambda conn: nodes.leave(conn, self._node))
