"""The worker as it is put together, and as a process of its own."""

import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path

import pytest
import requests

from dataforge_registry.core.oci.digest import Digest, blob_key, manifest_key
from dataforge_registry.core.oci.errors import Unavailable
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.queue import Queue
from dataforge_registry.core.work.worker import Step, Worker
from dataforge_registry.drivers.base import Driver, NoSpace, NotFound
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.drivers.wrap import Faulty
from dataforge_registry.registry.config import load
from dataforge_registry.registry.worker import create_worker

from ..clients.server import free_port

MANIFEST = b'{"schemaVersion":2}'
BLOB = b"small"
PROGRAM = [sys.executable, "-m", "dataforge_registry.registry", "worker", "--config"]


async def push(database: Database) -> None:
    """What a push leaves to the worker: an event, inline bytes, an upload nobody finished."""
    async with database.transaction() as conn:
        repository = await conn.fetchval("SELECT repository_make('p', 'p/r', true, 'me', '', '')")
        await conn.execute("SELECT blob_inline($1, $2, $3, interval '1 hour')", [repository], [Digest.of(BLOB)], [BLOB])
        artifact = await conn.fetchval(
            "INSERT INTO artifact (type, media_type, manifest_media_type, project_id, repository_id, repository_name,"
            " digest, size, manifest, keep_until) SELECT 'IMAGE', 'x', 'y', project_id, $1, name, $2, 1, $3, now()"
            " FROM repository WHERE repository_id = $1 RETURNING id",
            repository,
            Digest.of(MANIFEST),
            MANIFEST,
        )
        await conn.execute("INSERT INTO event (kind, artifact_id) VALUES ('artifact.pushed', $1)", artifact)
        await conn.execute(
            "INSERT INTO upload (id, repository_id, principal, expires_at)"
            " VALUES (gen_random_uuid(), $1, 'me', now() - interval '1 second')",
            repository,
        )


async def settled(database: Database) -> None:
    """Wait until nothing of it is left to do."""
    statement = """
    SELECT NOT EXISTS (SELECT 1 FROM event) AND NOT EXISTS (SELECT 1 FROM upload)
       AND NOT EXISTS (SELECT 1 FROM artifact_blob WHERE content IS NOT NULL)
       AND (SELECT count(*) FROM execution WHERE status = 'success') >= 3
       AND EXISTS (SELECT 1 FROM pg_inherits WHERE inhparent = 'access_log'::regclass OFFSET 3)
    """
    async with database.acquire() as conn:
        while not await conn.fetchval(statement):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def content_of(driver: Driver, key: str) -> bytes:
    return b"".join([piece async for piece in await driver.open(key)])


@pytest.mark.asyncio
async def test_two_workers_do_everything_that_is_left_to_them(database: Database, tmp_path: Path) -> None:
    driver = MemoryDriver()
    config = load(env={}, data=tmp_path, overrides={"storage.inmemory": {}})
    workers = [create_worker(config, database, driver) for _ in range(2)]
    running = [asyncio.create_task(worker.run()) for worker in workers]
    await push(database)
    await settled(database)
    assert await content_of(driver, blob_key(Digest.of(BLOB))) == BLOB
    assert await content_of(driver, manifest_key(Digest.of(MANIFEST))) == MANIFEST
    async with database.acquire() as conn:
        kinds = await conn.fetch("SELECT kind, count(*) FROM execution GROUP BY kind ORDER BY kind")
    assert [tuple(row) for row in kinds] == [("manifest.copy", 1), ("records.tidy", 1), ("uploads.reap", 1)]
    for worker in workers:
        worker.stop()
    await asyncio.gather(*running)


@pytest.mark.asyncio
async def test_a_manifest_whose_bytes_are_not_its_own_is_not_copied(database: Database, tmp_path: Path) -> None:
    driver = MemoryDriver()
    await push(database)
    async with database.acquire() as conn:
        await conn.execute("UPDATE artifact SET manifest = 'rot'::bytea")
    worker = create_worker(load(env={}, data=tmp_path, overrides={"storage.inmemory": {}}), database, driver)
    running = asyncio.create_task(worker.run())
    await settled(database)
    worker.stop()
    await running
    with pytest.raises(NotFound):
        await driver.stat(manifest_key(Digest.of(MANIFEST)))
    async with database.acquire() as conn:
        row = await conn.fetchrow("SELECT level, line FROM task_log WHERE level = 'error'")
    assert row is not None
    assert "its bytes are not those of sha256:" in row["line"]


@pytest.mark.asyncio
async def test_a_full_store_is_told_in_the_task_and_outlived(database: Database, tmp_path: Path) -> None:
    driver = Faulty(MemoryDriver())
    for method, nth in (("put_many", 1), ("put_many", 2), ("put", 1)):  # the manifest; the blob in its batch, and alone
        driver.fail(method, NoSpace("the store is full"), nth)
    await push(database)
    worker = create_worker(load(env={}, data=tmp_path, overrides={"storage.inmemory": {}}), database, driver)
    running = asyncio.create_task(worker.run())
    told = "SELECT EXISTS (SELECT 1 FROM task WHERE status_message = 'NoSpace: the store is full')"
    async with database.acquire() as conn:
        while not await conn.fetchval(told):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await settled(database)
    worker.stop()
    await running
    assert await content_of(driver, manifest_key(Digest.of(MANIFEST))) == MANIFEST
    assert await content_of(driver, blob_key(Digest.of(BLOB))) == BLOB


@pytest.mark.asyncio
async def test_failures_do_not_end_a_worker(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    """An outage is told once, a bug with its traceback, and both are outlived."""
    answers: list[Exception | int] = [Unavailable("away"), Unavailable("away"), ValueError("a bug"), 1, 0]
    over = asyncio.Event()

    async def step() -> int:
        if not answers:
            over.set()
            return 0
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    worker = Worker(Queue(database, {}), [Step("odd", step, 0.01)], pause=0.01)
    with caplog.at_level(logging.WARNING, "dataforge_registry.core.work.worker"):
        running = asyncio.create_task(worker.run())
        await over.wait()
        worker.stop()
        await running
    assert caplog.messages == ["odd: away; trying again", "odd failed; trying again"]


async def asked(port: int, path: str) -> tuple[int, str]:
    """Status and body of a page of a worker."""
    answer = await asyncio.to_thread(requests.get, f"http://127.0.0.1:{port}{path}", timeout=30)
    return answer.status_code, answer.text


@pytest.mark.asyncio
async def test_dfr_worker_works_until_sigterm(database: Database, database_url: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yml"
    store, port = tmp_path / "store", free_port()
    config.write_text(
        json.dumps(
            {
                "storage": {"filesystem": {"rootdirectory": str(store)}},
                "database": {"url": database_url},
                "auth": {"secretkey": "k" * 44},
                "worker": {"port": port},
            }
        )
    )
    await push(database)
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, config, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert b"works in the background" in await process.stdout.readline()
        await settled(database)
        assert (await asked(port, "/health/ready"))[0] == 200
        status, metrics = await asked(port, "/metrics")
        assert status == 200 and "dfr_gc_links_total" in metrics and "dfr_tasks 0.0" in metrics
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors
    driver = FilesystemDriver(str(store))
    assert await content_of(driver, blob_key(Digest.of(BLOB))) == BLOB
    assert await content_of(driver, manifest_key(Digest.of(MANIFEST))) == MANIFEST
    await driver.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"storage": {"inmemory": {}}, "database": {"url": "postgresql://127.0.0.1:1/x"}}, "lives inside its server"),
        (
            {
                "storage": {"filesystem": {"rootdirectory": "/dev/null/x"}},
                "database": {"url": "postgresql://127.0.0.1:1/x"},
                "auth": {"secretkey": "k" * 44},
            },
            "127.0.0.1:1",
        ),
    ],
)
async def test_what_keeps_a_worker_from_starting_is_one_line(
    tmp_path: Path, config: dict[str, object], says: str
) -> None:
    path = tmp_path / "config.yml"
    path.write_text(json.dumps(config))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("REGISTRY_")}
    process = await asyncio.create_subprocess_exec(
        *PROGRAM, path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment
    )
    output, errors = await process.communicate()
    assert (process.returncode, output) == (2, b"")
    assert errors.count(b"\n") == 1
    assert says in errors.decode()
