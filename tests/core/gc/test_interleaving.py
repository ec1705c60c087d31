"""gc and pushes that meet over one row, on a real PostgreSQL: transactions held open where the model pauses them."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from dataforge_registry.core.oci.errors import Unavailable

from .conftest import LARGE, LEASE, UNDO, Yard

pytestmark = pytest.mark.asyncio
CLAIM = "SELECT state FROM blob_claim((SELECT repository_id FROM repository WHERE name = $1), $2, $3, $4)"


@asynccontextmanager
async def another(url: str) -> AsyncIterator[Any]:
    """One more process, in a transaction that it does not end yet."""
    conn = await asyncpg.connect(url)
    try:
        async with conn.transaction():
            yield conn
    finally:
        await conn.close()


async def expired(yard: Yard) -> dict[str, Any]:
    """A blob in p/a and p/b that nothing promises any more."""
    content = os.urandom(LARGE)
    await yard.blob(content, "p/b")
    layer = await yard.blob(content)
    await yard.pass_time(LEASE)
    return layer


async def waits(yard: Yard, task: "asyncio.Task[Any]") -> None:
    while not await yard.all("SELECT 1 FROM pg_locks WHERE NOT granted"):
        assert not task.done(), "it went by without waiting"
        await asyncio.sleep(0.01)


async def test_a_link_that_a_manifest_takes_hold_of_is_passed_over(yard: Yard, database_url: str) -> None:
    layer = await expired(yard)
    async with another(database_url) as pusher:
        hold = """SELECT 1 FROM repository_blob l JOIN repository r USING (repository_id)
        WHERE r.name = 'p/a' FOR KEY SHARE OF l"""
        await pusher.execute(hold)
        assert (await yard.gc.reviews()).links == 1  # that of p/b; without waiting
    assert (await yard.gc.reviews()).taken == 0  # not at once again
    await yard.image(layer, tags=["v"])
    await yard.settle()
    assert await yard.state(layer["digest"]) == ("live", 0)
    assert await yard.violations() == []


async def test_a_charge_that_a_linker_holds_is_passed_over_with_its_link(yard: Yard, database_url: str) -> None:
    """The linker has seen the charge: it must not go, or the new link would stand without one."""
    layer = await expired(yard)
    await yard.blob(b"other", "p/c")
    async with another(database_url) as linker:
        assert await linker.fetchval(CLAIM, "p/c", layer["digest"], LARGE, LEASE) == "live"
        assert (await yard.gc.reviews()).links == 0
    assert await yard.violations() == []
    await yard.pass_time(LEASE / 2)
    assert (await yard.gc.reviews()).links == 2  # two of three, the charge is the third's
    assert await yard.violations() == []
    await yard.settle()
    assert await yard.objects() == set()
    assert await yard.used() == (0, 0)


async def test_a_push_that_meets_gc_waits_and_revives_the_blob(yard: Yard, database_url: str) -> None:
    layer = await expired(yard)
    claim = yard.all(CLAIM, "p/a", layer["digest"], LARGE, LEASE)
    async with another(database_url) as gc:
        done = await gc.fetchrow("SELECT links, condemned FROM gc_reviews(100, $1)", UNDO)
        assert tuple(done) == (2, 1)
        push = asyncio.create_task(claim)
        await waits(yard, push)
    assert await push == ["live"]
    assert await yard.state(layer["digest"]) == ("live", 0)
    assert await yard.used() == (LARGE, 0)
    assert await yard.violations() == []
    await yard.pass_time(UNDO)
    await yard.collect()
    assert await yard.repository().stat_blob(layer["digest"])


async def test_a_mount_that_meets_gc_is_refused_or_holds(yard: Yard, database_url: str) -> None:
    layer = await expired(yard)
    await yard.blob(b"other", "q/a")
    async with another(database_url) as gc:
        await gc.execute("SELECT gc_reviews(100, $1)", UNDO)
        mount = asyncio.create_task(yard.repository("q/a").mount_blob(layer["digest"], "p/a"))
        await waits(yard, mount)
    assert not await mount
    assert await yard.state(layer["digest"]) == ("condemned", 0)
    assert await yard.violations() == []


async def test_gc_gives_way_rather_than_wait(yard: Yard, database_url: str) -> None:
    """Whoever holds the project's row may wait for what gc holds: gc lets all of it go, and does it later."""
    layer = await expired(yard)
    async with another(database_url) as pusher:
        await pusher.execute("UPDATE project SET storage_used = storage_used")
        with pytest.raises(Unavailable, match="gave way"):
            await yard.gc.reviews()
        assert await yard.state(layer["digest"]) == ("live", 0)
    assert (await yard.gc.reviews()).links == 2
    assert await yard.violations() == []


async def test_an_artifact_that_comes_back_while_gc_looks_at_it(yard: Yard, database_url: str) -> None:
    layer = await yard.blob(os.urandom(LARGE))
    image = await yard.image(layer, tags=["v"])
    await yard.pass_time(LEASE)
    await yard.repository().delete_manifest(image)
    await yard.pass_time(UNDO)
    await yard.repository().stat_blob(layer["digest"])  # a promise
    async with another(database_url) as gc:
        assert await gc.fetchval("SELECT artifacts FROM gc_reviews(100, $1)", UNDO) == 1
        push = asyncio.create_task(yard.image(layer, tags=["v"]))
        await waits(yard, push)
    assert await push == image
    await yard.settle()
    assert (await yard.repository().stat_manifest("v")).digest == image
    assert await yard.state(layer["digest"]) == ("live", 0)
    assert await yard.violations() == []
