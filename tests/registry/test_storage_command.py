"""`dfr storage migrate` as an operator runs it, and killed on its way."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.local import LocalRepository
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.records.artifacts import Actor
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.pulls import PullLog
from dataforge_registry.core.store import Limits, Store
from dataforge_registry.core.uploads import Body
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.registry.cli import build
from dataforge_registry.registry.failures import CommandError

BLOBS = 80
SIZE = 200_000


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    return {"REGISTRY_DATABASE_URL": database_url, "REGISTRY_AUTH_SECRETKEY": "32 characters or more are a secret"}


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    for name in ("old", "new"):
        (tmp_path / f"{name}.yml").write_text(f"storage: {{filesystem: {{rootdirectory: {tmp_path / name}}}}}\n")
    return ["storage", "migrate", "--from", str(tmp_path / "old.yml"), "--to", str(tmp_path / "new.yml")]


def push(url: str, root: Path, count: int) -> list[Digest]:
    async def pushed() -> list[Digest]:
        database = await Database.open(url, size=2)
        store = Store(database, FilesystemDriver(str(root)), Limits(autocreate=True), PullLog(database))
        digests = []
        for number in range(count):
            content = number.to_bytes(4) * (SIZE // 4)

            async def pieces(content: bytes = content) -> object:
                yield content

            digests.append(Digest.of(content))
            body = Body(pieces(), SIZE, None)  # type: ignore[arg-type]  # a generator is one
            await LocalRepository(store, SYSTEM, "p/a", Actor("me")).push_blob(digests[-1], body)
        await store.settle()
        await database.close()
        return digests

    return asyncio.run(pushed())


def held(root: Path) -> int:
    return sum(1 for path in (root / "blobs").rglob("*") if path.is_file())


def refusal(result: Result) -> str:
    assert isinstance(result.exception, CommandError)
    return str(result.exception)


def test_moving_and_being_killed(
    database_url: str, environment: dict[str, str], command: list[str], tmp_path: Path
) -> None:
    push(database_url, tmp_path / "old", BLOBS)
    program = [sys.executable, "-m", "dataforge_registry.registry", *command]
    killed = subprocess.Popen(program, env=os.environ | environment, stdout=subprocess.DEVNULL)
    while held(tmp_path / "new") < 10 and killed.poll() is None:
        time.sleep(0.005)
    killed.kill()
    killed.wait()
    there = held(tmp_path / "new")
    assert there >= 10
    runner = CliRunner(env=environment)
    resumed = runner.invoke(build(), command)
    assert resumed.exit_code == 0, resumed.output
    assert f"pass 1: {BLOBS - there} of {BLOBS} objects" in resumed.output
    assert f"all {BLOBS} objects are in the new store; go on with --finish" in resumed.output
    finished = runner.invoke(build(), [*command, "--finish"])
    assert f"pass 1: 0 of {BLOBS} objects (0 bytes), 0 deleted" in finished.output
    assert "the registry is read-only: start every server" in finished.output
    after = ["--config", str(tmp_path / "new.yml")]
    assert runner.invoke(build(), ["mode", *after]).output == "read-only\n"
    checked = runner.invoke(build(), ["fsck", *after])
    assert checked.output.endswith(f"{BLOBS} objects and {BLOBS} rows: nothing is wrong\n"), checked.output


def test_what_is_refused(database_url: str, environment: dict[str, str], command: list[str], tmp_path: Path) -> None:
    (lost,) = push(database_url, tmp_path / "old", 1)
    runner = CliRunner(env=environment)
    assert "in use already" in refusal(runner.invoke(build(), [*command[:4], "--to", command[3]]))
    assert "belongs to --finish" in refusal(runner.invoke(build(), [*command, "--drop-uploads"]))
    (path,) = (path for path in (tmp_path / "old" / "blobs").rglob("*") if path.is_file())
    path.unlink()
    failed = runner.invoke(build(), [*command, "--finish"])
    assert (failed.exit_code, f"{lost.hex}: nothing is at" in failed.output) == (1, True), failed.output
    assert runner.invoke(build(), ["mode", "--config", command[3]]).output == "normal\n"
