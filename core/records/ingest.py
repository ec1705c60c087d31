"""Log files that were pushed as plain artifacts: what became of them stands with the artifact.

`artifact.extra_attrs` -> {"ingest": {"status": "pending|done|failed", "reason": "", "wells": [...], "curves": n}}.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Final, Literal

from ..oci.digest import Digest
from .calls import fetchrow, fetchval
from .database import Database

SELECT_PUSHED = """
SELECT a.repository_name, a.digest, a.manifest, p.name AS project FROM artifact a
JOIN project p ON p.project_id = a.project_id AND NOT p.deleted
WHERE a.id = $1 AND a.deleted_at IS NULL AND a.subject_digest IS NULL
"""
UPDATE_STATUS = """
UPDATE artifact SET extra_attrs = extra_attrs || jsonb_build_object('ingest', $2::jsonb) WHERE id = $1
RETURNING id
"""
SELECT_STATUS = """
SELECT a.extra_attrs -> 'ingest' FROM repository r
JOIN artifact a ON a.repository_id = r.repository_id AND a.digest = $3 AND a.deleted_at IS NULL
WHERE r.project_id = (SELECT project_id FROM project WHERE name = $1 AND NOT deleted) AND r.name = $2
"""

HOT: Final = (SELECT_PUSHED, UPDATE_STATUS, SELECT_STATUS)


@dataclass(frozen=True, slots=True)
class PushedFile:
    """An artifact that may hold log files, attached to nothing."""

    project: str
    repository: str
    digest: Digest
    manifest: bytes


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """reason: of `failed`, a line for each file that was refused. wells: `project/well`; curves: how many in them."""

    status: Literal["pending", "done", "failed"]
    reason: str = ""
    wells: list[str] = field(default_factory=list)
    curves: int = 0


async def pushed_file(database: Database, artifact_id: int) -> PushedFile | None:
    """The artifact; None once it is deleted."""
    row = await fetchrow(database, SELECT_PUSHED, artifact_id)
    if row is None:
        return None
    return PushedFile(row["project"], row["repository_name"], Digest(row["digest"]), bytes(row["manifest"]))


async def set_status(database: Database, artifact_id: int, status: IngestStatus) -> None:
    """What became of it; text that PostgreSQL cannot hold is left out."""
    text = json.dumps(asdict(status)).replace("\\u0000", "")
    await fetchval(database, UPDATE_STATUS, artifact_id, text)


async def status_of(database: Database, repository: str, digest: str) -> IngestStatus | None:
    """Of an artifact, for whoever may pull it; None where it holds no log file, or none was found yet."""
    found = await fetchval(database, SELECT_STATUS, repository.partition("/")[0], repository, digest)
    return None if found is None else IngestStatus(**json.loads(found))
