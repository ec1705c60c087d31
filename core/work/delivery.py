"""The queue under the tasks: pgqueuer, which delivers jobs and nothing else (dependencies.md section 2).

A job's entrypoint is the kind of the task, so a worker of an older release leaves kinds it does not know to newer ones;
its payload is the task's id; its dedupe key says that a task has at most one job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final, Self, cast

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.qb import QueryBuilderEnvironment, QueryQueueBuilder, QuerySchedulerBuilder
from pgqueuer.core.tm import TaskManager
from pgqueuer.domain.settings import DBSettings
from pgqueuer.domain.types import Channel
from pgqueuer.ports.driver import Driver, NotifyCallback
from pgqueuer.queries import Queries

from ..records.database import Connection, Database

NORMAL: Final = 0

# Named here, since pgqueuer would take other names from environment variables as common as CHANNEL or TRIGGER.
NAMES: Final = DBSettings(
    prefix="",
    db_schema=None,
    channel=Channel("ch_pgqueuer"),
    function="fn_pgqueuer_changed",
    statistics_table="pgqueuer_statistics",
    queue_status_type="pgqueuer_status",
    queue_table="pgqueuer",
    queue_table_log="pgqueuer_log",
    trigger="tg_pgqueuer_changed",
    schedules_table="pgqueuer_schedules",
)
"""The objects of schema.sql section 8."""


def queries(driver: Driver) -> Queries:
    """pgqueuer's statements over a driver."""
    return Queries(driver, QueryBuilderEnvironment(NAMES), QueryQueueBuilder(NAMES), QuerySchedulerBuilder(NAMES))


async def enqueue(conn: Connection, tasks: Sequence[tuple[str, int]]) -> None:
    """A job for each (kind, task id), in the caller's transaction; a task that has a job already keeps that one."""
    if not tasks:
        return
    # pgqueuer names asyncpg's own connection; what a pool lends does the same.
    await queries(AsyncpgDriver(cast("asyncpg.Connection[asyncpg.Record]", conn))).enqueue(
        [kind for kind, _ in tasks],
        [str(task).encode() for _, task in tasks],
        [NORMAL] * len(tasks),
        dedupe_key=[f"task:{task}" for _, task in tasks],
        on_conflict="skip",
    )


class Port(Driver):
    """pgqueuer's view of our database: its statements through the pool, its notifications through `Database.listen`,
    which notices a dead connection and comes back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._shutdown = asyncio.Event()
        self._listening: list[asyncio.Task[None]] = []

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows of a statement."""
        async with self._database.acquire() as conn:
            return [dict(row) for row in await conn.fetch(query, *args)]

    async def execute(self, query: str, *args: object) -> str:
        """The status of a statement."""
        async with self._database.acquire() as conn:
            return await conn.execute(query, *args)

    async def notify(self, channel: str, payload: str) -> None:
        """Tell a channel."""
        await self.execute("SELECT pg_notify($1, $2)", channel, payload)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Listen to a channel until the driver is left."""

        def told(payload: str | None) -> None:
            if payload is not None:  # None: listening from now on; the dequeue that polls finds what came before
                callback(payload)

        self._listening.append(asyncio.create_task(self._database.listen(channel, told)))

    @property
    def shutdown(self) -> asyncio.Event:
        """Part of pgqueuer's contract; it is never set here."""
        return self._shutdown

    @property
    def tm(self) -> TaskManager:
        """Part of pgqueuer's contract: tasks of its own that a driver may have; this one has none."""
        return TaskManager()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)
        self._listening.clear()
