"""`dfr audit`, `dfr mode`, `dfr backup` and `dfr restore` on a real database, and what they say when they cannot."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import pytest_asyncio
from click.testing import Result
from typer.testing import CliRunner

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.sealer import Sealer
from dataforge_registry.registry.cli import build
from dataforge_registry.registry.failures import CommandError

from ..conftest import Databases

Dfr = Callable[..., Result]


@pytest_asyncio.fixture(loop_scope="session")
async def other_url(databases: Databases) -> AsyncIterator[str]:
    name = await databases.create()
    yield databases.url(name)
    await databases.drop(name)


def running(url: str, data: Path) -> Dfr:
    settings = {
        "REGISTRY_DATABASE_URL": url,
        "REGISTRY_AUTH_SECRETKEY": "a master secret for tests, 32 characters or more",
    }
    return lambda *words: CliRunner(env=settings).invoke(build(), [*words, "--data", str(data)])


def test_commands_of_operation(database_url: str, other_url: str, tmp_path: Path) -> None:
    dfr, elsewhere = running(database_url, tmp_path / "data"), running(other_url, tmp_path / "elsewhere")
    dfr("project", "create", "wells")
    assert dfr("mode").output == "normal\n"
    assert dfr("mode", "no-push").output == "no-push\n"
    assert "there are normal, no-push, read-only" in refusal(dfr("mode", "off"))
    out = tmp_path / "rows.jsonl"
    dfr("audit", "export", "-o", str(out))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["operation"], row["resource"]) for row in rows] == [("create", "wells"), ("update", "mode no-push")]
    assert "not 'yesterday'" in refusal(dfr("audit", "export", "--from", "yesterday"))
    verified = dfr("audit", "verify")
    assert verified.exit_code == 0
    assert verified.output.endswith("0 rows in 0 checkpoints, 0 purged before, 2 not yet sealed\n")
    assert dfr("audit", "verify", "--chain", "00ff").exit_code == 1
    assert dfr("audit", "purge", "--dry-run").output.startswith("0 rows would be purged: sealed, and older than ")
    assert dfr("audit", "purge", "--keep", "12mo", "--operations", "pull,create,delete").output.endswith(
        "-01 00:00:00 UTC\n"
    )
    assert "write hours, days or months" in refusal(dfr("audit", "purge", "--keep", "long"))
    assert "from 1h" in refusal(dfr("audit", "purge", "--keep", "30s"))
    assert "--operations: rows of some kinds alone" in refusal(dfr("audit", "purge", "--operations", "pull"))
    copy = str(tmp_path / "copy")
    assert dfr("backup", copy, "--blobs").exit_code == 0
    assert "not empty" in refusal(dfr("restore", copy))
    assert elsewhere("restore", copy).exit_code == 0
    assert elsewhere("mode").output == "no-push\n"


def refusal(result: Result) -> str:
    assert isinstance(result.exception, CommandError)
    return str(result.exception)


def test_purging_leaves_what_is_kept(database_url: str, tmp_path: Path) -> None:
    dfr = running(database_url, tmp_path / "data")
    asyncio.run(_old_rows(database_url))
    assert dfr("audit", "purge", "--keep", "2mo", "--dry-run").output.startswith("3 rows would be purged")
    assert dfr("audit", "purge", "--keep", "40d").output.startswith("5 rows were purged")
    assert dfr("audit", "purge", "--keep", "40d").output.startswith("0 rows were purged")
    verified = dfr("audit", "verify").output
    assert verified.endswith("7 rows in 1 checkpoints, 5 purged before, 1 not yet sealed\n")


async def _old_rows(url: str) -> None:
    """Three rows of 100 days ago, two of 50, seven of 10, each a checkpoint of their own."""
    database = await Database.open(url, size=2)
    sealer = Sealer(database, None, every=timedelta(0))
    for days, count in ((100, 3), (50, 2), (10, 7)):
        async with database.acquire() as conn:
            await conn.execute(
                """INSERT INTO access_log (username, operation, op_time)
                SELECT 'u', 'pull', now() - make_interval(days => $1) FROM generate_series(1, $2::int)""",
                days,
                count,
            )
        while not await sealer.step():
            pass
    await database.close()
