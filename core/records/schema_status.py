"""Where a database stands on the way to this code's schema, step by step; nothing is changed."""

from dataclasses import dataclass
from datetime import datetime

from . import nodes
from .database import Database
from .schema import SELECT_LEDGER_EXISTS, Schema, plan

SELECT_TAKEN = "SELECT version, name, compatible_from, applied_at FROM schema_migration ORDER BY version"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way. kind: `expand`, all code that worked before it goes on after it; `contract`, some does not;
    `first`, there is nothing before it. compatible_from: the oldest code, by the newest step it knows, that works with
    the result; release: the one that brought it, empty where this code does not know it; applied: when, None: it is
    pending; hindered: a process that runs and does not bear it."""

    version: int
    name: str
    kind: str
    compatible_from: int
    release: str
    applied: datetime | None = None
    hindered: str = ""


async def status(database: Database, schema: Schema | None = None) -> list[Step]:
    """All steps, those that this code does not know included. SchemaError as check_schema, but for what is pending."""
    schema = schema or Schema.load()
    pending = await plan(database, schema)
    releases = {step.version: step.release for step in schema.migrations}
    found: list[Step] = []
    bears = 0
    async with database.acquire() as conn:
        ledger = await conn.fetch(SELECT_TAKEN) if await conn.fetchval(SELECT_LEDGER_EXISTS) else []
        ways = [(row["version"], row["name"], row["compatible_from"], row["applied_at"]) for row in ledger]
        for version, name, since, applied in ways + [(p.version, p.name, p.compatible_from, None) for p in pending]:
            kind = "first" if version == 1 else "contract" if since > bears else "expand"
            bears = max(bears, since)
            older = await nodes.older(conn, since) if ledger and applied is None else None
            hindered = f"{older[0]} runs code of schema {older[1]}" if older else ""
            found.append(Step(version, name, kind, since, releases.get(version, ""), applied, hindered))
    return found
