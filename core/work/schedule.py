"""Schedules: six-field cron in UTC, seconds first as in Harbor's API, fired once whatever the number of workers.

Firing is one transaction: the row is locked (others pass it over), its next time is set and its execution made. So a
fire is neither lost nor doubled, and times missed while no worker ran collapse into one.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from croniter import CroniterBadCronError, CroniterBadDateError, croniter  # type: ignore[import-untyped]

from ..records import executions, work
from ..records.database import Connection, Database
from .queue import start
from .task import Wanted

log = logging.getLogger(__name__)

FIELDS: Final = 6
BATCH: Final = 100


class BadCron(ValueError):
    """A cron expression cannot be used; the message says what is wrong."""


def next_time(cron: str, after: datetime) -> datetime:
    """The first time of a six-field expression (second minute hour day month weekday) after a moment, in UTC."""
    if len(cron.split()) != FIELDS:
        raise BadCron(f"cron {cron!r}: write six fields, second minute hour day month weekday, such as '0 0 3 * * *'")
    try:
        found = croniter(cron, after.astimezone(UTC), ret_type=datetime, second_at_beginning=True).get_next(datetime)
    except CroniterBadDateError:
        raise BadCron(f"cron {cron!r}: there is no such day") from None
    except (CroniterBadCronError, ValueError, KeyError) as error:
        raise BadCron(f"cron {cron!r}: {' '.join(str(error).split())}") from None
    assert isinstance(found, datetime)
    return found


class Clock:
    """Fires schedules; the system's own ones (kind -> cron) are made where they are missing, due at once."""

    def __init__(self, database: Database, own: Mapping[str, str]) -> None:
        for cron in own.values():
            next_time(cron, datetime.now(UTC))  # BadCron at once, not when it is due
        self._database = database
        self._own = own
        self._ready = False

    async def step(self) -> int:
        """Start what is due; returns how many schedules fired."""
        if not self._ready:
            async with self._database.transaction() as conn:
                for kind, cron in sorted(self._own.items()):
                    await work.insert_schedule(conn, kind, cron)
            self._ready = True
        return await self._database.run(fire)


async def put(
    conn: Connection, kind: str, cron: str, payload: Mapping[str, Any], policy_id: int | None = None
) -> executions.Schedule:
    """The schedule of a kind (of one policy) from now on. BadCron."""
    following = next_time(cron, await conn.fetchval("SELECT clock_timestamp()"))
    await executions.put_schedule(conn, kind, cron, payload, following, policy_id)
    made = await executions.schedule(conn, kind, policy_id)
    assert made is not None
    return made


async def fire(conn: Connection) -> int:
    """Start what is due, in the caller's transaction; returns how many schedules fired."""
    due = await work.due_schedules(conn, BATCH)
    for schedule in due:
        try:
            following = next_time(schedule.cron, schedule.now)
        except BadCron as error:
            log.error("schedule %d is switched off: %s", schedule.id, error)
            await work.disable_schedule(conn, schedule)
            continue
        await work.advance_schedule(conn, schedule, following)
        await start(conn, Wanted(schedule.kind, [schedule.payload], schedule.policy_id, "schedule"))
    return len(due)
