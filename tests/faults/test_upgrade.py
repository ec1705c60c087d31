"""Releases side by side over one database, while clients push (P25): the schema is expanded under the old one, which
goes on, and contracted only when nobody runs it any more."""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import asyncpg

from dataforge_registry.core.records.embedded import PrivatePostgres
from dataforge_registry.core.records.schema import Schema

from .pushers import Acknowledged, pushing
from .server import Server

SOURCE = Path(__file__).parents[2]
NOW = Schema.load().version
EXPAND = (
    f"-- compatible from: {NOW}\nALTER TABLE artifact ADD COLUMN made_up text NOT NULL DEFAULT 'x';\n"
    "ALTER TABLE repository ADD COLUMN made_up int;\nALTER TABLE artifact_blob ADD COLUMN made_up bigint;\n",
    f"-- compatible from: {NOW}\n-- no transaction\n"
    "CREATE INDEX CONCURRENTLY IF NOT EXISTS artifact_made_up ON artifact (made_up, id);\n",
)
CONTRACT = f"-- compatible from: {NOW + len(EXPAND)}\nALTER TABLE artifact DROP COLUMN made_up;\n"


def release(folder: Path, *steps: str) -> Path:
    """A release that knows these migrations too: the package with them in it, as it would be built."""
    package = folder / "dataforge_registry"
    shutil.copytree(
        SOURCE / "dataforge_registry", package, ignore=shutil.ignore_patterns("__pycache__"), symlinks=False
    )
    migrations = package / "core" / "records" / "migrations"
    migrations.mkdir(exist_ok=True)
    today = Schema.load()
    for step in today.migrations:
        (migrations / f"{step.version:04}_{step.name}.sql").write_text(step.sql)
    for number, sql in enumerate(steps, NOW + 1):
        (migrations / f"{number:04}_made_up_{number}.sql").write_text(sql)
    return folder


def of(code: Path) -> dict[str, str]:
    """What makes a process run a release, wherever it is started."""
    return {"PYTHONPATH": str(code), "PYTHONSAFEPATH": "1"}


def migrate(code: Path, data: Path) -> "subprocess.CompletedProcess[str]":
    """`dfr migrate` of a release."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "DFR_"))}
    command = [sys.executable, "-m", "dataforge_registry.registry", "migrate", "--data", str(data)]
    return subprocess.run(command, env=kept | of(code), capture_output=True, text=True, check=False)


def pushed(noted: Acknowledged, more: int = 5) -> None:
    before, deadline = len(noted.tags), time.monotonic() + 60
    while len(noted.tags) <= before + more:
        assert time.monotonic() < deadline, noted.refusals[-3:]
        time.sleep(0.02)


def held(dsn: str, until: threading.Event) -> threading.Thread:
    """A transaction that has read artifacts, and stays."""

    async def hold() -> None:
        conn = await asyncpg.connect(dsn)
        async with conn.transaction():
            await conn.fetch("SELECT FROM artifact LIMIT 1")
            await asyncio.to_thread(until.wait)
        await conn.close()

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    return thread


def test_old_and_new_side_by_side(server: Server, folder: Path) -> None:
    second = release(folder / "second", *EXPAND)
    third = release(folder / "third", *EXPAND, CONTRACT)
    new = Server(folder, REGISTRY_UPLOAD_LEASE="1s", **of(second))
    noted, over = Acknowledged(), threading.Event()
    with PrivatePostgres.start(server.data) as joined:
        try:
            with pushing(noted, server):
                pushed(noted)
                holding = held(joined.dsn, over)
                expanding = threading.Thread(target=new.start)  # a private PostgreSQL is brought along at the start
                expanding.start()
                pushed(noted, 10)  # though the expansion waits for the transaction
                over.set()
                holding.join()
                expanding.join()
                pushed(noted)
            with pushing(noted, server, new):
                pushed(noted, 10)
                refused = migrate(third, server.data)
                assert refused.returncode == 2, refused.stdout
                assert f"needs code of schema {NOW + 2} or newer, and " in refused.stderr
                assert f"still runs {NOW}: upgrade or stop it" in refused.stderr
                pushed(noted)
            before = len(noted.refusals)
            with pushing(noted, new):
                server.stop()
                contracted = migrate(third, server.data)
                assert (contracted.returncode, contracted.stdout) == (0, f"applied {NOW + 3:04} made_up_{NOW + 3}\n")
                pushed(noted, 10)
            print(
                f"{len(noted.contents)} contents acknowledged, {before} refusals side by side, "
                f"{len(noted.refusals) - before} when the old one went"
            )
            assert {status for status, _ in noted.refusals} <= {503, 404, 416}
            assert all(headers.get("retry-after") for status, headers in noted.refusals if status == 503)
            assert noted.lost(new) == []
            assert new.violations(killed=True) == []
        finally:
            over.set()
            new.stop()
