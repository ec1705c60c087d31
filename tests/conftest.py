"""What every test may ask for: a real PostgreSQL, a fresh database in it, foreign programs by name.

DFR_TEST_POSTGRES=/usr/lib/postgresql/15/bin   run on these programs instead of the bundled ones
DFR_TEST_DATABASE_URL=postgresql://...         use this server (its role must be allowed to create databases)
DFR_TEST_POOLER=1                              the fixture `database` goes through PgBouncer in transaction mode
DFR_REQUIRE_TOOLS=1                            a missing foreign program fails its tests instead of skipping them
HYPOTHESIS_PROFILE=long                        many more examples of each property
"""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.embedded import PrivatePostgres
from dataforge_registry.core.records.schema import migrate

from .memory import in_memory
from .pgbouncer import pgbouncer
from .pgbouncer import program as pooler_program

ROOT = Path(__file__).parent.parent
TOOLS = ROOT / ".tools" / "bin"

settings.register_profile("short", deadline=None, max_examples=50)  # a busy machine is no failure
settings.register_profile("long", deadline=None, max_examples=20_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


def pytest_configure() -> None:
    if TOOLS.is_dir():
        os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With xdist, tests that share something made for their module go to one worker: it is made once."""
    for item in items:
        fixtures = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]
        if item.get_closest_marker("xdist_group") is None and any(found[-1].scope == "module" for found in fixtures):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("tool"):
        for name in marker.args:
            if shutil.which(name) is None and not (name == "pgbouncer" and pooler_program()):
                reason = f"{name} is not installed (make tools)"
                if os.environ.get("DFR_REQUIRE_TOOLS") == "1":
                    pytest.fail(reason, pytrace=False)
                pytest.skip(reason)


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A short, private folder that a server we start as root can enter: pytest's own are closed to its user."""
    directory = Path(tempfile.mkdtemp(prefix="dfr-test-", dir=in_memory()))
    if os.geteuid() == 0:
        os.chown(directory, 65534, 65534)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def postgres_programs() -> Path | None:
    """The folder DFR_TEST_POSTGRES names, or None for the bundled programs."""
    folder = os.environ.get("DFR_TEST_POSTGRES")
    return Path(folder) if folder else None


@pytest.fixture(scope="session")
def server_url(server_directory: Path, postgres_programs: Path | None) -> Iterator[str]:
    """A database of the one server of this session, to make others from."""
    url = os.environ.get("DFR_TEST_DATABASE_URL")
    if url:
        yield url
        return
    settings = {"shared_buffers": "64MB"}
    directory = server_directory / "session"
    directory.mkdir()
    if os.geteuid() == 0:
        os.chown(directory, 65534, 65534)
    with PrivatePostgres.start(directory, durable=False, settings=settings, programs=postgres_programs) as server:
        yield server.dsn


@pytest.fixture(scope="session")
def pooler_url(server_url: str, server_directory: Path) -> Iterator[str]:
    """A PgBouncer in front of the session's server."""
    folder = server_directory / "pooler"
    folder.mkdir()
    with pgbouncer(folder, server_url) as url:
        yield url


@dataclass
class Databases:
    """Makes and drops databases of one server; names are unique to this process, so test processes may share it."""

    server_url: str
    template: str = ""
    pooler_url: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, name: str) -> str:
        """The address of another database of the same server."""
        return urlsplit(self.server_url)._replace(path=f"/{name}").geturl()

    def pooled(self, url: str) -> str:
        """The same database through the pooler."""
        return urlsplit(self.pooler_url)._replace(path=urlsplit(url).path).geturl()

    async def create(self, template: str | None = None) -> str:
        """The name of a new database: a copy of `template`, by default of the one with today's schema."""
        name = f"dfr_test_{os.getpid()}_{next(self._numbers)}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template or self.template} STRATEGY file_copy")
        return name

    async def drop(self, name: str) -> None:
        """Drop it, cutting whoever is still connected."""
        await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        conn = await asyncpg.connect(self.server_url)
        try:
            await conn.execute(statement)
        finally:
            await conn.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases(server_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Databases]:
    """The maker of databases, its template loaded from schema.sql."""
    databases = Databases(server_url)
    if os.environ.get("DFR_TEST_POOLER") == "1":
        databases.pooler_url = request.getfixturevalue("pooler_url")
    databases.template = await databases.create("template0")
    database = await Database.open(databases.url(databases.template), size=1)
    await migrate(database)
    await database.close()
    yield databases
    await databases.drop(databases.template)


@pytest_asyncio.fixture(loop_scope="session")
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """The address of a fresh database with today's schema, dropped after the test."""
    name = await databases.create()
    yield databases.url(name)
    await databases.drop(name)


@pytest_asyncio.fixture(loop_scope="session")
async def empty_database_url(databases: Databases) -> AsyncIterator[str]:
    """The address of a fresh database with nothing in it."""
    name = await databases.create("template0")
    yield databases.url(name)
    await databases.drop(name)


@pytest_asyncio.fixture(loop_scope="session")
async def database(databases: Databases, database_url: str) -> AsyncIterator[Database]:
    """A fresh database with today's schema, opened."""
    if databases.pooler_url:
        pooled = databases.pooled(database_url)
        database = await Database.open(pooled, direct_url=database_url, pooler=True, size=10)
    else:
        database = await Database.open(database_url, size=10)
    yield database
    await asyncio.wait_for(database.close(), 30)
