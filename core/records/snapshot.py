"""All records of one moment as files, and back into an empty database: COPY of each table in one transaction.

Left out is what means nothing elsewhere or later: the queue (its tasks are there), unfinished uploads, sessions, the
processes that run.
An event's transaction number is given anew, since a new database counts from its own beginning; so is nothing else.
"""

from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

from .database import Connection

LEFT_OUT: Final = (
    *("schema_migration", "pgqueuer", "pgqueuer_log", "pgqueuer_schedules", "pgqueuer_statistics"),
    *("upload", "upload_staging", "session", "login_failure", "node"),
)
TABLES = """
SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname <> ALL ($1::text[]) AND NOT (c.relname = 'event' AND a.attname = 'xid')
GROUP BY 1 ORDER BY 1"""
REFERENCES = """
SELECT f.relname AS name, t.relname AS needs FROM pg_constraint k
JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
WHERE k.contype = 'f' AND k.conrelid <> k.confrelid"""
SEQUENCES = """
SELECT sequencename::text AS name, last_value FROM pg_sequences
WHERE schemaname = current_schema() AND last_value IS NOT NULL AND sequencename NOT LIKE 'pgqueuer%'"""
BLOBS = """
SELECT digest, size, generation, key, content IS NOT NULL AS inline FROM artifact_blob WHERE state = 'live'
ORDER BY digest"""
NOW = "SELECT now()"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a snapshot."""

    name: str
    columns: list[str]
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A blob that the records promise."""

    digest: str
    size: int
    generation: int
    key: str | None
    inline: bool


async def tables(conn: Connection) -> list[Table]:
    """Those of a snapshot, each behind what it refers to."""
    known = {row["name"]: Table(row["name"], list(row["columns"])) for row in await conn.fetch(TABLES, LEFT_OUT)}
    order: TopologicalSorter[str] = TopologicalSorter({name: () for name in known})
    for row in await conn.fetch(REFERENCES):
        if row["name"] in known and row["needs"] in known:
            order.add(row["name"], row["needs"])
    return [known[name] for name in order.static_order()]


async def write(conn: Connection, folder: Path) -> list[Table]:
    """Each table to `folder/NAME.copy`; call it in a REPEATABLE READ transaction."""
    written = []
    for table in await tables(conn):
        columns = ", ".join(f'"{column}"' for column in table.columns)
        done = await conn.copy_from_query(f"SELECT {columns} FROM {table.name}", output=folder / f"{table.name}.copy")
        written.append(Table(table.name, table.columns, int(done.split()[-1])))
    return written


async def fill(conn: Connection, folder: Path, given: list[Table]) -> str | None:
    """The same rows into empty tables, in the caller's transaction; what is in the way, None: nothing."""
    here = {table.name: table for table in await tables(conn)}
    for table in given:
        if table.name not in here or not set(table.columns) <= set(here[table.name].columns):
            return f"the backup's table {table.name} is not one of this version"
        if await conn.fetchval(f"SELECT 1 FROM {table.name} LIMIT 1"):
            return f"the database is not empty: there are rows in {table.name}"
    given_by_name = {table.name: table for table in given}
    for name in (name for name in here if name in given_by_name):
        table = given_by_name[name]
        done = await conn.copy_to_table(name, source=folder / f"{name}.copy", columns=table.columns)
        if int(done.split()[-1]) != table.rows:
            return f"{name}.copy has {done.split()[-1]} rows, not {table.rows}"
    return None


async def sequences(conn: Connection) -> dict[str, int]:
    """The last numbers given."""
    return {row["name"]: row["last_value"] for row in await conn.fetch(SEQUENCES)}


async def set_sequences(conn: Connection, values: dict[str, int]) -> None:
    """Go on behind them."""
    for name, value in values.items():
        await conn.execute("SELECT setval($1::text::regclass, $2)", name, value)


async def held(conn: Connection) -> list[Held]:
    """Every blob that is promised, by digest."""
    return [Held(*row) for row in await conn.fetch(BLOBS)]


async def now(conn: Connection) -> datetime:
    """The moment of the transaction."""
    found: datetime = await conn.fetchval(NOW)
    return found
