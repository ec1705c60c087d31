"""Rows to work on, written as the push path writes them."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.records.database import Database
from dataforge_registry.drivers.base import Driver
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.drivers.memory import MemoryDriver

LEASE = timedelta(hours=1)


@dataclass(frozen=True)
class Home:
    """A repository to push to."""

    database: Database
    project: int
    repository: int

    async def blob(self, content: bytes) -> int:
        """A small blob pushed inline; its row's id."""
        digest = Digest.of(content)
        async with self.database.acquire() as conn:
            await conn.execute("SELECT blob_inline($1, $2, $3, $4)", [self.repository], [digest], [content], LEASE)
            return int(await conn.fetchval("SELECT id FROM artifact_blob WHERE digest = $1", digest))

    async def artifact(self, manifest: bytes, digest: str | None = None) -> int:
        """A manifest's row; its id. No event: tests write their own."""
        async with self.database.acquire() as conn:
            return int(
                await conn.fetchval(
                    "INSERT INTO artifact (type, media_type, manifest_media_type, project_id, repository_id,"
                    " repository_name, digest, size, manifest, keep_until)"
                    " VALUES ('IMAGE', 'x', 'y', $1, $2, 'p/r', $3, 1, $4, now()) RETURNING id",
                    self.project,
                    self.repository,
                    digest or Digest.of(manifest),
                    manifest,
                )
            )

    async def tag(self, artifact: int, name: str) -> int:
        """A tag's row; its id."""
        async with self.database.acquire() as conn:
            return int(
                await conn.fetchval(
                    "INSERT INTO tag (repository_id, artifact_id, name) VALUES ($1, $2, $3) RETURNING id",
                    self.repository,
                    artifact,
                    name,
                )
            )

    async def event(self, kind: str, artifact: int | None = None, **payload: object) -> None:
        """Something that happened, in a transaction of its own."""
        async with self.database.acquire() as conn:
            await conn.execute(
                "INSERT INTO event (kind, project_id, repository_id, artifact_id, payload) VALUES ($1, $2, $3, $4, $5)",
                kind,
                self.project,
                self.repository,
                artifact,
                json.dumps(payload),
            )


@pytest_asyncio.fixture(loop_scope="session")
async def home(database: Database) -> Home:
    """The repository p/r of the project p."""
    async with database.acquire() as conn:
        repository = await conn.fetchval("SELECT repository_make('p', 'p/r', true, 'me', '', '')")
        project = await conn.fetchval("SELECT project_id FROM repository WHERE repository_id = $1", repository)
        await conn.execute("DELETE FROM event")
    return Home(database, project, repository)


@pytest_asyncio.fixture(loop_scope="session")
async def driver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Driver]:
    """A store in memory, or of the kind that a test's parameter names."""
    kind = getattr(request, "param", "memory")
    driver: Driver = FilesystemDriver(str(tmp_path)) if kind == "filesystem" else MemoryDriver()
    yield driver
    await driver.close()
