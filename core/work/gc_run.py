"""A run of gc on demand or by schedule: an execution that drains what is due, with progress, log and a dry run.

The sweep in every worker (core/work/gc.py) does the same work all the time; a run adds the untagged artifacts, where
the policy says so, and does everything that is due at once. Nothing is lost by a stop or a death: what is left is in
the queues, and the walk over untagged artifacts goes on from `untagged_after`.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any, Final, Self

from ..records import executions, settings
from ..records.database import Connection, Database
from .deletions import Deletions
from .gc import Gc, Tally
from .gc_report import report
from .queue import start
from .reaper import Reaper
from .task import Task, Wanted

GC: Final = "gc"
MOST_WORKERS: Final = 16
CAUGHT_UP: Final = 10
"""Rounds in a row that found less than a batch, after which a busy registry counts as cleaned."""
WRITE_EVERY: Final = 1.0
"""Seconds between two writes of the progress."""

DUE = """
SELECT (SELECT count(*) FROM gc_review WHERE review_after <= now())
  + (SELECT count(*) FROM gc_delete WHERE next_try <= now())
  + (SELECT count(*) FROM artifact_blob
     WHERE state IN ('pending', 'condemned', 'gone', 'missing') AND keep_until <= now()) AS due
"""
USERNAME = "SELECT e.username FROM task t JOIN execution e ON e.id = t.execution_id WHERE t.id = $1"

PAYLOAD = "SELECT coalesce((SELECT payload FROM task WHERE execution_id = $1 LIMIT 1), '{}')"


@dataclass(frozen=True, slots=True)
class GcParameters:
    """As Harbor's: delete untagged artifacts too, if they were pushed more than `time_window` hours ago; count only;
    how many batches are under way at once. ValueError says what cannot be."""

    delete_untagged: bool = False
    dry_run: bool = False
    time_window: float = 2
    workers: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not 1 <= self.workers <= MOST_WORKERS:
            raise ValueError(f"workers: 1 to {MOST_WORKERS}, not {self.workers}")
        if not 0 <= self.time_window <= 87600:
            raise ValueError(f"time_window: hours from 0 to 87600, not {self.time_window:g}")

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Self:
        """Of a task, a schedule or an execution; what they do not say is as by default."""
        return cls(**{each.name: payload[each.name] for each in fields(cls) if each.name in payload})


async def start_gc(conn: Connection, parameters: GcParameters, username: str, trigger: str = "manual") -> int:
    """A run for the next worker; the execution's id. `core.records.work.stop_execution` stops it, and
    `core.records.executions` tells of it."""
    return await start(conn, Wanted(GC, [asdict(parameters)], trigger=trigger, username=username))


async def resume_gc(conn: Connection, execution_id: int, username: str) -> int | None:
    """A new run with the parameters of one that was stopped or failed, from where it was; None: there is none such."""
    found = await executions.execution(conn, GC, execution_id)
    if found is None or found.status not in ("stopped", "error"):
        return None
    given = json.loads(await conn.fetchval(PAYLOAD, execution_id)) | found.attributes  # a run may end before it begins
    payload = asdict(GcParameters.read(given)) | {"untagged_after": given.get("untagged_after", 0)}
    return await start(conn, Wanted(GC, [payload], username=username))


class RunGc:
    """The handler of GC. An attempt goes on where the one before was, and counts on."""

    def __init__(self, database: Database, gc: Gc, deletions: Deletions, reaper: Reaper) -> None:
        self._database = database
        self._gc = gc
        self._deletions = deletions
        self._reaper = reaper

    async def __call__(self, task: Task) -> None:
        """DriverError and Unavailable fail the attempt, and the next one goes on."""
        parameters = GcParameters.read(task.payload)
        window = timedelta(hours=parameters.time_window)
        if parameters.dry_run:
            found = await report(self._database, parameters.delete_untagged, window)
            await task.set_attributes(**asdict(parameters), would=asdict(found), freed_space=found.free_bytes)
            for line in found.lines():
                await task.log(line)
            return
        progress = await Progress.begin(task, parameters, await self._due())
        if any(reaped := (await self._reaper.uploads(), await self._reaper.stagings())):
            await task.log(f"removed {reaped[0]} expired uploads and {reaped[1]} stagings")
        if parameters.delete_untagged:
            await self._untagged(task, progress, window)
        await self._drain(progress, parameters.workers)
        await progress.end()

    async def _due(self) -> int:
        async with self._database.acquire() as conn:
            return int(await conn.fetchval(DUE))

    async def _untagged(self, task: Task, progress: "Progress", window: timedelta) -> None:
        async with self._database.acquire() as conn:
            user = str(await conn.fetchval(USERNAME, task.id) or GC)
            mode = await settings.mode(conn)
        if mode is settings.Mode.READ_ONLY:
            await task.log("untagged artifacts stay: the registry is read-only", "warning")
            return
        while progress.untagged_after is not None:
            progress.untagged_after, tally = await self._gc.untagged(progress.untagged_after, window, user)
            await progress.add(tally)
        await task.log(f"deleted {progress.tally.untagged} untagged artifacts")

    async def _drain(self, progress: "Progress", workers: int) -> None:
        caught_up = 0
        while caught_up < CAUGHT_UP:
            found = await asyncio.gather(*(self._round(progress) for _ in range(workers)))
            if not any(found):
                return
            caught_up = caught_up + 1 if sum(found) < self._gc.batch else 0

    async def _round(self, progress: "Progress") -> int:
        tally = await self._gc.both()
        deleted = await self._deletions.step()
        await progress.add(tally, deleted)
        return tally.taken + deleted


class Progress:
    """What a run has done, in its execution's attributes: counts, `rate` (rows a second) and `eta` (seconds)."""

    def __init__(self, task: Task, parameters: GcParameters, before: Mapping[str, Any], due: int) -> None:
        self._task = task
        self._parameters = parameters
        self._began = self._written = time.monotonic()
        names = [each.name for each in fields(Tally)]
        self.tally = Tally(**{name: value for name, value in before.get("counts", {}).items() if name in names})
        self._objects = int(before.get("objects", 0))
        self._before = self._done
        self._total = self._done + due
        self.untagged_after: int | None = before.get("untagged_after", task.payload.get("untagged_after", 0))

    @classmethod
    async def begin(cls, task: Task, parameters: GcParameters, due: int) -> Self:
        """Of this attempt, after what earlier ones did."""
        begun = cls(task, parameters, await task.attributes(), due)
        await begun._write()
        return begun

    @property
    def _done(self) -> int:
        return self.tally.taken + self._objects

    async def add(self, tally: Tally, objects: int = 0) -> None:
        """One more batch."""
        self.tally += tally
        self._objects += objects
        if time.monotonic() - self._written > WRITE_EVERY:
            await self._write()

    async def end(self) -> None:
        """All is done: told in the log too."""
        self._total = self._done
        await self._write()
        done = self.tally
        await self._task.log(
            f"purged {done.artifacts} artifacts, dropped {done.links} links, condemned {done.condemned} blobs "
            f"({done.condemned_bytes} bytes), freed {done.gone} blobs ({done.freed_bytes} bytes), "
            f"deleted {self._objects} objects"
        )

    async def _write(self) -> None:
        self._written = time.monotonic()
        done, total = self._done, max(self._total, self._done)
        rate = (done - self._before) / max(self._written - self._began, 0.001)
        await self._task.set_attributes(
            **asdict(self._parameters),
            counts=asdict(self.tally),
            objects=self._objects,
            purged_blobs=self.tally.gone,
            purged_manifests=self.tally.artifacts,
            freed_space=self.tally.freed_bytes,
            done=done,
            total=total,
            rate=round(rate, 1),
            eta=round((total - done) / rate, 1) if rate else None,
            untagged_after=self.untagged_after,
        )
