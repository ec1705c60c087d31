"""Purging: what is old and sealed goes, the chain goes on from a signed record, and nothing else can be taken out."""

from datetime import UTC, datetime, timedelta

import pytest

from dataforge_registry.core.records.partitions import ensure_partitions
from dataforge_registry.core.sealing import Signer
from dataforge_registry.core.signing import KeyRing
from dataforge_registry.core.work.purge import PurgeParameters, purge

from .conftest import Trail

OLD = """INSERT INTO access_log (username, operation, op_time)
SELECT 'u', 'pull', now() - make_interval(days => $1) + make_interval(secs => n) FROM generate_series(1, $2::int) n"""
PARTITIONS = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'access_log'::regclass"


async def purged(trail: Trail, days: int, dry_run: bool = False) -> int:
    signer = Signer(KeyRing(trail.database, trail.vault, "issuer", "service"), trail.vault)
    return await purge(trail.database, signer, datetime.now(UTC) - timedelta(days=days), dry_run)


async def old_trail(trail: Trail) -> None:
    """50 rows each of 200, 100 and 1 days ago, sealed as they came."""
    for days in (200, 100, 1):
        await trail.execute(OLD, days, 50)
        await trail.seal()
    await ensure_partitions(trail.database)


@pytest.mark.asyncio
async def test_old_rows_go_with_their_partitions_and_the_rest_still_proves_itself(trail: Trail) -> None:
    await old_trail(trail)
    before = await trail.value(PARTITIONS)
    assert isinstance(before, int)
    assert await purged(trail, 150, dry_run=True) == 50
    assert await trail.value("SELECT count(*) FROM access_log") == 150
    assert await purged(trail, 150) == 50
    assert await trail.value(PARTITIONS) == before - 1
    assert await trail.value("SELECT count(*) FROM access_log WHERE operation = 'pull'") == 100
    done = await trail.check()
    assert (done.purged, done.rows, done.unsealed) == (50, 100, 1)
    assert [finding for finding in done.findings if "older than rows" not in finding] == []
    assert await purged(trail, 150) == 0


@pytest.mark.asyncio
async def test_within_a_month_rows_go_one_by_one(trail: Trail) -> None:
    await ensure_partitions(trail.database)
    await trail.write(120)
    await trail.seal()
    assert await purged(trail, -1) == 120
    assert await trail.value("SELECT count(*) FROM access_log WHERE operation = 'push'") == 0
    await trail.write(10)
    await trail.seal()
    done = await trail.check()
    assert (done.findings, done.purged, done.rows) == ([], 120, 11)  # and the row that says who purged


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE audit_purge SET last_id = last_id + 50, number = number + 1",
        "UPDATE audit_purge SET chain = sha256(chain)",
        "UPDATE audit_purge SET signature = ''",
        "DELETE FROM audit_purge",
        "DELETE FROM access_log WHERE log_id BETWEEN 60 AND 70",
        "INSERT INTO access_log (log_id, username, operation) VALUES (3, 'eve', 'pull')",
    ],
)
async def test_a_purge_is_no_way_to_hide_anything(trail: Trail, tamper: str) -> None:
    await trail.write(50)
    await trail.seal()
    await trail.execute("UPDATE audit_checkpoint SET last_time = last_time WHERE number = 1")
    await trail.write(100)
    async with trail.database.acquire() as conn:
        middle = await conn.fetchval("SELECT max(op_time) FROM access_log WHERE log_id <= 50")
    await trail.seal()
    signer = Signer(KeyRing(trail.database, trail.vault, "issuer", "service"), trail.vault)
    assert await purge(trail.database, signer, middle + timedelta(microseconds=1)) == 50
    await trail.seal()
    assert (await trail.check()).findings == []
    await trail.execute(tamper)
    assert (await trail.check()).findings != []


def test_rows_of_some_kinds_alone_cannot_be_purged() -> None:
    PurgeParameters.check_kinds({"include_event_types": "create_artifact,delete_artifact,pull_artifact"})
    PurgeParameters.check_kinds({"include_operations": ""})
    with pytest.raises(ValueError, match="some kinds alone"):
        PurgeParameters.check_kinds({"include_operations": "pull"})
    with pytest.raises(ValueError, match="audit_retention_hour"):
        PurgeParameters(0)
