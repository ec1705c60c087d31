"""The chain over the audit trail: each row once, in order, whoever seals; and each tampering shows (P22).

DFR_TAMPERINGS=1000: that many tamperings instead of a few dozen.
"""

import asyncio
import os
import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.core.records.journal import Horizon, canonical
from dataforge_registry.core.secrets import Vault
from dataforge_registry.core.work.audit_check import check

from .conftest import Trail

TAMPERINGS = int(os.environ.get("DFR_TAMPERINGS", "68"))
TEXTS = ("username", "repo_name", "repo_tag", "operation", "resource_type", "resource", "address", "request_id")
ANY = "(SELECT log_id FROM access_log ORDER BY log_id OFFSET $1 LIMIT 1)"
POINT = "(1 + $1 % (SELECT count(*) - 1 FROM audit_checkpoint))"
TAMPERS = (
    *(f"UPDATE access_log SET {name} = {name} || 'x' WHERE log_id = {ANY}" for name in TEXTS),
    f"UPDATE access_log SET result = NOT result WHERE log_id = {ANY}",
    f"UPDATE access_log SET project_id = NULL WHERE log_id = {ANY}",
    f"UPDATE access_log SET op_time = op_time + interval '1 microsecond' WHERE log_id = {ANY}",
    f"DELETE FROM access_log WHERE log_id = {ANY}",
    # one put in beside another, before all, behind all, or as the newest with an old date
    f"INSERT INTO access_log (log_id, username, operation) SELECT log_id, '', '' FROM access_log WHERE log_id = {ANY}",
    "INSERT INTO access_log (log_id, username, operation) VALUES (-$1::bigint, 'eve', 'pull')",
    "INSERT INTO access_log (log_id, username, operation) VALUES (1000000 + $1, 'eve', 'pull')",
    # two rows change places, and two texts between their columns
    """WITH pair AS (SELECT log_id, lead(log_id) OVER (ORDER BY log_id) AS next FROM access_log),
    chosen AS (SELECT log_id, next FROM pair WHERE next IS NOT NULL ORDER BY log_id OFFSET $1 - 1 LIMIT 1)
    UPDATE access_log a SET log_id = CASE a.log_id WHEN c.log_id THEN c.next ELSE c.log_id END
    FROM chosen c WHERE a.log_id IN (c.log_id, c.next)""",
    f"UPDATE access_log SET username = '', address = username || address WHERE log_id = {ANY}",
    # and the checkpoints themselves
    f"DELETE FROM audit_checkpoint WHERE number = {POINT}",
    f"UPDATE audit_checkpoint SET chain = sha256(chain) WHERE number = {POINT}",
    f"UPDATE audit_checkpoint SET last_time = last_time + interval '1 second' WHERE number = {POINT}",
    f"UPDATE audit_checkpoint SET kid = '', signature = '' WHERE number = {POINT}",
    f"UPDATE audit_checkpoint SET kid = 'mine' WHERE number = {POINT}",
    "UPDATE audit_key SET sealed = sealed || sealed WHERE $1 > 0",
)
KEEP = """CREATE TABLE kept AS TABLE access_log; CREATE TABLE points AS TABLE audit_checkpoint;
CREATE TABLE keys AS TABLE audit_key"""
BACK = """TRUNCATE access_log, audit_checkpoint, audit_key; INSERT INTO access_log SELECT * FROM kept;
INSERT INTO audit_checkpoint SELECT * FROM points; INSERT INTO audit_key SELECT * FROM keys"""


@given(
    *[st.lists(st.one_of(st.none(), st.text(), st.integers(), st.booleans(), st.binary()), max_size=4)] * 2,
)
def test_two_rows_are_the_same_bytes_only_if_they_are_the_same(one: list[object], other: list[object]) -> None:
    """But for a truth beside 1 and 0, and texts beside the same bytes: a column has one type."""
    plain = [[each.encode() if isinstance(each, str) else each for each in row] for row in (one, other)]
    plain = [[b"%d" % each if isinstance(each, int) else each for each in row] for row in plain]
    assert (canonical(one) == canonical(other)) == (plain[0] == plain[1])


@pytest.mark.asyncio
async def test_an_untouched_trail_has_no_findings(trail: Trail) -> None:
    assert (await trail.check()).findings == []
    await trail.write(120)
    await trail.seal()
    await trail.write(7)
    done = await trail.check()
    assert (done.findings, done.rows, done.points, done.unsealed) == ([], 120, 3, 7)
    assert (await check(trail.database, None)).findings == []


@pytest.mark.asyncio
async def test_every_tampering_is_found(trail: Trail) -> None:
    await trail.write(210)
    await trail.seal()
    await trail.execute(KEEP)
    found = 0
    for n in range(TAMPERINGS):
        tamper = TAMPERS[n % len(TAMPERS)]
        await trail.execute(tamper, random.randrange(1, 200))
        found += bool((await trail.check()).findings)
        assert found == n + 1, tamper
        await trail.execute(BACK)
    assert (await trail.check()).findings == []


@pytest.mark.asyncio
async def test_what_was_altered_is_named(trail: Trail) -> None:
    await trail.write(60)
    await trail.seal()
    await trail.execute("UPDATE access_log SET resource = 'x' WHERE log_id IN (7, 9)")
    await trail.execute("DELETE FROM access_log WHERE log_id = 20")
    (finding,) = (await trail.check()).findings
    assert finding == (
        "checkpoint 1 (rows 1 to 50): 50 rows were sealed, 49 are there; rows 7, 9 are not as sealed; 1 are missing"
    )


@pytest.mark.asyncio
async def test_a_chain_made_again_without_the_master_secret_is_found(trail: Trail) -> None:
    """Whoever holds the database alone can compute hashes, but sign them only with keys that it cannot bring in."""
    await trail.write(60)
    await trail.seal()
    await trail.execute("UPDATE access_log SET resource = 'x' WHERE log_id = 7")
    await trail.execute("TRUNCATE audit_checkpoint, audit_key, signing_key")
    forged = Trail(trail.database, Vault("another secret of more than thirty-two letters"), trail.rows)
    await forged.seal()
    assert (await forged.check()).findings == []
    assert any("sealed with another auth.secretkey" in finding for finding in (await trail.check()).findings)


@pytest.mark.asyncio
async def test_an_end_cut_off_shows_against_a_chain_written_down(trail: Trail) -> None:
    await trail.write(120)
    await trail.seal()
    head = str(await trail.value("SELECT encode(chain, 'hex') FROM audit_checkpoint ORDER BY number DESC LIMIT 1"))
    assert (await trail.check(head)).findings == []
    await trail.execute("DELETE FROM access_log WHERE log_id > 100; DELETE FROM audit_checkpoint WHERE number > 2")
    assert (await trail.check()).findings == []
    (finding,) = (await trail.check(head)).findings
    assert "cut off" in finding


@pytest.mark.asyncio
async def test_a_row_dated_back_is_found(trail: Trail) -> None:
    await trail.write(50)
    await trail.seal()
    await trail.execute("INSERT INTO access_log (username, operation, op_time) VALUES ('eve', 'pull', '2024-01-01Z')")
    await trail.seal()
    (finding,) = (await trail.check()).findings
    assert "older than rows that were sealed before" in finding


@pytest.mark.asyncio
async def test_a_signature_outlives_its_key(trail: Trail) -> None:
    await trail.write(50)
    await trail.seal()
    await trail.execute("DELETE FROM signing_key")
    await trail.write(50)
    await trail.seal()
    assert (await trail.check()).findings == []
    assert await trail.value("SELECT count(DISTINCT kid) FROM audit_checkpoint") == 2


@pytest.mark.asyncio
async def test_the_horizon_waits_for_whoever_may_still_write_below_it(trail: Trail) -> None:
    horizon = Horizon()
    async with trail.database.acquire() as conn, trail.database.transaction() as slow:
        await slow.execute("INSERT INTO access_log (username, operation) VALUES ('slow', 'push')")
        await trail.write(5)
        for _ in range(3):
            assert await horizon.settled(conn) == 0
    async with trail.database.acquire() as conn:
        assert await horizon.settled(conn) == 6
    await trail.seal()
    assert await trail.value("SELECT row_count FROM audit_checkpoint") == 6


@pytest.mark.asyncio
async def test_several_sealers_and_writers_seal_each_row_once(trail: Trail) -> None:
    async def writer() -> None:
        for _ in range(20):
            async with trail.database.transaction() as conn:
                await conn.execute("INSERT INTO access_log (username, operation) VALUES ('w', 'push')")
                await asyncio.sleep(random.random() / 200)

    writing = asyncio.gather(*(writer() for _ in range(4)))
    sealers = [trail.sealer() for _ in range(3)]
    while not writing.done():
        await asyncio.gather(*(sealer.step() for sealer in sealers))
    await writing
    await trail.seal()
    done = await trail.check()
    assert (done.findings, done.rows, done.unsealed) == ([], 80, 0)


@pytest.mark.asyncio
async def test_a_checkpoint_waits_for_its_minute_or_for_many_rows(trail: Trail) -> None:
    patient = trail.sealer(timedelta(hours=1))
    await trail.write(3)
    assert [await patient.step() for _ in range(3)] == [0, 3, 0]  # the first ever does not wait
    await trail.write(3)
    assert [await patient.step() for _ in range(3)] == [0, 0, 0]
    await trail.write(60)
    assert [await patient.step() for _ in range(4)] == [0, 50, 0, 0]
