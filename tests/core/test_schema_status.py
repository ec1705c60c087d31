"""Where a database stands on the way to a schema: what is done, what waits, for whom."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from dataforge_registry.core.records import nodes
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.schema import Migration, Schema, SchemaError, migrate, plan
from dataforge_registry.core.records.schema_status import status

pytestmark = pytest.mark.asyncio(loop_scope="session")
FIRST = Schema.load().migrations[0]
WIDER = Migration(2, "wider", "-- release: 1.1\n-- compatible from: 1\nALTER TABLE project ADD COLUMN made_up text;")
NARROW = Migration(3, "narrow", "-- release: 1.2\n-- compatible from: 2\nALTER TABLE project DROP COLUMN made_up;")
ALONE = Migration(4, "alone", "-- release: 1.2\nALTER TABLE project RENAME made_up TO other;")
WIDENED, TODAY = Schema("", (FIRST, WIDER)), Schema(FIRST.sql, (FIRST, WIDER, NARROW, ALONE))


@pytest_asyncio.fixture(loop_scope="session")
async def empty(empty_database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(empty_database_url, size=2)
    yield database
    await database.close()


async def test_an_empty_database_has_all_before_it(empty: Database) -> None:
    found = await status(empty, TODAY)
    assert [(step.version, step.applied, step.hindered) for step in found] == [(n, None, "") for n in range(1, 5)]
    assert await plan(empty, TODAY) == list(TODAY.migrations), "nothing was changed"


async def test_what_is_done_and_what_waits_for_whom(database: Database) -> None:
    assert [(step.kind, step.applied is None) for step in await status(database)] == [("first", False)]
    await migrate(database, WIDENED)
    old = nodes.Node(uuid4(), "host:1", 1)
    await database.run(lambda conn: nodes.beat(conn, old))
    found = await status(database, TODAY)
    told = [(step.name, step.release, step.kind, step.applied is None, step.hindered) for step in found]
    assert told == [
        ("initial", "", "first", False, ""),
        ("wider", "1.1", "expand", False, ""),
        ("narrow", "1.2", "contract", True, "host:1 runs code of schema 1"),
        ("alone", "1.2", "contract", True, "host:1 runs code of schema 1"),
    ]
    first = Schema("", (FIRST,))  # the release before sees the step that it does not know
    assert [(step.name, step.applied is None) for step in await status(database, first)] == [
        ("initial", False),
        ("wider", False),
    ]
    with pytest.raises(SchemaError, match="still runs"):
        await migrate(database, TODAY)
    async with database.acquire() as conn:
        await nodes.leave(conn, old)
    assert [step.hindered for step in await status(database, TODAY)] == [""] * 4


async def test_steps_after_the_first_say_their_release() -> None:
    assert [step.name for step in Schema.load().migrations[1:] if not step.release] == []
