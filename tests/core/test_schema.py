"""schema.sql, the way there from an older database, and every SQL statement of the code held against it."""

import asyncio
import importlib
import json
import pkgutil
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from dataforge_registry.core import records, work
from dataforge_registry.core.records import nodes
from dataforge_registry.core.records.binaries import find_binaries
from dataforge_registry.core.records.database import Connection, Database
from dataforge_registry.core.records.schema import Migration, Schema, SchemaError, check_schema, migrate, plan

FIRST = Migration(1, "initial", "CREATE TABLE well (id int PRIMARY KEY);\n")
SECOND = Migration(2, "curve", "-- compatible from: 1\nCREATE TABLE curve (id int PRIMARY KEY, well int);\n")
THIRD = Migration(
    3, "index", "-- no transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS curve_well ON curve (well);\n"
)
RELEASED = Schema(FIRST.sql, (FIRST,))
BETWEEN = Schema(FIRST.sql + SECOND.sql, (FIRST, SECOND))
TODAY = Schema(f"{FIRST.sql}{SECOND.sql}CREATE INDEX curve_well ON curve (well);", (FIRST, SECOND, THIRD))


def statements() -> Iterator[tuple[str, str]]:
    """Every UPPER_CASE statement of core/records and core/work, named module.NAME; _FRAGMENTS are not statements."""
    for package in (records, work):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                if re.fullmatch(r"[A-Z][A-Z0-9_]*", name) and isinstance(value, str) and re.match(VERB, value):
                    yield f"{module.name.removeprefix('dataforge_registry.core.')}.{name}", value


def hot() -> Iterator[tuple[str, str]]:
    """The statements that modules of core/records and core/work list in their HOT tuples."""
    for package in (records, work):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for statement in getattr(importlib.import_module(module.name), "HOT", ()):
                yield next(name for name, text in STATEMENTS.items() if text == statement), statement


VERB = r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|MERGE)\b"
STATEMENTS = dict(statements())
HOT = dict(hot())


@pytest_asyncio.fixture(loop_scope="session")
async def empty(empty_database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(empty_database_url, size=2)
    yield database
    await database.close()


def dump(url: str) -> str:
    """The schema as pg_dump writes it, without its random lines."""
    program = max(find_binaries(), key=lambda each: each.major).program("pg_dump")
    answer = subprocess.run([program, "-s", "-O", "-d", url], capture_output=True, text=True, check=True)
    return "\n".join(line for line in answer.stdout.splitlines() if not re.match(r"\\(un)?restrict ", line))


def scans(node: dict[str, Any], limited: bool = False) -> Iterator[str]:
    """What of a plan reads a whole table: a Seq Scan, or an index without condition (but for a list's first page)."""
    limited = limited or node["Node Type"] == "Limit"
    if node["Node Type"] == "Seq Scan":
        yield f"Seq Scan on {node['Relation Name']}"
    if node["Node Type"] in ("Index Scan", "Index Only Scan") and "Index Cond" not in node and not limited:
        yield f"all of {node['Index Name']}"
    for child in node.get("Plans", ()):
        yield from scans(child, limited)


async def explain(conn: Connection, statement: str) -> dict[str, Any]:
    """The plan for whatever arguments, with sequential scans at a prohibitive price: one is left only where no index
    fits. (EXPLAIN (GENERIC_PLAN) would do from 16 on.)"""
    parameters = len((await conn.prepare(statement)).get_parameters())
    arguments = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
    async with conn.transaction():
        await conn.execute("SET LOCAL plan_cache_mode = force_generic_plan; SET LOCAL enable_seqscan = off")
        await conn.execute(f"PREPARE hot AS {statement}")
        answer = await conn.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE hot{arguments}")
        await conn.execute("DEALLOCATE hot")
    plan: dict[str, Any] = json.loads(answer)[0]["Plan"]
    return plan


@pytest.mark.asyncio
async def test_every_statement_prepares(database: Database) -> None:
    assert STATEMENTS
    wrong = {}
    async with database.acquire() as conn:
        for name, statement in STATEMENTS.items():
            try:
                await conn.prepare(statement)
            except asyncpg.PostgresError as error:
                wrong[name] = str(error)
    assert not wrong


@pytest.mark.asyncio
async def test_every_hot_statement_uses_an_index(database: Database) -> None:
    assert HOT
    wrong = {}
    async with database.acquire() as conn:
        for name, statement in HOT.items():
            if whole := list(scans(await explain(conn, statement))):
                wrong[name] = whole
    assert not wrong


@pytest.mark.asyncio
async def test_the_index_test_sees_what_has_none(database: Database) -> None:
    async with database.acquire() as conn:
        await conn.execute("CREATE TABLE t (id int PRIMARY KEY, n int)")
        assert list(scans(await explain(conn, "SELECT n FROM t WHERE n = $1"))) == ["Seq Scan on t"]
        assert list(scans(await explain(conn, "SELECT n FROM t WHERE id = $1"))) == []
        assert list(scans(await explain(conn, "SELECT n FROM t ORDER BY id LIMIT 1"))) == []
        assert list(scans(await explain(conn, "SELECT n FROM t WHERE n = $1 ORDER BY id"))) != []


@pytest.mark.asyncio
async def test_every_table_says_what_it_is(database: Database) -> None:
    async with database.acquire() as conn:
        bare = await conn.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') "
            "AND NOT relispartition AND coalesce(obj_description(oid, 'pg_class'), '') = ''"
        )
    assert [row["relname"] for row in bare] == []


NAMED = {
    "project": "project_id owner_id owner_name name creation_time update_time deleted metadata storage_limit"
    " storage_used",
    "repository": "repository_id name project_id description pull_count star_count creation_time update_time",
    "artifact": "id type media_type manifest_media_type project_id repository_id repository_name digest size push_time"
    " pull_time extra_attrs annotations",
    "tag": "id repository_id artifact_id name push_time pull_time",
    "artifact_blob": "id digest size content_type creation_time",
    "artifact_blob_ref": "digest blob_digest",
    "access_log": "log_id username project_id repo_name repo_tag operation op_time",
    "retention_policy": "id project_id name rules trigger enabled",
    "project_member": "id project_id entity_id entity_type role_id creation_time",
    "artifact_accessory": "id artifact_id subject_artifact_id digest subject_artifact_digest type size creation_time",
    "replication_policy": "id name description src_registry_id dest_registry_id dest_namespace trigger filters enabled",
    "replication_execution": "id policy_id status trigger start_time end_time",
    "replication_task": "id execution_id resource_type src_resource dst_resource operation status start_time end_time",
}
"""The names that users know from the model: they stay, whatever is added."""


@pytest.mark.asyncio
async def test_tables_have_the_columns_that_users_know(database: Database) -> None:
    async with database.acquire() as conn:
        rows = await conn.fetch("SELECT table_name, column_name FROM information_schema.columns")
    there = {(row["table_name"], row["column_name"]) for row in rows}
    assert [(table, name) for table in NAMED for name in NAMED[table].split() if (table, name) not in there] == []


@pytest.mark.asyncio
async def test_migrated_and_fresh_are_the_same(databases: Any) -> None:
    """From the first release through all migrations, and from schema.sql: one dump. Also for the made-up history
    below, so that the comparison is tried before there is a second migration."""
    for schema in (Schema.load(), TODAY):
        names = [await databases.create("template0") for _ in range(2)]
        base = schema.migrations[0]
        for name, steps in zip(names, ([Schema(base.sql, (base,)), schema], [schema]), strict=True):
            database = await Database.open(databases.url(name), size=1)
            for step in steps:
                await migrate(database, step)
            await database.close()
        old, fresh = (dump(databases.url(name)) for name in names)
        assert "CREATE TABLE public.schema_migration" in fresh
        assert old == fresh
        for name in names:
            await databases.drop(name)


def test_migrations_are_numbered_without_gaps() -> None:
    versions = [step.version for step in Schema.load().migrations]
    assert versions == list(range(1, len(versions) + 1))


@pytest.mark.asyncio
async def test_migrating_takes_each_step_once(empty: Database) -> None:
    assert await plan(empty, RELEASED) == [FIRST]
    with pytest.raises(SchemaError, match=r"lacks .*0001_initial.*run dfr migrate"):
        await check_schema(empty, RELEASED)
    assert await migrate(empty, RELEASED) == [FIRST]
    assert await plan(empty, TODAY) == [SECOND, THIRD]
    with pytest.raises(SchemaError, match=r"lacks .*0002_curve, 0003_index.*run dfr migrate"):
        await check_schema(empty, TODAY)
    assert await migrate(empty, TODAY) == [SECOND, THIRD]
    assert await migrate(empty, TODAY) == []
    await check_schema(empty, TODAY)


@pytest.mark.asyncio
async def test_many_servers_starting_migrate_once(empty: Database) -> None:
    done = await asyncio.gather(*(migrate(empty, TODAY) for _ in range(5)))
    assert sorted(map(len, done)) == [0, 0, 0, 0, 3]
    await check_schema(empty, TODAY)


@pytest.mark.asyncio
async def test_older_code_works_with_what_says_so_and_refuses_the_rest(empty: Database) -> None:
    await migrate(empty, BETWEEN)
    await check_schema(empty, RELEASED)
    assert await migrate(empty, RELEASED) == []
    await migrate(empty, TODAY)
    for older in (RELEASED, BETWEEN):
        with pytest.raises(
            SchemaError, match=rf"has schema 3, which needs code of schema 3 .* {older.version}: upgrade"
        ):
            await migrate(empty, older)


@pytest.mark.asyncio
async def test_a_migration_changed_after_it_ran_is_refused(empty: Database) -> None:
    await migrate(empty, BETWEEN)
    changed = replace(SECOND, sql=SECOND.sql + "-- later thought\n")
    with pytest.raises(SchemaError, match="migration 0002_curve is not what made this database"):
        await check_schema(empty, Schema(BETWEEN.sql, (FIRST, changed)))


@pytest.mark.asyncio
async def test_a_migration_this_code_lacks_is_refused(empty: Database) -> None:
    await migrate(empty, TODAY)
    with pytest.raises(SchemaError, match="knows a migration 0002_curve that this code lacks"):
        await check_schema(empty, Schema(TODAY.sql, (FIRST, THIRD)))


@pytest.mark.asyncio
@pytest.mark.parametrize("object", ["TABLE stranger ()", "VIEW stranger AS SELECT 1", "SEQUENCE stranger"])
async def test_a_database_of_somebody_else_is_refused(empty: Database, object: str) -> None:
    async with empty.acquire() as conn:
        await conn.execute(f"CREATE {object}")
    with pytest.raises(SchemaError, match="holds 'stranger' and is not ours: give the registry an empty database"):
        await migrate(empty)
    async with empty.acquire() as conn:
        assert await conn.fetchval("SELECT to_regclass('schema_migration')") is None


@pytest.mark.asyncio
async def test_a_step_that_fails_leaves_nothing_half_done(empty: Database) -> None:
    await migrate(empty, RELEASED)
    broken = Schema(
        "", (FIRST, SECOND, Migration(3, "broken", "CREATE TABLE half (); SELECT no_such_column FROM well"))
    )
    with pytest.raises(SchemaError, match=r"nothing is half done: column .*no_such_column"):
        await migrate(empty, broken)
    async with empty.acquire() as conn:
        assert await conn.fetchval("SELECT to_regclass('half')") is None
    assert await plan(empty, TODAY) == [THIRD]


@pytest.mark.asyncio
async def test_a_role_without_rights_is_one_line(empty_database_url: str, databases: Any) -> None:
    admin = await asyncpg.connect(empty_database_url)
    name = await admin.fetchval("SELECT current_database()")
    role = f"{name}_weak"
    await admin.execute(f"CREATE ROLE {role}; ALTER ROLE CURRENT_USER IN DATABASE {name} SET role = {role}")
    try:
        weak = await Database.open(empty_database_url, size=1)
        with pytest.raises(SchemaError, match="permission denied for schema public"):
            await migrate(weak)
        await weak.close()
    finally:
        await admin.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {name} RESET role; DROP ROLE {role}")
        await admin.close()


@pytest.mark.asyncio
async def test_what_a_running_process_does_not_bear_waits_for_its_end(database: Database) -> None:
    today = Schema.load()
    now = today.version
    expand = Migration(now + 1, "expand", f"-- compatible from: {now}\nALTER TABLE project ADD COLUMN made_up text;")
    contract = Migration(
        now + 2, "contract", f"-- compatible from: {now + 1}\nALTER TABLE project DROP COLUMN made_up;"
    )
    coming = Schema("", (*today.migrations, expand, contract))
    old, new = (nodes.Node(uuid4(), f"host:{version}", version, serves=version > now) for version in (now, now + 1))
    for node in (old, new):
        await database.run(lambda conn, node=node: nodes.beat(conn, node))  # type: ignore[misc]
    with pytest.raises(SchemaError, match=rf"_contract needs code of schema {now + 1} or newer, and host:{now} still"):
        await migrate(database, coming)
    await check_schema(database)
    assert await plan(database, coming) == [contract]
    async with database.acquire() as conn:
        await nodes.leave(conn, old)
    assert await migrate(database, coming) == [contract]
    with pytest.raises(SchemaError, match="upgrade the registry"):
        await check_schema(database)


async def until_somebody_waits(conn: Connection) -> None:
    for _ in range(6000):
        if await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation IS NOT NULL"):
            return
        await asyncio.sleep(0.01)
    pytest.fail("nobody came to wait")


@pytest.mark.asyncio
async def test_a_step_that_waits_for_a_long_transaction_holds_nobody_up(empty: Database) -> None:
    """An ALTER TABLE that waits makes all wait who come behind it: it lets go, and tries again."""
    await migrate(empty, RELEASED)
    step = Migration(2, "wide", "-- compatible from: 1\nALTER TABLE well ADD COLUMN n int;")
    schema = Schema("", (FIRST, step))
    async with empty.direct() as long, empty.direct() as short:
        transaction = long.transaction()
        await transaction.start()
        await long.fetch("SELECT FROM well")
        with pytest.raises(SchemaError, match=r"0002_wide did not get its locks in 0 s, .* nothing is half done"):
            await migrate(empty, schema, patience=0)
        assert await plan(empty, schema) == [step]
        migrating = asyncio.create_task(migrate(empty, schema))
        await until_somebody_waits(short)
        await short.execute("INSERT INTO well VALUES (1)")  # behind it, and not until the long one ends
        assert not migrating.done()
        await transaction.rollback()
        assert await migrating == [step]


@pytest.mark.asyncio
async def test_an_index_whose_build_was_cut_off_is_built_anew(empty: Database) -> None:
    await migrate(empty, BETWEEN)
    async with empty.acquire() as conn:
        await conn.execute("INSERT INTO curve VALUES (1, 1), (2, 1)")
        with pytest.raises(asyncpg.UniqueViolationError):
            await conn.execute("CREATE UNIQUE INDEX CONCURRENTLY curve_well ON curve (well)")
    assert await migrate(empty, TODAY) == [THIRD]
    async with empty.acquire() as conn:
        found = "SELECT indisvalid, indisunique FROM pg_index WHERE indexrelid = 'curve_well'::regclass"
        assert tuple(await conn.fetchrow(found) or ()) == (True, False)
