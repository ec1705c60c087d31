"""Bringing a database to today's schema, and refusing one we do not understand.

schema.sql is always today's schema: a fresh database loads it and is done. migrations/NNNN_name.sql bring an older one
here; the first, 0001, is a copy of schema.sql as first released and is written together with 0002. A migration's head:

    -- compatible from: 3     code that knows only migrations up to 3 may run on the result (default: its own number)
    -- release: 1.2           the first that brings it
    -- no transaction         the file is one statement that cannot run in a transaction and may be run twice
                              (CREATE INDEX CONCURRENTLY IF NOT EXISTS)
"""

import asyncio
import hashlib
import random
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Self

import asyncpg

from . import nodes
from .database import Connection, Database
from .outages import LOST

LEDGER = """
CREATE TABLE schema_migration (
    version int PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    compatible_from int NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE schema_migration IS 'Which migrations made this database what it is; checked at every start';
COMMENT ON COLUMN schema_migration.sha256 IS 'Of the migration''s text: one that was changed after it ran is refused';
COMMENT ON COLUMN schema_migration.compatible_from IS 'The oldest code (by its newest migration) that works with it';
"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('dataforge-registry schema', 0))"
LOCK_LIMITS = "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"
LOCK_WAIT = "SET LOCAL lock_timeout = '500ms'"
LOCK_PATIENCE = 120.0
"""Seconds for which a step is begun again that did not get its locks: a try holds up pushes for its wait at most, and
between two they go on."""
SELECT_NODES_EXIST = "SELECT to_regclass('node') IS NOT NULL"
SELECT_UNFINISHED = """SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relnamespace = current_schema()::regnamespace"""
SELECT_LEDGER_EXISTS = "SELECT to_regclass('schema_migration') IS NOT NULL"
SELECT_LEDGER = "SELECT version, name, sha256, compatible_from FROM schema_migration ORDER BY version"
INSERT_LEDGER = "INSERT INTO schema_migration (version, name, sha256, compatible_from) VALUES ($1, $2, $3, $4)"
SELECT_STRANGER = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  AND NOT EXISTS (SELECT 1 FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname LIMIT 1
"""


class SchemaError(Exception):
    """Why this database cannot be used by this code, in one line that says how to mend it."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema's history."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Of the text, as 64 hex digits."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def compatible_from(self) -> int:
        """The oldest code that works with the result."""
        match = re.search(r"^-- compatible from: (\d+)$", self.sql, re.MULTILINE)
        return int(match[1]) if match else self.version

    @property
    def release(self) -> str:
        """The first release with it; empty: not said."""
        match = re.search(r"^-- release: (\S+)$", self.sql, re.MULTILINE)
        return match[1] if match else ""

    @property
    def transactional(self) -> bool:
        """Whether the step and its mark in the ledger are one transaction."""
        return not re.search(r"^-- no transaction$", self.sql, re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Schema:
    """Today's schema and how older ones get there."""

    sql: str
    migrations: tuple[Migration, ...]

    @classmethod
    def load(cls) -> Self:
        """What this code was built with."""
        package = resources.files(__package__.split(".")[0])
        sql = (package / "schema.sql").read_text(encoding="utf-8")
        folder = package / "core" / "records" / "migrations"
        steps = []
        for file in sorted(folder.iterdir(), key=lambda each: each.name) if folder.is_dir() else ():
            if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name):
                steps.append(Migration(int(match[1]), match[2], file.read_text(encoding="utf-8")))
        return cls(sql, tuple(steps or [Migration(1, "initial", sql)]))

    @property
    def version(self) -> int:
        """The newest migration this code knows."""
        return self.migrations[-1].version


async def plan(db: Database, schema: Schema | None = None) -> list[Migration]:
    """What `migrate` would do: all steps for an empty database, none for one of today. SchemaError as check_schema."""
    async with db.acquire() as conn:
        return await _pending(conn, schema or Schema.load())


async def check_schema(db: Database, schema: Schema | None = None) -> None:
    """Return where this code can work with the database as it is.

    SchemaError: not migrated, too new for this code, a migration changed since it ran, or not a database of ours.
    """
    pending = await plan(db, schema)
    if pending:
        steps = ", ".join(f"{step.version:04}_{step.name}" for step in pending)
        raise SchemaError(f"the database lacks the schema of this version ({steps}): run dfr migrate")


async def migrate(db: Database, schema: Schema | None = None, *, patience: float = LOCK_PATIENCE) -> list[Migration]:
    """Bring the database to today's schema and return the steps taken. Any number of servers may call this at once:
    one works, the others wait and find nothing to do. Each step is a transaction.

    Servers and workers may run meanwhile: a step that their code does not bear is refused, and one that does not get
    its locks within `patience` seconds (a long transaction has them) is given up. SchemaError; also as check_schema.
    """
    schema = schema or Schema.load()
    async with db.direct() as guard, guard.transaction(isolation="read_committed"):
        await guard.execute(LOCK_LIMITS)
        await guard.execute(LOCK)
        async with (
            db.direct() as conn
        ):  # the guard itself reads nothing: a snapshot of its would block the index builds
            pending = await _pending(conn, schema)
            try:
                if len(pending) == len(schema.migrations):
                    await _load(conn, schema)
                else:
                    for step in pending:
                        await _bearable(conn, step)
                        await _apply(conn, step, patience)
            except LOST:
                raise
            except asyncpg.PostgresError as error:
                raise SchemaError(f"the database refuses its schema, nothing is half done: {error}") from error
    return pending


async def _pending(conn: Connection, schema: Schema) -> list[Migration]:
    if not await conn.fetchval(SELECT_LEDGER_EXISTS):
        stranger = await conn.fetchval(SELECT_STRANGER)
        if stranger is not None:
            raise SchemaError(f"the database holds {stranger!r} and is not ours: give the registry an empty database")
        return list(schema.migrations)
    return _compare(await conn.fetch(SELECT_LEDGER), schema)


def _compare(ledger: Sequence[asyncpg.Record], schema: Schema) -> list[Migration]:
    """The steps not taken yet, after a look at those that were."""
    known = {step.version: step for step in schema.migrations}
    for row in ledger:
        step = known.get(row["version"])
        if step is None and row["version"] <= schema.version:
            raise SchemaError(f"the database knows a migration {row['version']:04}_{row['name']} that this code lacks")
        if step is not None and step.sha256 != row["sha256"]:
            raise SchemaError(
                f"migration {step.version:04}_{step.name} is not what made this database: use the release that did, "
                "or a new database"
            )
    needed = max((row["compatible_from"] for row in ledger), default=0)
    if needed > schema.version:
        newest = ledger[-1]["version"]
        raise SchemaError(
            f"the database has schema {newest}, which needs code of schema {needed} or newer, and this is "
            f"{schema.version}: upgrade the registry"
        )
    done = {row["version"] for row in ledger}
    return [step for step in schema.migrations if step.version not in done]


async def _load(conn: Connection, schema: Schema) -> None:
    async with conn.transaction(isolation="read_committed"):
        await conn.execute(LEDGER)
        await conn.execute(schema.sql)
        for step in schema.migrations:
            await _mark(conn, step)


async def _bearable(conn: Connection, step: Migration) -> None:
    """SchemaError where a process runs whose code does not work with the result."""
    if await conn.fetchval(SELECT_NODES_EXIST) and (found := await nodes.older(conn, step.compatible_from)):
        raise SchemaError(
            f"migration {step.version:04}_{step.name} needs code of schema {step.compatible_from} or newer, and "
            f"{found[0]} still runs {found[1]}: upgrade or stop it, then run dfr migrate again"
        )


async def _apply(conn: Connection, step: Migration, patience: float) -> None:
    if not step.transactional:
        for row in await conn.fetch(SELECT_UNFINISHED):  # of a try that was cut off: IF NOT EXISTS would keep it
            if re.search(rf"\b{re.escape(row['relname'])}\b", step.sql):
                await conn.execute(f'DROP INDEX CONCURRENTLY "{row["relname"]}"')
        await conn.execute(step.sql)
        await _mark(conn, step)
        return
    end = time.monotonic() + patience
    while True:
        try:
            async with conn.transaction(isolation="read_committed"):
                await conn.execute(LOCK_WAIT)
                await conn.execute(step.sql)
                await _mark(conn, step)
            return
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if time.monotonic() > end:
                raise SchemaError(
                    f"migration {step.version:04}_{step.name} did not get its locks in {patience:.0f} s, since other "
                    "transactions last too long; nothing is half done: run dfr migrate again"
                ) from error
        await asyncio.sleep(random.uniform(0.5, 1.5))


async def _mark(conn: Connection, step: Migration) -> None:
    await conn.execute(INSERT_LEDGER, step.version, step.name, step.sha256, step.compatible_from)
