"""/system/gc: runs of the garbage collection. Beside Harbor's parameters there is `resume`: the id of a run that was
stopped or failed, which a new one by hand goes on with."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Annotated, Any

import msgspec

from ...core.access import SystemAction
from ...core.oci.errors import QueryInvalid
from ...core.records.database import Connection
from ...core.work.gc_run import GC, GcParameters, resume_gc, start_gc
from .jobs import Job

RESUME = "resume"


def _read(parameters: Mapping[str, Any]) -> dict[str, Any]:
    if RESUME in parameters:
        return {RESUME: msgspec.convert(parameters[RESUME], Annotated[int, msgspec.Meta(ge=1, le=2**62)], strict=False)}
    given = {each.name: parameters[each.name] for each in fields(GcParameters) if each.name in parameters}
    return asdict(msgspec.convert(given, GcParameters, strict=False))


async def _start(conn: Connection, parameters: dict[str, Any], username: str) -> int:
    if RESUME in parameters:
        resumed = await resume_gc(conn, parameters[RESUME], username)
        if resumed is None:
            raise QueryInvalid(f"parameters.resume: no run {parameters[RESUME]} of gc was stopped or failed")
        return resumed
    return await start_gc(conn, GcParameters.read(parameters), username)


OPERATIONS = Job(
    *("/system/gc", "gc_id", GC, "GARBAGE_COLLECTION", _read, _start),
    *(SystemAction.GC_LIST, SystemAction.GC_READ, SystemAction.GC_CREATE, SystemAction.GC_UPDATE, SystemAction.GC_STOP),
    once=frozenset({RESUME}),
).operations()
