"""/system/purgeaudit: runs of the purge of the audit trail."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import msgspec

from ...core.access import SystemAction
from ...core.records.database import Connection
from ...core.work.purge import PURGE, PurgeParameters, start_purge
from .jobs import Job


def _read(parameters: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in parameters.items() if name in ("audit_retention_hour", "dry_run")}
    PurgeParameters.check_kinds(parameters)
    return asdict(msgspec.convert(given, PurgeParameters, strict=False))


async def _start(conn: Connection, parameters: dict[str, Any], username: str) -> int:
    return await start_purge(conn, PurgeParameters.read(parameters), username)


OPERATIONS = Job(
    *("/system/purgeaudit", "purge_id", PURGE, "PURGE_AUDIT_LOG", _read, _start),
    *(SystemAction.PURGE_LIST, SystemAction.PURGE_READ, SystemAction.PURGE_CREATE),
    *(SystemAction.PURGE_UPDATE, SystemAction.PURGE_STOP),
).operations()
