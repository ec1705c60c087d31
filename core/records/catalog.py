"""What questions to the catalogue have in common: whose curves one may see, the row of a curve version, asking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from ..access import Action, Principal
from ..oci.errors import ScopeInsufficient
from .database import Database

READABLE = """readable AS MATERIALIZED (
  SELECT p.project_id, p.name FROM project p CROSS JOIN LATERAL rights($1, $2, $3, p.name) AS x
  WHERE NOT p.deleted AND ($4::text IS NULL OR p.name = $4)
    AND x.valid AND (x.admin OR x.public OR cardinality(x.roles) > 0))"""
"""The projects a principal ($1 kind, $2 id, $3 epoch) may pull from: all, or the one named $4."""

ENTRY = """r.name AS ref, w.name AS well, w.uwi, c.frame, c.mnemonic, v.id, v.version, a.digest,
  ARRAY(SELECT t.name FROM tag t WHERE t.artifact_id = v.id ORDER BY t.name LIMIT 50) AS tags,
  v.description, v.family, v.unit, v.unit_canonical, v.dtype, v.width, v.samples,
  v.index_kind, v.index_unit, v.first_index, v.last_index, v.step, v.null_fraction, v.vmin, v.vmax, v.vmean, v.p50,
  encode(v.values_id, 'hex') AS values_id, encode(v.index_id, 'hex') AS index_id, v.wellbore, v.run, v.service_company,
  v.acquired, v.created, v.pushed, v.author, v.operation, v.message, v.verdict, v.findings::text AS findings,
  v.qc_severity"""
JOINED = """JOIN curve_version v ON v.id = q.version_id JOIN curve c ON c.id = v.curve_id
JOIN well w ON w.id = c.well_id JOIN repository r ON r.repository_id = c.id JOIN artifact a ON a.id = v.id"""
"""A version's row, of q.version_id."""

PATIENCE = 10.0
"""Seconds a question may take: it is a person's, or a page's."""


@dataclass(frozen=True)
class Asker:
    """Who asks, and of which project (None: of all that they may pull from)."""

    principal: Principal
    project: str | None = None

    @property
    def arguments(self) -> list[Any]:
        """$1 to $4 of READABLE. ScopeInsufficient where the credential covers no pulls."""
        who = self.principal
        if who.ceiling is not None and Action.PULL not in who.ceiling:
            raise ScopeInsufficient("the credential does not cover pull; ask for it in the scope")
        return [who.kind, who.id, who.epoch, self.project]


async def ask(database: Database, statement: str, arguments: Sequence[Any]) -> list[asyncpg.Record]:
    """The rows of a question whose conditions are the caller's."""
    return await database.ask(statement, *arguments, patience=PATIENCE)
