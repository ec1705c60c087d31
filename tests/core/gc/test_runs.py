"""Runs: what they do at once, what a dry run says of it, stops and resumes, many workers, schedules."""

import asyncio
import os
from datetime import timedelta
from typing import Any

import pytest

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.records import executions, settings, work
from dataforge_registry.core.records.listing import Asked
from dataforge_registry.core.work import schedule
from dataforge_registry.core.work.deletions import Deletions
from dataforge_registry.core.work.gc import Gc, Tally
from dataforge_registry.core.work.gc_run import GC, GcParameters, resume_gc
from dataforge_registry.core.work.queue import start
from dataforge_registry.core.work.task import Wanted

from .conftest import LARGE, LEASE, UNDO, Yard

pytestmark = pytest.mark.asyncio


async def littered(yard: Yard) -> None:
    """Some of everything, of which nothing is promised any more."""
    for number in range(3):
        await yard.blob(os.urandom(LARGE + number))
    await yard.image(await yard.blob(os.urandom(LARGE)), tags=["kept"])
    deleted = await yard.image(await yard.blob(os.urandom(LARGE)), tags=["v"])
    await yard.image(await yard.blob(os.urandom(LARGE)), tags=[])
    await yard.pass_time(LEASE)
    await yard.repository().delete_manifest(deleted)
    await yard.pass_time(UNDO)


async def picture(yard: Yard) -> list[Any]:
    """All that a dry run may not change."""
    tables = ("artifact", "artifact_blob", "repository_blob", "project_blob", "project", "gc_review", "gc_delete")
    return [await yard.all(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]


@pytest.mark.parametrize("untagged", [False, True])
async def test_a_dry_run_says_what_a_run_then_does(yard: Yard, untagged: bool) -> None:
    await littered(yard)
    before = await picture(yard)
    asked = GcParameters(delete_untagged=untagged, dry_run=True)
    dry = await yard.run(await yard.start(asked))
    assert dry.status == "success"
    assert await picture(yard) == before
    would = dry.attributes["would"]
    assert (would["artifacts"], would["untagged"]) == (1, int(untagged))
    done = await yard.run(await yard.start(GcParameters(delete_untagged=untagged)))
    counts = done.attributes["counts"]
    assert (counts["artifacts"], counts["untagged"]) == (1, int(untagged))
    if untagged:  # what they held goes a window later
        await yard.pass_time(UNDO)
        await yard.gc.step()
        await yard.gc.step()
        over = await yard.all("SELECT count(*), sum(size)::bigint FROM artifact_blob WHERE state <> 'live'")
        assert over == [(would["blobs"], would["blob_bytes"])]
        return
    assert (counts["links"], counts["condemned"], counts["condemned_bytes"]) == (
        would["links"],
        would["blobs"],
        would["blob_bytes"],
    )
    assert would["blobs"] == 4
    later = (await yard.run(await yard.start(asked))).attributes["would"]
    assert (later["waiting_blobs"], later["waiting_bytes"]) == (4, would["blob_bytes"])
    await yard.pass_time(UNDO)
    later = (await yard.run(await yard.start(asked))).attributes["would"]
    assert (later["free_blobs"], later["free_bytes"], later["waiting_blobs"]) == (4, would["blob_bytes"], 0)


async def test_a_run_does_everything_that_is_due(yard: Yard) -> None:
    await littered(yard)
    await yard.run(await yard.start(GcParameters()))
    await yard.pass_time(UNDO)
    started = await yard.start(GcParameters(workers=3))
    done = await yard.run(started)
    assert (done.status, done.username, done.trigger) == ("success", "me", "manual")
    assert done.attributes["purged_blobs"] == 4
    assert done.attributes["freed_space"] == 4 * LARGE + 3
    assert done.attributes["done"] == done.attributes["total"] > 0
    assert done.attributes["rate"] > 0
    assert done.attributes["eta"] == 0
    assert (done.attributes["workers"], done.attributes["dry_run"]) == (3, False)
    async with yard.database.acquire() as conn:
        said = await executions.lines(conn, started)
        page, total = await executions.executions(conn, GC, Asked(page_size=1))
    assert "freed 4 blobs" in said[-1].line
    assert (page[0].id, total) == (started, 2)
    assert (await yard.orphans())[1] == set()
    assert len(await yard.objects()) == 2


async def test_many_workers_do_each_thing_once(yard: Yard) -> None:
    for number in range(60):
        await yard.blob(b"%d" % number * 5000)
    await yard.pass_time(LEASE)
    collectors = [Gc(yard.database, lease=LEASE, undo=timedelta(0), batch=7) for _ in range(8)]
    tallies: list[Tally] = []
    while await yard.all("SELECT 1 FROM artifact_blob WHERE state <> 'gone' LIMIT 1"):
        tallies += await asyncio.gather(*(gc.both() for gc in collectors))
    done = sum(tallies, Tally())
    assert (done.links, done.condemned, done.gone) == (60, 60, 60)
    assert done.freed_bytes == await _sum(yard, "SELECT sum(size)::bigint FROM artifact_blob")
    assert await yard.used() == (0, 0)
    assert len(await yard.all("SELECT id FROM gc_delete")) == 60
    deleters = [Deletions(yard.database, yard.driver, batch=7) for _ in range(8)]
    deleted = 0
    while await yard.all("SELECT 1 FROM gc_delete LIMIT 1"):
        deleted += sum(await asyncio.gather(*(each.step() for each in deleters)))
    assert deleted == 60
    assert await yard.objects("") == set()


async def _sum(yard: Yard, statement: str) -> int:
    (found,) = await yard.all(statement)
    return int(found)


async def test_a_run_that_is_stopped_goes_on_where_it_was(yard: Yard) -> None:
    layer = await yard.blob(os.urandom(LARGE))
    for number in range(9):
        await yard.image(layer, tags=[], annotations={"n": str(number)})
    await yard.pass_time(2 * LEASE)
    yard.gc.batch = 2
    walked, held = asyncio.Event(), asyncio.Event()
    walk = yard.gc.untagged

    async def slowly(*args: Any) -> Any:
        answer = await walk(*args)
        if (await yard.all("SELECT count(*) FROM artifact WHERE deleted_at IS NOT NULL"))[0] >= 4:
            walked.set()
            await held.wait()
        return answer

    yard.gc.untagged = slowly  # type: ignore[method-assign]
    started = await yard.start(GcParameters(delete_untagged=True))
    running = asyncio.create_task(yard.run(started, silence=0.3))
    await walked.wait()
    await yard.database.run(lambda conn: work.stop_execution(conn, started))
    assert (await running).status == "stopped"
    assert await yard.all("SELECT count(*) FROM artifact WHERE deleted_at IS NOT NULL") == [4]
    held.set()
    again = await yard.database.run(lambda conn: resume_gc(conn, started, "me"))
    assert again is not None
    done = await yard.run(again)
    assert (done.status, done.attributes["delete_untagged"]) == ("success", True)
    assert await yard.all("SELECT count(*) FROM artifact WHERE deleted_at IS NOT NULL") == [9]
    assert await yard.database.run(lambda conn: resume_gc(conn, again, "me")) is None


async def test_untagged_artifacts_stay_while_the_registry_is_read_only(yard: Yard) -> None:
    layer = await yard.blob(os.urandom(LARGE))
    await yard.image(layer, tags=[])
    await yard.pass_time(2 * LEASE)
    for mode, gone in ((settings.Mode.READ_ONLY, 0), (settings.Mode.NORMAL, 1)):
        async with yard.database.transaction() as conn:
            await settings.set_mode(conn, SYSTEM, mode)
        done = await yard.run(await yard.start(GcParameters(delete_untagged=True)))
        assert done.status == "success"
        assert await yard.all("SELECT count(*) FROM artifact WHERE deleted_at IS NOT NULL") == [gone]


async def test_a_schedule_starts_runs_with_its_parameters(yard: Yard) -> None:
    await yard.image(await yard.blob(os.urandom(LARGE)), tags=[])
    await yard.pass_time(LEASE)
    asked = {"delete_untagged": True, "time_window": 1}
    async with yard.database.transaction() as conn:
        made = await schedule.put(conn, GC, "0 0 3 * * *", asked)
        assert (made.cron, made.payload, made.next_run_at.hour) == ("0 0 3 * * *", asked, 3)
        assert (await schedule.put(conn, GC, "0 0 4 * * 1", asked)).next_run_at.hour == 4
        with pytest.raises(schedule.BadCron):
            await schedule.put(conn, GC, "0 3 * * *", asked)
        await conn.execute("UPDATE schedule SET next_run_at = now()")
        assert await schedule.fire(conn) == 1
    (started,) = await yard.all("SELECT id FROM execution")
    assert (await yard.run(started)).trigger == "schedule"
    assert await yard.all("SELECT count(*) FROM artifact WHERE deleted_at IS NULL") == [0]
    async with yard.database.acquire() as conn:
        found = await executions.schedule(conn, GC)
        assert found is not None
        assert found.last_run_at is not None
        assert await executions.drop_schedule(conn, GC)
        assert not await executions.drop_schedule(conn, GC)
        assert await executions.schedule(conn, GC) is None


async def test_a_second_attempt_counts_on(yard: Yard) -> None:
    """A worker that died left its progress in the execution."""
    await littered(yard)
    started = await yard.database.run(lambda conn: start(conn, Wanted(GC, [{"workers": 2}])))
    before = {"counts": {"taken": 10, "links": 10}, "objects": 5, "untagged_after": 3}
    async with yard.database.transaction() as conn:
        await conn.execute(
            "UPDATE execution SET extra_attrs = $1", '{"counts": {"taken": 10, "links": 10}, "objects": 5}'
        )
    done = await yard.run(started)
    assert done.attributes["counts"]["links"] == 14
    assert done.attributes["counts"]["taken"] > 10
    assert done.attributes["objects"] >= before["objects"]


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"workers": 17}, {"time_window": -1}, {"time_window": float("nan")}])
async def test_parameters_that_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        GcParameters(**wrong)
