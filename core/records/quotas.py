"""Quotas: what a project may hold and holds, in bytes and artifacts; room promised to bytes on their way.

The limits themselves are held by `charge_project` in the push's transaction (schema.sql section 7).
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from ..access import Principal
from ..oci.digest import Digest
from ..oci.errors import NotFound
from . import audit
from .calls import fetchval
from .database import Connection, Database
from .listing import Asked, Column, Listing

SELECT_RESERVE = "SELECT quota_reserve($1, $2, $3, $4)"
SELECT_RELEASE = "SELECT quota_release($1, $2)"
SELECT_CHARGED = """SELECT 1 FROM project_blob
WHERE project_id = $1 AND blob_id = (SELECT id FROM artifact_blob WHERE digest = $2)"""
KEEP: Final = timedelta(hours=1)
"""How long a promise holds. One that ends early costs its push the promise, not its bytes: the charge decides."""

HOT: Final = (SELECT_CHARGED,)

FIELDS = """project_id, name, owner_name, storage_limit, storage_used, artifact_limit, artifact_count, quota_warning,
creation_time, update_time"""
SELECT_ONE = f"SELECT {FIELDS} FROM project WHERE project_id = $1 AND NOT deleted"
SET = """
UPDATE project SET storage_limit = coalesce($2, storage_limit), artifact_limit = coalesce($3, artifact_limit),
  quota_warning = coalesce($4, quota_warning), update_time = now()
WHERE project_id = $1 AND NOT deleted RETURNING name
"""

LIST = Listing(
    select=FIELDS,
    source="FROM project WHERE NOT deleted AND ($1::bigint IS NULL OR project_id = $1)",
    fields={
        "creation_time": Column("creation_time", "time"),
        "update_time": Column("update_time", "time"),
        "hard.storage": Column("storage_limit", "number"),
        "used.storage": Column("storage_used", "number"),
        "hard.artifact": Column("artifact_limit", "number"),
        "used.artifact": Column("artifact_count", "number"),
    },
    order="creation_time DESC",
    tie="project_id DESC",
)


class Quota(NamedTuple):
    """What a project may hold (-1: no limit) and holds, and the per cent of a limit from which pushes are warned."""

    project_id: int
    project: str
    owner: str
    storage_limit: int
    storage_used: int
    artifact_limit: int
    artifact_count: int
    warning: int
    creation_time: datetime
    update_time: datetime


async def reserve(database: Database, project_id: int, digest: Digest, size: int) -> bool:
    """Promise a blob its room, before its body is read. QuotaExceeded where there is none; False where the caller has
    nothing to release: it is charged already, or another who brings it holds the promise."""
    return bool(await fetchval(database, SELECT_RESERVE, project_id, digest, size, KEEP))


async def charged(database: Database, project_id: int, digest: Digest) -> bool:
    """Whether the project pays for the blob, so that one more push of it costs nothing."""
    return await fetchval(database, SELECT_CHARGED, project_id, digest) is not None


async def release(database: Database, project_id: int, digest: Digest) -> None:
    """The bytes did not come."""
    await fetchval(database, SELECT_RELEASE, project_id, digest)


async def find(conn: Connection, project_id: int) -> Quota:
    """The quota of a project, whose id it has; NotFound."""
    row = await conn.fetchrow(SELECT_ONE, project_id)
    if row is None:
        raise NotFound(f"there is no quota {project_id}")
    return Quota(*row)


async def page(conn: Connection, asked: Asked, project_id: int | None) -> tuple[list[Quota], int]:
    """A page of the quotas of all projects, or of one."""
    rows, total = await LIST.page(conn, asked, project_id)
    return [Quota(*row) for row in rows], total


async def change(
    conn: Connection,
    by: Principal,
    project_id: int,
    limits: Mapping[str, int | None],
    where: dict[str, str],
) -> None:
    """Set `storage`, `artifact` (-1: no limit) and `warning`; None leaves one as it is. What is held stays, also above
    a new limit. NotFound."""
    values = [limits.get(name) for name in ("storage", "artifact", "warning")]
    name = await conn.fetchval(SET, project_id, *values)
    if name is None:
        raise NotFound(f"there is no quota {project_id}")
    said = " ".join(f"{key}={value}" for key, value in limits.items() if value is not None)
    await audit.record(conn, by, "update", "quota", f"{name} {said}", project_id=project_id, **where)


def warning(raw: str | None) -> str | None:
    """What `charge_project` warns of, in words."""
    if raw is None:
        return None
    found: dict[str, Any] = json.loads(raw)
    percent = 100 * found["used"] // max(found["limit"], 1)
    return "the project holds {used} of {limit} {what} ({percent} %)".format(**found, percent=percent)
