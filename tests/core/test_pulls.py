"""Pull records: all of them, once each, in few statements, and in nobody's way."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from dataforge_registry.core.oci.errors import Unavailable
from dataforge_registry.core.records.database import Connection, Database
from dataforge_registry.core.records.pulls import CHUNK, Pull, PullLog

COUNTS = "SELECT (SELECT sum(pull_count)::int FROM repository) AS counted, (SELECT count(*) FROM access_log) AS logged"


@pytest_asyncio.fixture(loop_scope="session")
async def pulls(database: Database) -> list[Pull]:
    """Two artifacts with a tag each, in two repositories, and a pull of each."""
    made = []
    async with database.acquire() as conn:
        for name in ("p/a", "p/b"):
            repository = await conn.fetchval("SELECT repository_make('p', $1, true, 'me', '', '')", name)
            project = await conn.fetchval("SELECT project_id FROM repository WHERE repository_id = $1", repository)
            artifact = await conn.fetchval(
                "INSERT INTO artifact (type, media_type, manifest_media_type, project_id, repository_id,"
                " repository_name, digest, size, manifest, keep_until)"
                " VALUES ('IMAGE', 'x', 'y', $1, $2, $3, 'sha256:d', 1, '', now()) RETURNING id",
                project,
                repository,
                name,
            )
            tag = await conn.fetchval(
                "INSERT INTO tag (repository_id, artifact_id, name) VALUES ($1, $2, 't') RETURNING id",
                repository,
                artifact,
            )
            made.append(Pull(artifact, tag, repository, project, name, "t", "sha256:d", "ann", "192.0.2.1", "req"))
        await conn.execute("DELETE FROM access_log")
    return made


async def counts(database: Database) -> tuple[int, int]:
    async with database.acquire() as conn:
        row = await conn.fetchrow(COUNTS)
    assert row is not None
    return row["counted"], row["logged"]


@pytest.mark.asyncio
async def test_a_pull_is_written_everywhere(database: Database, pulls: list[Pull]) -> None:
    log = PullLog(database)
    log.record(pulls[0])
    log.record(pulls[1]._replace(tag_id=None, tag="", username="bob"))
    await log.flush()
    async with database.acquire() as conn:
        rows = await conn.fetch("SELECT * FROM access_log ORDER BY log_id")
        pulled = await conn.fetch("SELECT pull_time IS NOT NULL AND pull_time <= now() AS ok FROM artifact")
        tags = await conn.fetch("SELECT pull_time IS NOT NULL AS ok FROM tag ORDER BY id")
    first, second = rows
    assert (first["username"], first["project_id"], first["repo_name"]) == ("ann", pulls[0].project_id, "p/a")
    assert (first["repo_tag"], first["operation"], first["resource"]) == ("t", "pull", "sha256:d")
    assert (first["address"], first["request_id"], first["result"]) == ("192.0.2.1", "req", True)
    assert (second["username"], second["repo_tag"]) == ("bob", "")
    assert all(row["ok"] for row in pulled)
    assert [row["ok"] for row in tags] == [True, False]
    assert await counts(database) == (2, 2)
    await log.flush()
    assert await counts(database) == (2, 2)


@pytest.mark.asyncio
async def test_hot_rows_collapse_and_long_batches_are_cut(database: Database, pulls: list[Pull]) -> None:
    log = PullLog(database)
    for n in range(2 * CHUNK + 10):
        log.record(pulls[n % 2])
    await log.flush()
    assert await counts(database) == (2 * CHUNK + 10, 2 * CHUNK + 10)


@pytest.mark.asyncio
async def test_several_processes_flush_at_once(database: Database, pulls: list[Pull]) -> None:
    """Rows in any order, from four sides, while a push moves the tags: no deadlock, no pull lost."""
    logs = [PullLog(database, interval=0.001) for _ in range(4)]

    async def pull(log: PullLog, order: list[Pull]) -> None:
        for _ in range(50):
            for each in order:
                log.record(each)
            await log.flush()

    async def push() -> None:
        for _ in range(30):
            async with database.transaction() as conn:
                for each in reversed(pulls):
                    await conn.execute("UPDATE tag SET push_time = now() WHERE id = $1", each.tag_id)
                await conn.execute("UPDATE repository SET update_time = now()")

    await asyncio.gather(push(), *(pull(log, pulls[:: 1 if n % 2 else -1]) for n, log in enumerate(logs)))
    for log in logs:
        await log.close()
    assert await counts(database) == (400, 400)


@pytest.mark.asyncio
async def test_a_flush_does_not_wait_for_a_push(database: Database, pulls: list[Pull]) -> None:
    log = PullLog(database)
    log.record(pulls[0])
    async with database.transaction() as push:
        await push.execute("SELECT 1 FROM artifact WHERE id = $1 FOR UPDATE", pulls[0].artifact_id)
        await push.execute("SELECT 1 FROM tag WHERE id = $1 FOR UPDATE", pulls[0].tag_id)
        await log.flush()
        assert await counts(database) == (1, 1)
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(pull_time) FROM artifact") == 0
        await log.flush()  # what was held then is written now
        assert await conn.fetchval("SELECT count(pull_time) FROM artifact") == 1
        assert await conn.fetchval("SELECT count(pull_time) FROM tag") == 1
    assert await counts(database) == (1, 1)


@pytest.mark.asyncio
async def test_rows_that_are_gone_do_not_stay_for_ever(database: Database, pulls: list[Pull]) -> None:
    log = PullLog(database)
    log.record(pulls[0]._replace(artifact_id=10**9, tag_id=10**9, repository_id=10**9))
    await log.flush()
    assert await counts(database) == (0, 1)
    await log.close()


class Cut(Database):
    """A database whose server is away while `away` is set; the server itself is real."""

    away = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        if self.away:
            raise Unavailable("the database cannot be used now")
        async with super().transaction() as conn:
            yield conn


@pytest.mark.asyncio
async def test_an_outage_keeps_pulls_up_to_a_bound(
    database_url: str, database: Database, pulls: list[Pull], caplog: pytest.LogCaptureFixture
) -> None:
    cut: Any = await Cut.open(database_url, size=1)
    log = PullLog(cut, bound=5)
    cut.away = True
    with caplog.at_level(logging.WARNING):
        for n in range(8):
            log.record(pulls[0]._replace(request_id=str(n)))
            await log.flush()
        cut.away = False
        await log.flush()
    assert await counts(database) == (5, 5)
    assert [record.getMessage() for record in caplog.records] == [
        "pulls wait for the database: the database cannot be used now",
        "3 pulls were dropped while the database could not be used",
    ]
    caplog.clear()
    cut.away = True
    log.record(pulls[0])
    with caplog.at_level(logging.WARNING):
        await log.close()
    assert caplog.messages[-1] == "1 pulls could not be recorded before the end"
    await cut.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("bad", ["a\0b", "\ud800"])
async def test_a_text_postgresql_cannot_hold_does_not_block_the_rest(
    database: Database, pulls: list[Pull], caplog: pytest.LogCaptureFixture, bad: str
) -> None:
    log = PullLog(database)
    log.record(pulls[0]._replace(username=bad))
    with caplog.at_level(logging.ERROR):
        await log.flush()
    assert "cannot be recorded" in caplog.text
    log.record(pulls[0])
    await log.flush()
    assert (await counts(database))[1] == 1


@pytest.mark.asyncio
async def test_run_flushes_by_itself_and_a_cancelled_flush_is_finished(database: Database, pulls: list[Pull]) -> None:
    log = PullLog(database, interval=0.01)
    running = asyncio.create_task(log.run())
    async with database.transaction() as other:
        await other.execute("SELECT 1 FROM repository FOR UPDATE")  # the count must wait
        log.record(pulls[0])
        while (await counts(database))[1] == 0:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    await log.close()
    assert await counts(database) == (1, 1)


@pytest.mark.asyncio
@pytest.mark.parametrize(("share", "rows"), [(0.0, range(1)), (0.5, range(1, 200)), (1.0, range(200, 201))])
async def test_a_share_is_logged_and_all_are_counted(
    database: Database, pulls: list[Pull], share: float, rows: range
) -> None:
    log = PullLog(database, share=share)
    for _ in range(200):
        log.record(pulls[0])
    await log.flush()
    counted, logged = await counts(database)
    assert counted == 200
    assert logged in rows
