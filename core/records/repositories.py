"""Repositories: made by their first push, listed for those who may pull them."""

from collections.abc import Sequence
from typing import NamedTuple

from ..access import Principal
from ..oci.names import project_of
from .artifacts import Actor
from .calls import fetch, fetchrows
from .database import Database

SELECT_MAKE = """SELECT q.n, repository_make(q.project, q.name, q.autocreate, q.username, q.address, q.request) AS id
FROM (SELECT * FROM unnest($1::text[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::text[])
  WITH ORDINALITY AS u(project, name, autocreate, username, address, request, n)
  ORDER BY u.name COLLATE "C" OFFSET 0) AS q"""
SELECT_CATALOG = """SELECT r.name FROM repository AS r
JOIN project AS p ON p.project_id = r.project_id AND NOT p.deleted
CROSS JOIN LATERAL rights($1, $2, $3, p.name) AS x
WHERE r.name > $4 AND r.deleted_at IS NULL AND x.valid
  AND (x.admin OR x.public OR cardinality(x.roles) > 0 OR 'repository:pull' = ANY (x.grants))
ORDER BY r.name LIMIT $5"""


class New(NamedTuple):
    """A repository that a push needs. autocreate: its project may be made too."""

    name: str
    autocreate: bool
    actor: Actor


async def make(database: Database, news: Sequence[New]) -> list[int]:
    """The ids of repositories, made if need be, in one transaction; NameUnknown where the project of one is not there
    and may not be made."""
    rows = [
        (project_of(new.name), new.name, new.autocreate, new.actor.username, new.actor.address, new.actor.request_id)
        for new in news
    ]
    found = await fetchrows(database, SELECT_MAKE, *(list(column) for column in zip(*rows, strict=True)))
    return [row["id"] for row in sorted(found, key=lambda row: int(row["n"]))]


async def catalog(database: Database, who: Principal, after: str, limit: int) -> list[str]:
    """Names of the repositories that a principal may pull, in byte order, strictly after one."""
    rows = await fetch(database, SELECT_CATALOG, who.kind, who.id, who.epoch, after, limit)
    return [row["name"] for row in rows]
