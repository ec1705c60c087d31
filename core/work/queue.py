"""Tasks are done here: delivered by pgqueuer, claimed, watched and settled in our own tables, which tell the truth.

pending ── claim ──> running ── the handler returns ──────> success
   ^                    │   ── it raises, attempts left ─> pending, again after a pause
   │                    │   ── it raises ReadOnly ───────> pending, until the mode allows it
   │                    │   ── it raises, none left ─────> error
   │                    │   ── a stop is asked for ──────> stopped
   └── the worker stops, or gives no sign of life for `silence` seconds (kill -9): any worker goes on
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from pgqueuer.errors import RetryRequested
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager

from ..oci.errors import ReadOnly, Unavailable
from ..records import work
from ..records.database import Connection, Database
from .delivery import NAMES, Port, enqueue, queries
from .task import Kind, Task, Wanted

log = logging.getLogger(__name__)

POLL: Final = timedelta(seconds=2)
"""How often the queue is looked at where no notification arrives."""
WAIT: Final = 30.0
"""Seconds after which a task that the registry's mode forbids is tried again."""
DEATHS: Final = 3
"""Attempts are counted by claims, so those of dead workers count too: a task may take this many times its attempts."""


async def start(conn: Connection, wanted: Wanted) -> int:
    """Make an execution with its tasks and their jobs in the caller's transaction; returns the execution's id."""
    execution, tasks = await work.insert_execution(
        conn,
        wanted.kind,
        wanted.payloads,
        policy_id=wanted.policy_id,
        trigger=wanted.trigger,
        username=wanted.username,
    )
    await enqueue(conn, [(wanted.kind, task) for task in tasks])
    return execution


class Queue:
    """Does the tasks of the kinds it knows, up to `concurrency` at once, until stopped.

    `silence` is how long a worker may give no sign of life before others take its tasks over, in seconds.
    """

    def __init__(
        self, database: Database, kinds: Mapping[str, Kind], *, concurrency: int = 10, silence: float = 30.0
    ) -> None:
        self._database = database
        self._kinds = kinds
        self._concurrency = max(2, concurrency)
        self._silence = silence
        self._closing = asyncio.Event()

    def stop(self) -> None:
        """Take no more tasks; those running are cancelled and go back to pending, for other workers."""
        self._closing.set()

    async def run(self) -> None:
        """Work until `stop`. Raises what keeps the queue from working: call it again after a pause."""
        manager = QueueManager(queries(Port(self._database)), NAMES.channel)
        manager.shutdown = self._closing
        for name in self._kinds:
            manager.entrypoint(name, accepts_context=False)(self._perform)
        await manager.run(
            batch_size=self._concurrency // 2,
            max_concurrent_tasks=self._concurrency,
            dequeue_timeout=POLL,
            heartbeat_timeout=timedelta(seconds=self._silence),
        )

    async def revive(self) -> int:
        """Give a job to each unfinished task that has none any more; returns how many there were."""

        async def again(conn: Connection) -> int:
            lost = await work.vanished_tasks(conn, self._silence)
            await enqueue(conn, lost)
            return len(lost)

        if revived := await self._database.run(again):
            log.warning("%d tasks had lost their jobs and were queued again", revived)
        return revived

    async def _perform(self, job: Job) -> None:
        """One job. Returning ends it, RetryRequested keeps it; what became of the task stands in the task's row."""
        try:
            await self._perform_task(int(job.payload or b"0"))
        except work.Busy:
            raise RetryRequested(timedelta(seconds=self._silence), "another worker has the task") from None
        except Unavailable as error:
            raise RetryRequested(timedelta(seconds=self._silence), str(error)) from None

    async def _perform_task(self, task_id: int) -> None:
        claim = await self._database.run(lambda conn: work.claim_task(conn, task_id, self._silence))
        if claim is None:
            return
        kind = self._kinds[claim.kind]
        if claim.tries > DEATHS * kind.attempts:
            await self._finish(claim, "error", f"given up: {claim.tries - 1} attempts ended without an answer")
            return
        await self._attempt(claim, kind)

    async def _attempt(self, claim: work.Claim, kind: Kind) -> None:
        running = asyncio.ensure_future(kind.run(Task(self._database, claim)))
        try:
            ended = await self._watch(claim, running)
        finally:
            if not running.done():
                running.cancel()
                await asyncio.wait({running})
        if ended == "lost":
            log.warning("task %d was taken over by another worker", claim.task_id)
        elif ended == "closing":
            await self._release(claim, "interrupted: the worker stopped", 0.0)
        elif running.cancelled():
            await self._finish(claim, "stopped", "stopped on request")
        elif (error := running.exception()) is None:
            await self._finish(claim, "success", "")
        elif isinstance(error, ReadOnly):
            await self._release(claim, _line(error), WAIT, waits=True)
        elif claim.tries < kind.attempts:
            log.warning("task %d (%s): %s", claim.task_id, claim.kind, _line(error))
            await self._release(claim, _line(error), kind.pause(claim.tries))
        else:
            log.error("task %d (%s) failed", claim.task_id, claim.kind, exc_info=error)
            await self._finish(claim, "error", _line(error))

    async def _watch(self, claim: work.Claim, running: "asyncio.Future[None]") -> str:
        """Wait for the handler, giving signs of life; answers `done`, `stop`, `closing` or `lost`."""
        closing = asyncio.create_task(self._closing.wait())
        either: set[asyncio.Future[Any]] = {running, closing}
        try:
            while True:
                await asyncio.wait(either, timeout=self._silence / 3, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    return "done"
                if closing.done():
                    return "closing"
                try:
                    async with self._database.acquire() as conn:
                        stop = await work.beat_task(conn, claim)
                except Unavailable:
                    continue  # the fence in every later statement keeps us honest if this takes too long
                if stop is None:
                    return "lost"
                if stop:
                    return "stop"
        finally:
            closing.cancel()

    async def _finish(self, claim: work.Claim, status: work.End, message: str) -> None:
        await self._database.run(lambda conn: work.finish_task(conn, claim, status, message))

    async def _release(self, claim: work.Claim, message: str, pause: float, waits: bool = False) -> None:
        async with self._database.acquire() as conn:
            if await work.release_task(conn, claim, message, waits):
                raise RetryRequested(timedelta(seconds=pause), message)


def _line(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):  # of a TaskGroup, which says nothing itself
        error = error.exceptions[0]
    return " ".join(f"{type(error).__name__}: {error}".split())
