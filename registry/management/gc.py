"""/system/gc: runs of the garbage collection."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import msgspec

from ...core.access import SystemAction
from ...core.records.database import Connection
from ...core.work.gc_run import GC, GcParameters, start_gc
from .jobs import Job


def _read(parameters: Mapping[str, Any]) -> dict[str, Any]:
    given = {each.name: parameters[each.name] for each in fields(GcParameters) if each.name in parameters}
    return asdict(msgspec.convert(given, GcParameters, strict=False))


async def _start(conn: Connection, parameters: dict[str, Any], username: str) -> int:
    return await start_gc(conn, GcParameters.read(parameters), username)


OPERATIONS = Job(
    *("/system/gc", "gc_id", GC, "GARBAGE_COLLECTION", _read, _start),
    *(SystemAction.GC_LIST, SystemAction.GC_READ, SystemAction.GC_CREATE, SystemAction.GC_UPDATE, SystemAction.GC_STOP),
).operations()
