"""PgBouncer is told of another server under pushes, after the one behind it died: 503 meanwhile, then on without a
restart of anything, LISTEN included, and nothing lost that was acknowledged."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.schema import migrate

from ..pgbouncer import PROGRAM, pgbouncer, point
from ..registry.v2.invariants import violations
from ..replicas import Node, both, replicated
from .failing import ask, pushed, worked_off
from .pushers import Acknowledged, pushing
from .server import Server, forget_leases

pytestmark = pytest.mark.tool(PROGRAM)
SESSIONS = 6
LISTENING = "SELECT count(*) FROM pg_stat_activity WHERE query ILIKE 'LISTEN%' AND pid <> pg_backend_pid()"


@pytest.fixture
def pair(folder: Path, postgres_programs: Path | None) -> Iterator[tuple[Node, Node]]:
    (folder / "pg").mkdir()
    with replicated(folder / "pg", postgres_programs, synchronous=True) as nodes:
        yield nodes


@pytest.fixture
def servers(pair: tuple[Node, Node], folder: Path) -> Iterator[list[Server]]:
    """Two behind one pooler, which knows the primary alone."""

    async def prepare() -> None:
        database = await Database.open(both(*pair), size=1)
        await migrate(database)
        await database.close()

    asyncio.run(prepare())
    (folder / "pooler").mkdir()
    with pgbouncer(folder / "pooler", pair[0].url, SESSIONS) as url:
        settings = {"URL": url, "POOLER": "true", "DIRECT_URL": both(*pair)}
        own = {f"REGISTRY_DATABASE_{name}": value for name, value in settings.items()}
        running = [Server(folder, REGISTRY_UPLOAD_LEASE="1s", **own) for _ in range(2)]
        for server in running:
            server.start()
        yield running
        for server in running:
            server.stop()


def test_the_pooler_is_pointed_elsewhere(pair: tuple[Node, Node], servers: list[Server], folder: Path) -> None:
    primary, standby = pair
    noted = Acknowledged()
    with pushing(noted, *servers):
        pushed(noted, 10)
        assert asyncio.run(ask(primary.url, LISTENING))
        primary.kill()
        time.sleep(2)
        standby.promote()
        asyncio.run(point(folder / "pooler", standby.url, SESSIONS))
        pointed, before = time.monotonic(), len(noted.tags)
        pushed(noted, 0)
        again = time.monotonic()
        pushed(noted, 20)
    print(
        f"{len(noted.contents)} contents acknowledged ({before} tags before), {len(noted.refusals)} refusals; "
        f"pushed again {again - pointed:.1f} s after the pooler knew"
    )
    others = [refusal for refusal in noted.refusals if refusal[0] != 503]
    assert {status for status, _ in others} <= {404, 416}, others
    assert all(headers.get("retry-after") for status, headers in noted.refusals if status == 503)
    assert asyncio.run(ask(standby.url, LISTENING))
    for server in servers:
        assert noted.lost(server) == []
    worked_off(standby)
    asyncio.run(forget_leases(standby.url))  # who could not let go of an upload left it behind
    assert asyncio.run(violations(standby.url, servers[0].storage)) == []
