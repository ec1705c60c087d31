"""What others rely on is written through at its commit: it outlives a PostgreSQL that dies right after."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.records import uploads
from dataforge_registry.core.records.blobs import claim
from dataforge_registry.core.records.calls import fetchval
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.embedded import PrivatePostgres
from dataforge_registry.core.records.schema import migrate
from dataforge_registry.drivers.base import Staging

pytestmark = pytest.mark.asyncio(loop_scope="function")
TIMES = 20
HOUR = timedelta(hours=1)


@asynccontextmanager
async def opened(folder: Path, **settings: str) -> AsyncIterator[tuple[PrivatePostgres, Database]]:
    with PrivatePostgres.start(folder, settings=settings) as server:
        database = await Database.open(server.dsn, size=1)
        yield server, database
        await database.close()


async def died_after(folder: Path, act: Callable[[Database, int, int], Awaitable[None]], question: str) -> object:
    """The answer of a PostgreSQL that was killed once `act` had been done TIMES times."""
    # What is not written through stays in memory: the writer behind it comes by every ten seconds.
    async with opened(folder, wal_writer_delay="10s") as (server, database):
        await migrate(database)
        repository = await fetchval(database, "SELECT repository_make('p', 'p/a', true, 'me', '', '')")
        for number in range(TIMES):
            await act(database, repository, number)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
    async with opened(folder) as (_, database):
        return await fetchval(database, question)


async def test_a_claim(folder: Path) -> None:
    """Or the bytes that follow it would lie in the store unknown to any row (promise P7)."""

    async def act(database: Database, repository: int, number: int) -> None:
        claimed = await claim(database, repository, Digest.of(b"%d" % number), 1, HOUR)
        assert not claimed.live

    assert await died_after(folder, act, "SELECT count(*) FROM artifact_blob WHERE state = 'pending'") == TIMES


async def test_the_end_of_a_patch(folder: Path) -> None:
    """Or a PUT of the rest, which need not say where it begins, would be told that its digest is wrong."""

    async def act(database: Database, repository: int, number: int) -> None:
        upload, lease = uuid4(), uuid4()
        await uploads.start(database, [uploads.New(upload, repository, "me", "sha256")], HOUR)
        taken = await uploads.take(database, upload, repository, "me", 0, lease, HOUR)
        assert taken.answer == "taken"
        assert await uploads.save(database, upload, lease, None, Staging(upload.hex, size=5), HOUR)

    assert await died_after(folder, act, 'SELECT count(*) FROM upload WHERE "offset" = 5') == TIMES
