"""`dfr audit`, `dfr mode`, `dfr backup` and `dfr restore` on a real database, and what they say when they cannot."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest_asyncio
from click.testing import Result
from typer.testing import CliRunner

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
    copy = str(tmp_path / "copy")
    assert dfr("backup", copy, "--blobs").exit_code == 0
    assert "not empty" in refusal(dfr("restore", copy))
    assert elsewhere("restore", copy).exit_code == 0
    assert elsewhere("mode").output == "no-push\n"


def refusal(result: Result) -> str:
    assert isinstance(result.exception, CommandError)
    return str(result.exception)
