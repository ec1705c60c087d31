"""Jobs of the system, gc and the purge of the audit trail: their runs, logs and the one schedule of each, as Harbor has
them."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from ...core.access import SystemAction
from ...core.oci.errors import NotFound, QueryInvalid
from ...core.records import audit, executions, work
from ...core.records.database import Connection
from ...core.records.executions import Execution
from ...core.work.schedule import BadCron, put
from ..endpoint import NoQuery, answer
from ..v2.answer import Answer
from .answers import created, done, text
from .lists import Listed, listed
from .operation import Call, Operation

Type = Literal["Hourly", "Daily", "Weekly", "Custom", "Manual", "None", "Schedule"]
CRONS = {"Hourly": "0 0 * * * *", "Daily": "0 0 0 * * *", "Weekly": "0 0 0 * * 0"}
TYPE = "schedule_type"
"""Where a schedule's payload keeps its type: the job does not look at it."""


class When(msgspec.Struct, frozen=True, omit_defaults=True):
    """Manual: now. None: never by itself. cron: six fields in UTC, seconds first; Custom needs it."""

    type: Type
    cron: str = ""
    next_scheduled_time: datetime | None = None


class ScheduleBody(msgspec.Struct, frozen=True):
    """When, and with which parameters."""

    schedule: When
    parameters: dict[str, Any] = {}


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    """A run. job_parameters is JSON in a text."""

    id: int
    job_name: str
    job_kind: str
    job_parameters: str
    schedule: When
    job_status: str
    deleted: bool
    creation_time: datetime | None = None
    update_time: datetime | None = None


class Planned(msgspec.Struct, frozen=True, omit_defaults=True):
    """The schedule; of type None where there is none, and then nothing else is said."""

    schedule: When
    id: int = 0
    job_name: str = ""
    job_kind: str = ""
    job_parameters: str = ""


@dataclass(frozen=True)
class Job:
    """`kind` is the executions', `name` Harbor's; `read` checks parameters (ValueError says what is wrong) and `start`
    begins a run by hand."""

    path: str
    id: str
    kind: str
    name: str
    read: Callable[[Mapping[str, Any]], dict[str, Any]]
    start: Callable[[Connection, dict[str, Any], str], Awaitable[int]]
    list: SystemAction
    look: SystemAction
    create: SystemAction
    update: SystemAction
    stop: SystemAction
    once: frozenset[str] = frozenset()
    """Parameters that only a run by hand can have."""

    def operations(self) -> tuple[Operation, ...]:
        """What the API says of it."""
        one, schedule = f"{self.path}/{{{self.id}}}", f"{self.path}/schedule"
        return (
            Operation("GET", schedule, "The schedule", self._schedule, result=Planned, needs=self.look),
            Operation(
                *("POST", schedule, "Schedule it, or run it now", self._post),
                body=ScheduleBody,
                status=201,
                needs=self.create,
                always=True,
            ),
            Operation(
                *("PUT", schedule, "Schedule it anew, or never", self._put),
                body=ScheduleBody,
                needs=self.update,
                always=True,
            ),
            Operation(
                "GET", self.path, "Runs, newest first", self._list, Listed, result=list[History], needs=self.list
            ),
            Operation("GET", one, "One run", self._one, result=History, needs=self.look),
            Operation("PUT", one, "Stop a run", self._stop, needs=self.stop, always=True),
            Operation("GET", f"{one}/log", "Its log", self._log, produces=("text/plain",), needs=self.look),
        )

    async def _list(self, call: Call[Listed]) -> Answer:
        async with call.database.acquire() as conn:
            found, total = await executions.executions(conn, self.kind, call.query.asked)
        return listed(call, [self._history(each) for each in found], total)

    async def _one(self, call: Call[NoQuery]) -> Answer:
        async with call.database.acquire() as conn:
            return answer(self._history(await self._found(conn, call)))

    async def _log(self, call: Call[NoQuery]) -> Answer:
        async with call.database.acquire() as conn:
            found = await self._found(conn, call)
            lines = await executions.lines(conn, found.id)
        return text(
            "".join(f"{each.op_time:%Y-%m-%dT%H:%M:%SZ} [{each.level.upper()}] {each.line}\n" for each in lines)
        )

    async def _stop(self, call: Call[NoQuery]) -> Answer:
        async with call.database.transaction() as conn:
            found = await self._found(conn, call)
            if await work.stop_execution(conn, found.id):
                await audit.record(
                    conn, call.principal, "stop", self.kind, str(found.id), project_id=None, **call.audit
                )
        return done()

    async def _schedule(self, call: Call[NoQuery]) -> Answer:
        async with call.database.acquire() as conn:
            found = await executions.schedule(conn, self.kind)
        if found is None or not found.enabled:
            return answer(Planned(When("None")))
        parameters = {name: value for name, value in found.payload.items() if name != TYPE}
        kind = found.payload.get(TYPE, "Custom")
        when = When(kind, found.cron, found.next_run_at)
        return answer(Planned(when, found.id, self.name, kind, json.dumps(parameters)))

    async def _post(self, call: Call[NoQuery]) -> Answer:
        made = await self._set(call)
        return created(self.path if made is None else f"{self.path}/{made}")

    async def _put(self, call: Call[NoQuery]) -> Answer:
        await self._set(call)
        return done()

    async def _set(self, call: Call[NoQuery]) -> int | None:
        """The id of a run that was started."""
        body: ScheduleBody = call.body
        try:
            parameters = self.read(body.parameters)
        except (ValueError, msgspec.ValidationError) as error:
            raise QueryInvalid(f"parameters: {error}") from None
        when, by = body.schedule, call.principal
        if when.type != "Manual" and (once := sorted(self.once & parameters.keys())):
            raise QueryInvalid(f"parameters.{once[0]}: of a run by hand only, whose schedule is of type Manual")
        async with call.database.transaction() as conn:
            match when.type:
                case "Manual":
                    started = await self.start(conn, parameters, call.actor.username)
                    await audit.record(conn, by, "start", self.kind, str(started), project_id=None, **call.audit)
                    return started
                case "None":
                    await executions.drop_schedule(conn, self.kind)
                    cron = "none"
                case _:
                    cron = when.cron or CRONS.get(when.type, "")
                    try:
                        await put(conn, self.kind, cron, parameters | {TYPE: when.type})
                    except BadCron as error:
                        raise QueryInvalid(str(error)) from None
            await audit.record(conn, by, "update", f"{self.kind}.schedule", cron, project_id=None, **call.audit)
        return None

    async def _found(self, conn: Connection, call: Call[Any]) -> Execution:
        number = call.number(self.id)
        found = await executions.execution(conn, self.kind, number)
        if found is None:
            raise NotFound(f"there is no run {number} of {self.kind}")
        return found

    def _history(self, run: Execution) -> History:
        when = When("Schedule" if run.trigger == "schedule" else "Manual")
        return History(
            run.id,
            self.name,
            run.trigger.upper(),
            json.dumps(run.attributes),
            when,
            run.status.capitalize(),
            False,
            run.creation_time,
            run.end_time or run.start_time or run.creation_time,
        )
