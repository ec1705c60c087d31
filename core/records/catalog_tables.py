"""Tables that a project extends: which family a mnemonic is of, how a unit is spelt. They count for what is pushed from
then on, and for all with `dfr reindex`."""

from collections.abc import Sequence
from typing import Any

import asyncpg

from ..access import Principal
from ..curves.names import normal
from . import audit
from .database import Database

SELECT_MNEMONICS = """SELECT mnemonic_norm AS mnemonic, service_company, family, priority, project_id IS NOT NULL AS own
FROM mnemonic_alias WHERE project_id = $1 OR project_id IS NULL
ORDER BY project_id NULLS LAST, mnemonic_norm, service_company LIMIT $2"""
SELECT_UNITS = """SELECT spelling, family, unit_canonical AS unit, factor, offset_, project_id IS NOT NULL AS own
FROM unit_alias WHERE project_id = $1 OR project_id IS NULL ORDER BY project_id NULLS LAST, spelling, family LIMIT $2"""
DELETE_MNEMONICS = "DELETE FROM mnemonic_alias WHERE project_id = $1"
DELETE_UNITS = "DELETE FROM unit_alias WHERE project_id = $1"
INSERT_MNEMONIC = """INSERT INTO mnemonic_alias (project_id, mnemonic_norm, service_company, family, priority)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (project_id, mnemonic_norm, service_company)
DO UPDATE SET family = excluded.family, priority = excluded.priority"""
INSERT_UNIT = """INSERT INTO unit_alias (project_id, spelling, family, unit_canonical, factor, offset_)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (project_id, spelling, family)
DO UPDATE SET unit_canonical = excluded.unit_canonical, factor = excluded.factor, offset_ = excluded.offset_"""
LOCK = "SELECT 1 FROM project WHERE project_id = $1 FOR NO KEY UPDATE"
MOST = 5000


async def mnemonics(database: Database, project_id: int) -> list[asyncpg.Record]:
    """The project's own rows, then those for all."""
    async with database.acquire() as conn:
        return await conn.fetch(SELECT_MNEMONICS, project_id, 2 * MOST)


async def units(database: Database, project_id: int) -> list[asyncpg.Record]:
    """As `mnemonics`."""
    async with database.acquire() as conn:
        return await conn.fetch(SELECT_UNITS, project_id, 2 * MOST)


async def put_mnemonics(
    database: Database, by: Principal, project_id: int, rows: Sequence[tuple[str, str | None, str, int]], **caller: str
) -> None:
    """The project's own rows from now on: mnemonic, service company, family, priority."""
    folded = [(project_id, normal(mnemonic), *rest) for mnemonic, *rest in rows]
    await _put(database, by, project_id, "mnemonics", DELETE_MNEMONICS, INSERT_MNEMONIC, folded, **caller)


async def put_units(
    database: Database,
    by: Principal,
    project_id: int,
    rows: Sequence[tuple[str, str | None, str, float, float]],
    **caller: str,
) -> None:
    """The project's own rows from now on: spelling, family, unit, factor, offset."""
    await _put(
        database, by, project_id, "units", DELETE_UNITS, INSERT_UNIT, [(project_id, *row) for row in rows], **caller
    )


async def _put(
    database: Database,
    by: Principal,
    project_id: int,
    what: str,
    delete: str,
    insert: str,
    rows: Sequence[tuple[Any, ...]],
    **caller: str,
) -> None:
    async with database.transaction() as conn:
        await conn.execute(LOCK, project_id)
        await conn.execute(delete, project_id)
        await conn.executemany(insert, rows)
        await audit.record(conn, by, "update", what, str(len(rows)), project_id=project_id, **caller)
