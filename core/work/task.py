"""What a handler sees of its task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..records import executions, work
from ..records.database import Database

LINES: Final = 1000
"""Lines kept of one task's log; what follows is dropped, after one line that says so."""


class Task:
    """One attempt at a task: its payload, and a bounded log in the database."""

    def __init__(self, database: Database, claim: work.Claim) -> None:
        self._database = database
        self._claim = claim
        self._lines = claim.lines

    @property
    def id(self) -> int:
        """The task's row."""
        return self._claim.task_id

    @property
    def attempt(self) -> int:
        """1 the first time."""
        return self._claim.tries

    async def attributes(self) -> dict[str, Any]:
        """What its execution says of itself so far."""
        async with self._database.acquire() as conn:
            return await executions.attributes(conn, self.id)

    async def set_attributes(self, **changes: Any) -> None:
        """Let its execution say so, while this attempt is the task's."""
        async with self._database.acquire() as conn:
            await executions.set_attributes(conn, self.id, self._claim.attempt, changes)

    @property
    def payload(self) -> dict[str, Any]:
        """What to do, as its maker wrote it."""
        return self._claim.payload

    async def log(self, line: str, level: str = "info") -> None:
        """Add a line to the task's log, cut at `work.LINE_LENGTH` characters and `LINES` lines."""
        self._lines += 1
        if self._lines > LINES + 1:
            return
        if self._lines == LINES + 1:
            level, line = "warning", f"the log is full: a task keeps {LINES} lines"
        async with self._database.acquire() as conn:
            await work.insert_line(conn, self._claim, level, line)


@dataclass(frozen=True, slots=True)
class Kind:
    """How tasks of one kind are done.

    `run` may be called again for the same task (a worker died, a stop, a failure), so it must be idempotent; it is
    cancelled when the task is stopped. After `attempts` failures the task ends as `error`.
    """

    run: Callable[[Task], Awaitable[None]]
    attempts: int = 5
    delay: float = 1.0

    def pause(self, attempt: int) -> float:
        """Seconds before the next attempt: doubling, at most five minutes."""
        return float(min(self.delay * 2 ** min(attempt - 1, 20), 300.0))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A piece of work to be made an execution of: one task for each payload."""

    kind: str
    payloads: Sequence[dict[str, Any]]
    policy_id: int | None = None
    trigger: str = "manual"
    username: str = ""
