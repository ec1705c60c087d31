"""A claim outlives its database (promise P7): bytes that no row knows would lie in the store for ever."""

import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.records.blobs import claim
from dataforge_registry.core.records.calls import fetchval
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.embedded import PrivatePostgres
from dataforge_registry.core.records.schema import migrate

CLAIMS = 20


@pytest.mark.asyncio(loop_scope="function")
async def test_a_claim_survives_the_death_of_postgresql(folder: Path) -> None:
    # What is not written at its commit stays in memory: the writer behind it comes by every ten seconds.
    with PrivatePostgres.start(folder, settings={"wal_writer_delay": "10s"}) as server:
        database = await Database.open(server.dsn, size=1)
        await migrate(database)
        repository = await fetchval(database, "SELECT repository_make('p', 'p/a', true, 'me', '', '')")
        for number in range(CLAIMS):
            claimed = await claim(database, repository, Digest.of(b"%d" % number), 1, timedelta(hours=1))
            assert not claimed.live
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await database.close()
    with PrivatePostgres.start(folder) as server:
        database = await Database.open(server.dsn, size=1)
        assert await fetchval(database, "SELECT count(*) FROM artifact_blob") == CLAIMS
        await database.close()
