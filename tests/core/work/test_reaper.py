"""What is left behind goes, and what is in use stays."""

import dataclasses
import json
import time
from typing import Any
from uuid import uuid4

import pytest

from dataforge_registry.core.body import once
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.work.reaper import Reaper
from dataforge_registry.drivers.base import Driver, Staging, Unavailable
from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.drivers.wrap import Faulty


async def staged(driver: Driver, content: bytes = b"half a blob") -> Staging:
    return await driver.append(await driver.begin(), once(content))


async def upload(
    home: Any, staging: Staging | None, expires: str, leased: str | None = None, status: str = "open"
) -> None:
    async with home.database.acquire() as conn:
        await conn.execute(
            "INSERT INTO upload (id, repository_id, principal, staging, status, expires_at, lease, leased_at)"
            f" VALUES ($1, $2, 'me', $3, $4, now() + interval '{expires}', $5, now() + $6::text::interval)",
            uuid4(),
            home.repository,
            json.dumps(dataclasses.asdict(staging)) if staging else None,
            status,
            uuid4() if leased else None,
            leased,
        )


async def stagings(driver: Driver) -> set[str]:
    return {staging.id async for staging in driver.stale(time.time() + 60)}


async def count(database: Database, table: str) -> int:
    async with database.acquire() as conn:
        return int(await conn.fetchval(f"SELECT count(*) FROM {table}"))


@pytest.mark.asyncio
@pytest.mark.parametrize("driver", ["memory", "filesystem"], indirect=True)
async def test_expired_uploads_go_with_their_stagings(home: Any, driver: Driver, database: Database) -> None:
    expired, done, written, silent, young = [await staged(driver) for _ in range(5)]
    await upload(home, expired, "-1 second")
    await upload(home, done, "-1 second", status="done")
    await upload(home, written, "-1 second", leased="-1 second")  # someone is writing it
    await upload(home, silent, "-1 second", leased="-31 seconds")
    await upload(home, young, "1 hour")
    await upload(home, None, "-1 second")
    reaper = Reaper(database, driver, lease=30.0)
    assert await reaper.uploads() == 4
    assert await count(database, "upload") == 2
    assert await stagings(driver) == {each.id for each in (expired, done, written, silent, young)}
    assert await reaper.stagings() == 3
    assert await stagings(driver) == {written.id, young.id}
    assert await count(database, "upload_staging") == 0
    assert (await reaper.uploads(), await reaper.stagings()) == (0, 0)


@pytest.mark.asyncio
async def test_a_staging_that_cannot_be_aborted_is_kept_for_later(home: Any, database: Database) -> None:
    driver = Faulty(MemoryDriver())
    for _ in range(2):
        await upload(home, await staged(driver), "-1 second")
    reaper = Reaper(database, driver)
    await reaper.uploads()
    driver.fail("abort", Unavailable("not now"))
    assert await reaper.stagings() == 1
    assert await count(database, "upload_staging") == 1
    assert await reaper.stagings() == 0  # not at once
    async with database.acquire() as conn:
        await conn.execute("UPDATE upload_staging SET abort_after = now()")
    assert await reaper.stagings() == 1
    assert await stagings(driver) == set()


@pytest.mark.asyncio
@pytest.mark.parametrize("driver", ["memory", "filesystem"], indirect=True)
async def test_stagings_without_a_row_go_after_the_grace(home: Any, driver: Driver, database: Database) -> None:
    known, queued, stray = [await staged(driver) for _ in range(3)]
    await upload(home, known, "1 hour")
    async with database.acquire() as conn:
        await conn.execute(
            "INSERT INTO upload_staging VALUES ($1, $2, now() + interval '1 hour')",
            queued.id,
            json.dumps(dataclasses.asdict(queued)),
        )
    assert await Reaper(database, driver, grace=3600.0).strays() == 0
    assert await Reaper(database, driver, grace=-60.0).strays() == 1
    assert await stagings(driver) == {known.id, queued.id}
    assert stray.id not in await stagings(driver)


@pytest.mark.asyncio
async def test_expired_credentials_go(database: Database, driver: Driver) -> None:
    async with database.acquire() as conn:
        account = await conn.fetchval("INSERT INTO account (username) VALUES ('a') RETURNING account_id")
        for name, age in (("old", "-1 second"), ("new", "1 hour")):
            expires = f"now() + interval '{age}'"
            await conn.execute(
                "INSERT INTO refresh_token (token_hash, account_id, token_epoch, service, expires_at)"
                f" VALUES ($1, $2, 0, 's', {expires})",
                name.encode(),
                account,
            )
            await conn.execute(f"INSERT INTO session VALUES ($1, $2, 0, now(), {expires})", name.encode(), account)
        await conn.execute(
            "INSERT INTO login_failure VALUES ('past', 3, now() - interval '2 days', now() - interval '2 days'),"
            " ('blocked', 9, now() - interval '2 days', now() + interval '1 hour'),"
            " ('recent', 1, now(), now())"
        )
    await Reaper(database, driver).credentials()
    async with database.acquire() as conn:
        assert [row["token_hash"] for row in await conn.fetch("SELECT token_hash FROM refresh_token")] == [b"new"]
        assert [row["session_hash"] for row in await conn.fetch("SELECT session_hash FROM session")] == [b"new"]
        subjects = await conn.fetch("SELECT subject FROM login_failure ORDER BY subject")
    assert [row["subject"] for row in subjects] == ["blocked", "recent"]
