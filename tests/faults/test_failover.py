"""The primary is killed under pushes and its standby promoted: 503 meanwhile, then on without a restart, nothing lost
that was acknowledged (F9, P3)."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.schema import migrate

from ..registry.v2.invariants import violations
from ..replicas import Node, both, replicated
from .failing import pushed, worked_off
from .pushers import Acknowledged, pushing
from .server import Server, forget_leases, sha256


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """As of conftest, for all tests here: the last of them loses the primary."""
    with tempfile.TemporaryDirectory(prefix="dfr-faults-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def pair(folder: Path, postgres_programs: Path | None) -> Iterator[tuple[Node, Node]]:
    own = folder / "pg"
    own.mkdir()
    with replicated(own, postgres_programs, synchronous=True) as nodes:
        yield nodes


@pytest.fixture(scope="module")
def servers(pair: tuple[Node, Node], folder: Path) -> Iterator[list[Server]]:
    """Two, over both servers' address."""

    async def prepare() -> None:
        database = await Database.open(both(*pair), size=1)
        await migrate(database)
        await database.close()

    asyncio.run(prepare())
    running = [Server(folder, REGISTRY_DATABASE_URL=both(*pair), REGISTRY_UPLOAD_LEASE="1s") for _ in range(2)]
    for server in running:
        server.start()
    yield running
    for server in running:
        server.stop()


async def read_only(node: Node, now: bool) -> None:
    """Whether the server takes writes, for all sessions there are and will be."""
    conn = await asyncpg.connect(node.url)
    await conn.execute(f"ALTER SYSTEM SET default_transaction_read_only = {'on' if now else 'off'}")
    await conn.execute("SELECT pg_reload_conf()")
    await conn.close()


def answered(server: Server, path: str, status: int, body: bytes = b"") -> dict[str, str]:
    """The headers of the first answer with a status, within a minute."""
    deadline = time.monotonic() + 60
    while (found := server.send("POST" if body else "GET", path, body))[0] != status:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found[1]


def test_a_read_only_primary_serves_pulls(pair: tuple[Node, Node], servers: list[Server]) -> None:
    data = b"written before"
    push, pull = f"/v2/faults/r/blobs/uploads/?digest={sha256(data)}", f"/v2/faults/r/blobs/{sha256(data)}"
    answered(servers[0], push, 201, data)
    asyncio.run(read_only(pair[0], True))
    other = b"not taken"
    refused = answered(servers[0], f"/v2/faults/r/blobs/uploads/?digest={sha256(other)}", 503, other)
    assert refused["retry-after"]
    for server in servers:
        assert server.send("GET", pull)[::2] == (200, data)
        assert server.send("GET", "/v2/faults/r/tags/list")[0] in (200, 404)
    asyncio.run(read_only(pair[0], False))
    answered(servers[1], f"/v2/faults/r/blobs/uploads/?digest={sha256(other)}", 201, other)


def test_the_standby_takes_over(pair: tuple[Node, Node], servers: list[Server]) -> None:
    primary, standby = pair
    noted = Acknowledged()
    with pushing(noted, *servers):
        pushed(noted, 10)
        primary.kill()
        killed = time.monotonic()
        time.sleep(0.5)
        standby.promote()
        promoted, before = time.monotonic(), len(noted.tags)
        pushed(noted, 0)
        again = time.monotonic()
        pushed(noted, 20)
    print(
        f"{len(noted.contents)} contents acknowledged ({before} tags before), {len(noted.refusals)} refusals; promoted "
        f"after {promoted - killed:.1f} s, pushed again {again - promoted:.1f} s later"
    )
    assert {status for status, _ in noted.refusals} <= {503, 404, 416}
    assert all(headers.get("retry-after") for status, headers in noted.refusals if status == 503)
    for server in servers:
        assert noted.lost(server) == []
    worked_off(standby)
    asyncio.run(forget_leases(standby.url))  # who could not let go of an upload left it behind
    assert asyncio.run(violations(standby.url, servers[0].storage)) == []
