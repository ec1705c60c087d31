"""Runs of retention policies: pick by one statement, store the diff, then remove in batches that look again.

A run that is stopped or whose worker dies goes on where it was: what was picked is stored, and a batch is one
transaction. A dry run ends with the diff. While the registry is read-only nothing is removed, and runs wait.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec

from ..modes import check_mode
from ..oci.errors import NotFound
from ..policies.retention import Rule, keeps
from ..records import retention, settings
from ..records.database import Connection, Database
from ..records.events import Event
from ..records.retention_choice import choose
from .queue import start
from .task import Task, Wanted

BATCH: Final = 500


async def run_policy(conn: Connection, policy_id: int, dry_run: bool, trigger: str, username: str) -> int:
    """Start a run of a policy, in the caller's transaction; the execution's id."""
    payload: dict[str, Any] = {"policy": policy_id, "dry_run": dry_run}
    execution = await start(conn, Wanted(retention.KIND, [payload], policy_id, trigger, username))
    await conn.execute(retention.SET_DRY, execution, dry_run)
    return execution


async def after_pushes(conn: Connection, events: Sequence[Event]) -> None:
    """Start the policies that run after a push, for the projects that were pushed to."""
    projects = sorted({event.project_id for event in events if event.kind == "artifact.pushed" and event.project_id})
    if projects:
        for policy, _ in await retention.by_events(conn, projects):
            await run_policy(conn, policy, False, "event", "retention")


class RunRetention:
    """Handles a task: `undo` is how long what goes can be restored."""

    def __init__(self, database: Database, undo: timedelta) -> None:
        self._database = database
        self._undo = undo

    async def __call__(self, task: Task) -> None:
        """One run of task.payload["policy"]; with `dry_run` nothing goes. ReadOnly: it goes on later."""
        dry_run = bool(task.payload.get("dry_run"))
        async with self._database.acquire() as conn:
            execution = await retention.execution_of(conn, task.id)
            try:
                policy = await retention.find(conn, int(task.payload["policy"]))
            except NotFound:
                await task.log("the policy is gone")
                return
        rules = keeps(msgspec.convert(policy.rules, list[Rule]))
        picked = await self._picked(policy.project_id, execution, rules)
        await task.log(f"{picked} artifacts {'would go' if dry_run else 'are to go'}")
        if dry_run:
            return
        pulls = any("Pull" in rule.template for rule in rules)
        removed = 0
        for late in (False, True):
            taken = 1
            while taken:
                async with self._database.acquire() as conn:
                    check_mode(await settings.mode(conn), push=False)
                taken, gone = await retention.remove(
                    self._database, execution, late, BATCH, pulls, self._undo, "retention"
                )
                removed += gone
        await task.log(f"{removed} artifacts went; they can be restored for {self._undo}")

    async def _picked(self, project_id: int, execution: int, rules: Sequence[Any]) -> int:
        async with self._database.transaction() as conn:
            if not await retention.chosen(conn, execution):
                await choose(conn, project_id, execution, rules)
        async with self._database.acquire() as conn:
            return sum((await retention.states(conn, execution)).values())
