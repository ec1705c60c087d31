"""Tags and the lists over them."""

from datetime import timedelta

from .artifacts import Actor
from .calls import fetch, fetchval
from .database import Database

SELECT_TAGS = """SELECT name FROM tag WHERE repository_id = $1 AND name > $2 ORDER BY name LIMIT $3"""
SELECT_DELETE = "SELECT tag_delete($1, $2, $3, $4, $5, $6)"

HOT = (SELECT_TAGS,)


async def names(database: Database, repository_id: int, after: str, limit: int) -> list[str]:
    """Tags in byte order, strictly after one."""
    return [row["name"] for row in await fetch(database, SELECT_TAGS, repository_id, after, limit)]


async def delete(database: Database, repository_id: int, name: str, lease: timedelta, actor: Actor) -> None:
    """Remove a tag: ManifestUnknown."""
    await fetchval(database, SELECT_DELETE, repository_id, name, lease, actor.username, actor.address, actor.request_id)
