"""Repositories: made by their first push, listed for those who may pull them."""

from ..access import Principal
from ..oci.names import project_of
from .artifacts import Actor
from .calls import fetch, fetchval
from .database import Database

SELECT_MAKE = "SELECT repository_make($1, $2, $3, $4, $5, $6)"
SELECT_CATALOG = """SELECT r.name FROM repository AS r
JOIN project AS p ON p.project_id = r.project_id AND NOT p.deleted
CROSS JOIN LATERAL rights($1, $2, $3, p.name) AS x
WHERE r.name > $4 AND x.valid
  AND (x.admin OR x.public OR cardinality(x.roles) > 0 OR 'repository:pull' = ANY (x.grants))
ORDER BY r.name LIMIT $5"""


async def make(database: Database, name: str, autocreate: bool, actor: Actor) -> int:
    """The id of a repository, made if need be; NameUnknown where its project is not there and may not be made."""
    return int(
        await fetchval(
            database,
            SELECT_MAKE,
            project_of(name),
            name,
            autocreate,
            actor.username,
            actor.address,
            actor.request_id,
        )
    )


async def catalog(database: Database, who: Principal, after: str, limit: int) -> list[str]:
    """Names of the repositories that a principal may pull, in byte order, strictly after one."""
    rows = await fetch(database, SELECT_CATALOG, who.kind, who.id, who.epoch, after, limit)
    return [row["name"] for row in rows]
