"""The audit trail: all of it for administrators, that of their projects for others."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ...core.access import Action, SystemAction, permits_system
from ...core.records import trail
from ..endpoint import NoQuery, answer
from ..v2.answer import Answer
from .lists import Listed, listed
from .operation import Anyone, Call, Operation

EVENTS = (
    *("push_artifact", "pull_artifact", "delete_artifact", "delete_tag", "delete_blob", "delete_repository"),
    *("create_project", "update_project", "delete_project", "create_member", "update_member", "delete_member"),
    *("create_account", "update_account", "delete_account", "disable_account", "enable_account", "password_account"),
    *("create_group", "update_group", "delete_group", "join_group", "leave_group"),
    *("create_robot", "update_robot", "delete_robot", "secret_robot"),
    *("login_account", "login_robot", "login_session", "create_refresh_token"),
    *("update_mnemonics", "update_units", "update_quota", "update_configuration", "delete_audit_log"),
)
"""`<operation>_<resource type>` of what is written most."""


class AuditLog(msgspec.Struct, frozen=True):
    """A row, as `/audit-logs` has it."""

    id: int
    username: str
    resource: str
    resource_type: str
    operation: str
    op_time: datetime


class AuditLogExt(msgspec.Struct, frozen=True):
    """A row with what came of it."""

    id: int
    username: str
    resource: str
    resource_type: str
    operation: str
    operation_description: str
    operation_result: bool
    op_time: datetime


class EventType(msgspec.Struct, frozen=True):
    event_type: str


async def _rows(call: Call[Listed]) -> tuple[list[trail.Logged], int]:
    projects: Sequence[int] | None
    if call.project:
        projects = [call.project_id]
    elif permits_system(call.principal, call.rights, SystemAction.AUDIT_LIST):
        projects = None
    else:
        projects = await trail.projects_of(call.database, call.principal)
    return await trail.page(call.database, call.query.asked, projects)


async def _logs(call: Call[Listed]) -> Answer:
    rows, total = await _rows(call)
    entries = [
        AuditLog(row.id, row.username, row.resource, row.resource_type, row.operation, row.op_time) for row in rows
    ]
    return listed(call, entries, total)


async def _exts(call: Call[Listed]) -> Answer:
    rows, total = await _rows(call)
    return listed(call, [_ext(row) for row in rows], total)


def _ext(row: trail.Logged) -> AuditLogExt:
    said = f"{row.operation} {row.resource_type} {row.resource}".rstrip()
    kind = row.resource_type
    return AuditLogExt(row.id, row.username, row.resource, kind, row.operation, said, row.result, row.op_time)


async def _events(call: Call[NoQuery]) -> Answer:
    return answer([EventType(name) for name in EVENTS])


_OWN = Anyone.SIGNED_IN
_PROJECT = Action.LOG_LIST
OPERATIONS = (
    Operation("GET", "/audit-logs", "Who did what", _logs, Listed, result=list[AuditLog], needs=_OWN),
    Operation("GET", "/auditlog-exts/events", "What is written", _events, result=list[EventType], needs=_OWN),
    Operation(
        "GET", "/auditlog-exts", "Who did what, and its result", _exts, Listed, result=list[AuditLogExt], needs=_OWN
    ),
    Operation(
        *("GET", "/projects/{project_name}/logs", "Who did what in a project", _logs, Listed),
        result=list[AuditLog],
        needs=_PROJECT,
    ),
    Operation(
        *("GET", "/projects/{project_name}/auditlog-exts", "The same, with its result", _exts, Listed),
        result=list[AuditLogExt],
        needs=_PROJECT,
    ),
)
