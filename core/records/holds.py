"""Legal holds: rows here, held by the triggers of schema.sql section 7 against whoever deletes."""

from datetime import datetime
from typing import Final, NamedTuple

from ..access import Principal
from ..oci.errors import Conflict, NotFound
from . import audit
from .database import Connection

FIND = """SELECT r.repository_id, a.id FROM repository r
LEFT JOIN artifact a ON a.repository_id = r.repository_id AND a.digest = $3 AND a.deleted_at IS NULL
WHERE r.project_id = $1 AND r.name = $2"""
INSERT = """INSERT INTO hold (project_id, repository_id, artifact_id, reason, username) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (project_id, repository_id, artifact_id) DO NOTHING RETURNING id"""
LOCK = "SELECT 1 FROM artifact WHERE id = $1 AND deleted_at IS NULL FOR UPDATE"
SELECT = """SELECT h.id, r.name, a.digest, h.reason, h.username, h.creation_time FROM hold h
LEFT JOIN repository r ON r.repository_id = h.repository_id LEFT JOIN artifact a ON a.id = h.artifact_id
WHERE h.project_id = $1 AND h.id > $2 ORDER BY h.id LIMIT $3"""
DELETE = "DELETE FROM hold WHERE id = $1 AND project_id = $2 RETURNING repository_id, artifact_id"
AGAIN = """INSERT INTO gc_review (kind, target, review_after) SELECT 'artifact', id, clock_timestamp() FROM artifact
WHERE project_id = $1 AND deleted_at IS NOT NULL AND ($2::bigint IS NULL OR repository_id = $2)
  AND ($3::bigint IS NULL OR id = $3)"""

HOT: Final = (LOCK,)


class Hold(NamedTuple):
    """A hold on an artifact, on a repository (digest None), or on the project (repository None too)."""

    id: int
    repository: str | None
    digest: str | None
    reason: str
    username: str
    creation_time: datetime


async def place(
    conn: Connection,
    by: Principal,
    project_id: int,
    repository: str | None,
    digest: str | None,
    reason: str,
    where: dict[str, str],
) -> int:
    """Hold an artifact, a repository or the project; the hold's id. NotFound where there is no such thing, Conflict
    where it is held."""
    repository_id = artifact_id = None
    if repository is not None:
        row = await conn.fetchrow(FIND, project_id, repository, digest)
        if row is None or (digest is not None and row[1] is None):
            raise NotFound(f"the project has no {repository}{f'@{digest}' if digest else ''}")
        repository_id, artifact_id = row
        # a deletion under way comes first, or not at all
        if artifact_id is not None and await conn.fetchval(LOCK, artifact_id) is None:
            raise NotFound(f"{repository}@{digest} was deleted just now")
    found: int | None = await conn.fetchval(INSERT, project_id, repository_id, artifact_id, reason, by.name)
    if found is None:
        raise Conflict("a hold is on it already")
    said = f"hold {found} on {repository or 'the project'}{f'@{digest}' if digest else ''}"
    await audit.record(conn, by, "create", "hold", said, project_id=project_id, **where)
    return found


async def page(conn: Connection, project_id: int, after: int, limit: int) -> list[Hold]:
    """The holds of a project behind an id."""
    return [Hold(*row) for row in await conn.fetch(SELECT, project_id, after, limit)]


async def lift(conn: Connection, by: Principal, project_id: int, hold_id: int, where: dict[str, str]) -> None:
    """Let go: what was deleted before it was held goes on its way. NotFound."""
    row = await conn.fetchrow(DELETE, hold_id, project_id)
    if row is None:
        raise NotFound(f"the project has no hold {hold_id}")
    await conn.execute(AGAIN, project_id, *row)
    await audit.record(conn, by, "delete", "hold", f"hold {hold_id}", project_id=project_id, **where)
