"""Tags and the lists over them."""

from datetime import timedelta

from ..oci.errors import NotFound
from .artifacts import Actor
from .calls import fetch, fetchval, refusals
from .database import Connection, Database

SELECT_TAGS = """SELECT name FROM tag WHERE repository_id = $1 AND name > $2 ORDER BY name LIMIT $3"""
LOCK = "SELECT 1 FROM repository WHERE repository_id = $1 FOR NO KEY UPDATE"
SELECT_HAS = "SELECT 1 FROM tag WHERE repository_id = $1 AND name = $2 AND artifact_id = $3"
SELECT_DELETE = "SELECT tag_delete($1, $2, $3, $4, $5, $6)"

HOT = (SELECT_TAGS,)


async def names(database: Database, repository_id: int, after: str, limit: int) -> list[str]:
    """Tags in byte order, strictly after one."""
    return [row["name"] for row in await fetch(database, SELECT_TAGS, repository_id, after, limit)]


async def delete(database: Database, repository_id: int, name: str, lease: timedelta, actor: Actor) -> None:
    """Remove a tag: ManifestUnknown."""
    await fetchval(database, SELECT_DELETE, repository_id, name, lease, actor.username, actor.address, actor.request_id)


async def take(
    database: Database, repository_id: int, artifact_id: int, name: str, lease: timedelta, actor: Actor
) -> None:
    """Remove a tag from the artifact that has it; NotFound where that has it no more."""

    async def work(conn: Connection) -> None:
        await conn.execute(LOCK, repository_id)  # tags move under it alone
        if await conn.fetchval(SELECT_HAS, repository_id, name, artifact_id) is None:
            raise NotFound("the artifact has no such tag")
        who = (actor.username, actor.address, actor.request_id)
        await conn.execute(SELECT_DELETE, repository_id, name, lease, *who)

    with refusals():
        await database.run(work)
