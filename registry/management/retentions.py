"""Retention: the policy of a project, its runs, and what each came to."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from ...core.access import Action, require
from ...core.oci.errors import NotFound, QueryInvalid
from ...core.policies.retention import TEMPLATES, Policy, Rule, Scope, Trigger, keeps
from ...core.records import accounts, executions, immutable, projects, retention, work
from ...core.records.database import Connection
from ...core.work import schedule
from ...core.work.retention import run_policy
from ..endpoint import NoQuery, answer
from ..v2.answer import Answer
from .answers import created, done, text
from .lists import Paged, listed
from .operation import Anyone, Call, Operation
from .retention_log import log_of

CODES = {"pending": 0, "running": 2}
FINISHED = 3


class Run(msgspec.Struct, frozen=True):
    """How to run a policy."""

    dry_run: bool = False


class Stop(msgspec.Struct, frozen=True):
    """What to do with a run."""

    action: Literal["stop"]


class Shown(msgspec.Struct, frozen=True):
    """A policy that is there."""

    id: int
    algorithm: str
    rules: list[Rule]
    trigger: dict[str, Any]
    scope: Scope
    enabled: bool


class Execution(msgspec.Struct, frozen=True):
    """A run of a policy."""

    id: int
    policy_id: int
    start_time: datetime
    status: str
    trigger: str
    dry_run: bool
    end_time: datetime | msgspec.UnsetType = msgspec.UNSET  # none while it runs


class Task(msgspec.Struct, frozen=True):
    """What a run made of a repository: artifacts in all, and those that stay."""

    id: int
    execution_id: int
    repository: str
    job_id: str
    status: str
    status_code: int
    status_revision: int
    start_time: datetime
    total: int
    retained: int
    end_time: datetime | msgspec.UnsetType = msgspec.UNSET  # none while it runs


async def _checked(conn: Connection, policy: Policy) -> None:
    """QueryInvalid where the policy cannot be used."""
    for keep in keeps(policy.rules):
        await immutable.check(conn, [*keep.repositories, *keep.tags])
    if policy.trigger.cron:
        try:
            schedule.next_time(policy.trigger.cron, await conn.fetchval("SELECT now()"))
        except schedule.BadCron as error:
            raise QueryInvalid(str(error)) from None


async def _scheduled(conn: Connection, policy_id: int, policy: Policy) -> None:
    if policy.enabled and policy.trigger.cron:
        payload = {"policy": policy_id, "dry_run": False}
        await schedule.put(conn, retention.KIND, policy.trigger.cron, payload, policy_id)
    else:
        await executions.drop_schedule(conn, retention.KIND, policy_id)


def _columns(policy: Policy) -> tuple[list[Any], dict[str, Any], bool]:
    trigger: dict[str, Any] = msgspec.to_builtins(policy.trigger)
    return msgspec.to_builtins(policy.rules), trigger, policy.enabled


async def _metadatas(call: Call[NoQuery]) -> Answer:
    numbers = {name: "DAYS" if "Days" in name else "COUNT" for name in TEMPLATES}
    return answer(
        {
            "templates": [
                {
                    "rule_template": name,
                    "display_text": said,
                    "action": "retain",
                    "params": [{"type": "int", "unit": numbers[name], "required": True}] if name != "always" else [],
                }
                for name, said in TEMPLATES.items()
            ],
            "scope_selectors": [
                {"display_text": "Repositories", "kind": "doublestar", "decorations": ["repoMatches", "repoExcludes"]}
            ],
            "tag_selectors": [
                {"display_text": "Tags", "kind": "doublestar", "decorations": ["matches", "excludes"]},
                {"display_text": "Labels", "kind": "label", "decorations": ["withLabels", "withoutLabels"]},
            ],
        }
    )


async def _create(call: Call[NoQuery]) -> Answer:
    policy: Policy = call.body
    async with call.database.transaction() as conn:
        name = await projects.name_of(conn, policy.scope.ref)
        rights = await accounts.rights(conn, call.principal, name or "/")
        if name is None and rights.admin:
            raise QueryInvalid(f"scope.ref: there is no project {policy.scope.ref}")
        require(call.principal, rights, Action.RETENTION_CREATE)
        await _checked(conn, policy)
        found = await retention.create(conn, call.principal, policy.scope.ref, *_columns(policy), call.audit)
        await _scheduled(conn, found, policy)
    return created(f"/retentions/{found}")


async def _get(call: Call[NoQuery]) -> Answer:
    async with call.database.acquire() as conn:
        found = await retention.find(conn, call.number("id"))
    trigger = msgspec.convert(found.trigger, Trigger)
    shown = {"kind": trigger.kind, "settings": trigger.settings or {}, "references": trigger.references or {}}
    rules = msgspec.convert(found.rules, list[Rule])
    rules = [rule if rule.params is not None else msgspec.structs.replace(rule, params={}) for rule in rules]
    return answer(Shown(found.id, "or", rules, shown, Scope("project", found.project_id), found.enabled))


async def _put(call: Call[NoQuery]) -> Answer:
    policy: Policy = call.body
    async with call.database.transaction() as conn:
        found = await retention.find(conn, call.number("id"))
        if policy.scope.ref != found.project_id:
            raise QueryInvalid(f"scope.ref: policy {found.id} is of project {found.project_id}, and stays so")
        await _checked(conn, policy)
        await retention.change(conn, call.principal, found, *_columns(policy), call.audit)
        await _scheduled(conn, found.id, policy)
    return done()


async def _delete(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        policy_id = call.number("id")
        for execution in await retention.delete(conn, call.principal, policy_id, call.audit):
            await work.stop_execution(conn, execution)
        await executions.drop_schedule(conn, retention.KIND, policy_id)
    return done()


async def _run(call: Call[NoQuery]) -> Answer:
    body: Run = call.body
    policy_id = call.number("id")
    async with call.database.transaction() as conn:
        found = await run_policy(conn, policy_id, body.dry_run, "manual", call.principal.name)
    return created(f"/retentions/{policy_id}/executions/{found}")


async def _executions(call: Call[Paged]) -> Answer:
    policy_id = call.number("id")
    async with call.database.acquire() as conn:
        found, total = await executions.executions(conn, retention.KIND, call.query.asked, policy_id)
    entries = [
        Execution(
            each.id,
            policy_id,
            each.start_time or each.creation_time,
            each.status.capitalize(),
            each.trigger.upper(),
            bool(each.attributes.get("dry_run")),
            each.end_time or msgspec.UNSET,
        )
        for each in found
    ]
    return listed(call, entries, total)


async def _stop(call: Call[NoQuery]) -> Answer:
    async with call.database.transaction() as conn:
        if not await retention.is_of(conn, call.number("id"), call.number("eid")):
            raise NotFound(f"the policy has no execution {call.path['eid']}")
        await work.stop_execution(conn, call.number("eid"))
    return done()


async def _tasks(call: Call[Paged]) -> Answer:
    async with call.database.acquire() as conn:
        found, total = await retention.results(conn, call.number("id"), call.number("eid"), call.query.asked)
    entries = [
        Task(
            each.id,
            each.execution_id,
            each.repository,
            str(each.id),
            each.status.capitalize(),
            CODES.get(each.status, FINISHED),
            0,
            each.start_time,
            each.total,
            each.retained,
            each.end_time or msgspec.UNSET,
        )
        for each in found
    ]
    return listed(call, entries, total)


async def _log(call: Call[NoQuery]) -> Answer:
    numbers = (call.number("id"), call.number("eid"), call.number("tid"))
    async with call.database.acquire() as conn:
        return text(log_of(*await retention.picks(conn, *numbers)))


async def _of(conn: Connection, path: dict[str, str]) -> int | None:
    policy = path["id"]
    return await retention.project_of(conn, int(policy)) if policy.isdecimal() and len(policy) <= 18 else None


def _operation(method: str, path: str, summary: str, run: Any, needs: Action, **more: Any) -> Operation:
    return Operation(method, "/retentions/{id}" + path, summary, run, needs=needs, of=_of, **more)


RUNS, ONE = "/executions", "/executions/{eid}"
OPERATIONS = (
    Operation(
        "GET", "/retentions/metadatas", "What rules can say", _metadatas, result=dict[str, Any], needs=Anyone.SIGNED_IN
    ),
    Operation("POST", "/retentions", "A project's policy", _create, body=Policy, status=201, needs=Anyone.SIGNED_IN),
    _operation("GET", "", "A policy", _get, Action.RETENTION_READ, result=Shown),
    _operation("PUT", "", "Other rules", _put, Action.RETENTION_UPDATE, body=Policy),
    _operation("DELETE", "", "No policy any more", _delete, Action.RETENTION_DELETE),
    _operation("POST", RUNS, "Run it, or only tell", _run, Action.RETENTION_OPERATE, body=Run, status=201),
    _operation("GET", RUNS, "Its runs", _executions, Action.RETENTION_LIST, query=Paged, result=list[Execution]),
    _operation("PATCH", ONE, "Stop a run", _stop, Action.RETENTION_OPERATE, body=Stop),
    _operation("GET", ONE + "/tasks", "By repository", _tasks, Action.RETENTION_LIST, query=Paged, result=list[Task]),
    _operation(
        "GET", ONE + "/tasks/{tid}", "What goes of a repository", _log, Action.RETENTION_READ, produces=("text/plain",)
    ),
)
