"""A worker: steps that are repeated for ever, side by side, whatever fails now and then."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from dataforge_registry.drivers.base import DriverError, NoSpace

from ..oci.errors import Unavailable
from ..storage_errors import failures as storage_failures
from .queue import Queue

log = logging.getLogger(__name__)

LONGEST_PAUSE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Step:
    """Something to repeat. `run` returns how much it did: `full` or more means that there is more, so it runs again at
    once; else after `idle` seconds."""

    name: str
    run: Callable[[], Awaitable[int]]
    idle: float
    full: int = 1


class Worker:
    """Does the tasks of a queue and repeats steps, until `stop`.

    Any number of workers may run over one database and one store, and any of them may be killed at any moment.
    `pause` is the rest after a first failure, in seconds; it doubles with each further one, up to LONGEST_PAUSE.
    `close` lets go of what the work stood on, once all of it has ended.
    """

    def __init__(
        self,
        queue: Queue,
        steps: Sequence[Step],
        *,
        pause: float = 1.0,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._close = close
        self._queue = queue
        self._steps = steps
        self._pause = pause
        self._closing = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`; no failure of database or store ends it."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._repeat(Step("queue", self._deliver, 1.0)))
                for step in self._steps:
                    group.create_task(self._repeat(step))
        finally:
            if self._close is not None:
                await self._close()

    def stop(self) -> None:
        """Let the steps under way end, give running tasks back, and let `run` return."""
        self._closing.set()
        self._queue.stop()

    async def _deliver(self) -> int:
        await self._queue.run()
        return 0

    async def _repeat(self, step: Step) -> None:
        failures = 0
        while not self._closing.is_set():
            try:
                pause = 0.0 if await step.run() >= step.full else step.idle
                failures = 0
            except (Unavailable, DriverError) as error:
                if isinstance(error, DriverError):
                    storage_failures["full" if isinstance(error, NoSpace) else "failed"] += 1
                if not failures:  # once an outage, not once a try
                    log.warning("%s: %s; trying again", step.name, error)
                failures += 1
            except Exception:
                log.exception("%s failed; trying again", step.name)
                failures += 1
            if failures:
                pause = min(LONGEST_PAUSE, self._pause * 2 ** min(failures - 1, 10))
            await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return
