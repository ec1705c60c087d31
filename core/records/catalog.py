"""What questions to the catalogue have in common: whose curves one may see, the row of a curve version, asking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from ..access import Action, Principal
from ..oci.errors import ScopeInsufficient
from .database import Database

MAY_PULL = "x.valid AND (x.admin OR x.public OR cardinality(x.roles) > 0 OR 'repository:pull' = ANY (x.grants))"
HOME = f"""home AS MATERIALIZED (
  SELECT x.project_id FROM rights($1, $2, $3, $4::text) AS x WHERE x.project_id IS NOT NULL AND {MAY_PULL})"""
"""The project named $4, if a principal ($1 kind, $2 id, $3 epoch) may pull from it."""

SELECT_HOME = f"WITH {HOME} SELECT project_id FROM home"
SELECT_READABLE = f"""SELECT p.project_id FROM project p CROSS JOIN LATERAL rights($1, $2, $3, p.name) AS x
WHERE NOT p.deleted AND {MAY_PULL}"""
"""All projects that a principal may pull from."""

ENTRY = """r.name AS ref, w.name AS well, w.uwi, c.frame, c.mnemonic, v.id, v.version, a.digest,
  ARRAY(SELECT t.name FROM tag t WHERE t.artifact_id = v.id ORDER BY t.name LIMIT 50) AS tags,
  v.description, v.family, v.unit, v.unit_canonical, v.dtype, v.width, v.samples,
  v.index_kind, v.index_unit, v.first_index, v.last_index, v.step, v.null_fraction, v.vmin, v.vmax, v.vmean, v.p50,
  encode(v.values_id, 'hex') AS values_id, encode(v.index_id, 'hex') AS index_id, v.wellbore, v.run, v.service_company,
  v.acquired, v.created, v.pushed, v.author, v.operation, v.message, v.verdict, v.findings::text AS findings,
  v.qc_severity, v.changed, v.deleted_at"""
JOINED = """JOIN curve_version v ON v.id = q.version_id JOIN curve c ON c.id = v.curve_id
JOIN well w ON w.id = c.well_id JOIN repository r ON r.repository_id = c.id JOIN artifact a ON a.id = v.id"""
"""A version's row, of q.version_id."""
SELECT_ENTRIES = f"""SELECT {ENTRY}, q.sorted, q.key
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) WITH ORDINALITY AS q(version_id, sorted, key, n) {JOINED}
ORDER BY q.n"""

HOT = (SELECT_HOME, SELECT_ENTRIES)

PATIENCE = 10.0
"""Seconds a question may take: it is a person's, or a page's."""


@dataclass(frozen=True)
class Asker:
    """Who asks, and of which project (None: of all that they may pull from)."""

    principal: Principal
    project: str | None = None

    @property
    def arguments(self) -> list[Any]:
        """$1 to $4 of HOME. ScopeInsufficient where the credential covers no pulls."""
        who = self.principal
        if who.ceiling is not None and Action.PULL not in who.ceiling:
            raise ScopeInsufficient("the credential does not cover pull; ask for it in the scope")
        return [who.kind, who.id, who.epoch, self.project]


async def ask(
    database: Database, asker: Asker, question: str, arguments: Sequence[Any], *, behind: bool = False
) -> list[asyncpg.Record]:
    """The rows of a question whose conditions are the caller's; its $1 are the projects that the asker may pull from
    now, so the planner knows them, and need not plan how rights come about. `behind`: a replica may be asked the
    question, but never of the rights, which are the primary's of this moment (P30)."""
    who = asker.arguments
    async with database.acquire() as conn:
        rows = await (conn.fetch(SELECT_READABLE, *who[:3]) if asker.project is None else conn.fetch(SELECT_HOME, *who))
    projects = [row["project_id"] for row in rows]
    return await database.ask(question, projects, *arguments, patience=PATIENCE, behind=behind) if projects else []


async def entries(
    database: Database, asker: Asker, question: str, arguments: Sequence[Any], *, behind: bool = False
) -> list[asyncpg.Record]:
    """The versions that a question finds (its columns: version_id, sorted, key), each as ENTRY says."""
    columns = ("version_id", "sorted", "key")
    return await shown(database, asker, question, arguments, SELECT_ENTRIES, columns, behind=behind)


async def shown(
    database: Database,
    asker: Asker,
    question: str,
    arguments: Sequence[Any],
    rows_of: str,
    columns: Sequence[str],
    *,
    behind: bool = False,
) -> list[asyncpg.Record]:
    """What a question finds, each as one row of the statement `rows_of`, whose arguments are columns of what was found.
    Apart, since only the question must be planned for its conditions. The rows are always the primary's."""
    while found := await ask(database, asker, question, arguments, behind=behind):
        async with database.acquire() as conn:
            rows = await conn.fetch(rows_of, *([row[name] for row in found] for name in columns))
        if len(rows) == len(found):  # else one was purged in between: a short page would look like the last one
            return rows
        behind = False  # a replica would find it again
    return []
