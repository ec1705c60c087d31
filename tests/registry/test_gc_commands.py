"""`dfr gc`, `dfr fsck` and `dfr scrub` on a real database and folder: what they print, and their exit codes."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.local import LocalRepository
from dataforge_registry.core.oci.digest import Digest, blob_key
from dataforge_registry.core.records import work
from dataforge_registry.core.records.artifacts import Actor
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.pulls import PullLog
from dataforge_registry.core.store import Limits, Store
from dataforge_registry.core.uploads import Body
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.registry.cli import build
from dataforge_registry.registry.failures import CommandError

Dfr = Callable[..., Result]
CONTENT = os.urandom(20_000)
DIGEST = Digest.of(CONTENT)
KEY = blob_key(DIGEST)


@pytest.fixture
def dfr(database_url: str, tmp_path: Path) -> Dfr:
    """Runs one command; a failure with a message is raised."""
    settings = {"REGISTRY_DATABASE_URL": database_url, "REGISTRY_AUTH_SECRETKEY": "32 characters or more are a secret"}

    def run(*arguments: str) -> Result:
        command = [*arguments, "--data", str(tmp_path)]
        return CliRunner(env=settings).invoke(build(), command, catch_exceptions=False)

    return run


def on(url: str, work: Callable[[Database], Awaitable[object]]) -> None:
    """Work in the database."""

    async def connected() -> None:
        database = await Database.open(url, size=2)
        await work(database)
        await database.close()

    asyncio.run(connected())


@pytest.fixture
def pushed(database_url: str, tmp_path: Path) -> Path:
    """A blob that no manifest names; where its object lies."""

    async def push(database: Database) -> None:
        async def pieces() -> object:
            yield CONTENT

        driver = FilesystemDriver(str(tmp_path / "storage"))
        limits = Limits(autocreate=True, lease=timedelta(0), undo=timedelta(0))
        store = Store(database, driver, limits, PullLog(database))
        repository = LocalRepository(store, SYSTEM, "p/a", Actor("me"))
        await repository.push_blob(DIGEST, Body(pieces(), len(CONTENT), None))  # type: ignore[arg-type]
        await store.settle()
        await driver.close()

    on(database_url, push)
    return tmp_path / "storage" / KEY


def test_gc_says_what_it_would_do_and_does_it(dfr: Dfr, pushed: Path, database_url: str) -> None:
    said = dfr("gc", "--dry-run")
    assert said.exit_code == 0
    assert "1 links would be dropped, and 1 blobs condemned (20000 bytes)" in said.output
    assert dfr("gc").output == "gc 2 is queued: a server or `dfr worker` does it\n"
    said = dfr("gc", "--wait", "--workers", "2", "--delete-untagged")
    assert said.exit_code == 0
    assert "deleted 0 untagged artifacts" in said.output
    assert pushed.exists()
    ended = "UPDATE artifact_blob SET keep_until = now() WHERE state = 'condemned'"

    async def end(database: Database) -> None:
        async with database.acquire() as conn:
            assert await conn.execute(ended) == "UPDATE 1"

    on(database_url, end)
    assert "freed 1 blobs (20000 bytes), deleted 1 objects" in dfr("gc", "--wait").output
    assert not pushed.exists()


def test_gc_goes_on_with_a_run_that_was_stopped(dfr: Dfr, pushed: Path, database_url: str) -> None:
    assert "gc 1 is queued" in dfr("gc", "--delete-untagged", "--time-window", "5").output
    with pytest.raises(CommandError, match="no run 1 of gc was stopped or failed"):
        dfr("gc", "--resume", "1")

    async def stop(database: Database) -> None:
        async with database.transaction() as conn:
            assert await work.stop_execution(conn, 1) == 1

    on(database_url, stop)
    assert "deleted 0 untagged artifacts" in dfr("gc", "--resume", "1", "--wait").output
    with pytest.raises(CommandError, match="no run 2 of gc was stopped or failed"):
        dfr("gc", "--resume", "2")


def test_fsck_mends_what_it_finds(dfr: Dfr, pushed: Path) -> None:
    said = dfr("fsck")
    assert (said.exit_code, said.stdout) == (0, "1 objects and 1 rows: nothing is wrong\n")
    pushed.unlink()
    said = dfr("fsck")
    assert said.exit_code == 1
    assert f"lost blob: nothing is at {KEY}" in said.output
    said = dfr("fsck", "--repair")
    assert said.exit_code == 1  # its bytes are gone all the same
    assert "1 x lost blob, mended" in said.output
    assert dfr("fsck").exit_code == 0


def test_scrub_finds_rot(dfr: Dfr, pushed: Path) -> None:
    said = dfr("scrub", "--rate", "100MiB")
    assert (said.exit_code, said.stdout) == (0, "1 good\n")
    pushed.write_bytes(CONTENT[::-1])
    said = dfr("scrub")
    assert (said.exit_code, said.stdout) == (1, "1 rotten\n")
    assert f"rotten: {DIGEST}" in said.output
    assert (dfr("scrub").exit_code, dfr("scrub").stdout) == (0, "no blobs\n")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["gc", "--workers", "0"], "workers: 1 to 16"),
        (["gc", "--time-window", "-1"], "time_window: hours"),
        (["scrub", "--rate", "fast"], "--rate: not a size"),
        (["scrub", "--rate", "0"], "it would never end"),
    ],
)
def test_what_cannot_be_is_one_line(dfr: Dfr, command: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        dfr(*command)


@pytest.mark.parametrize("command", ["gc", "fsck", "scrub"])
def test_a_store_in_memory_is_its_servers_alone(tmp_path: Path, command: str) -> None:
    config = tmp_path / "memory.yml"
    config.write_text("storage: {inmemory: {}}\ndata: /nowhere\n")
    with pytest.raises(CommandError, match="lives inside its server"):
        CliRunner().invoke(build(), [command, "--config", str(config)], catch_exceptions=False)
