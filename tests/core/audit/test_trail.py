"""Pages of the audit trail: the same rows, whether checkpoints or conditions find where a page begins."""

from dataclasses import replace
from datetime import timedelta

import pytest

from dataforge_registry.core.records import trail as pages
from dataforge_registry.core.records.listing import Asked
from dataforge_registry.core.sealing import Signer
from dataforge_registry.core.signing import KeyRing
from dataforge_registry.core.work.purge import purge

from .conftest import Trail

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def all_pages(trail: Trail, size: int, projects: list[int] | None) -> list[int]:
    """Ids page by page, until one is empty."""
    ids: list[int] = []
    number = 1
    while True:
        rows, total = await pages.page(trail.database, Asked(number, size), projects)
        if not rows:
            assert total == len(ids)
            return ids
        ids += [row.id for row in rows]
        number += 1


async def test_every_row_is_on_one_page_newest_first(trail: Trail) -> None:
    for _ in range(3):
        await trail.write(70)
        async with trail.database.acquire() as conn, conn.transaction():  # a gap, as an aborted transaction leaves
            await conn.execute("SELECT nextval('access_log_id')")
        await trail.seal()
    await trail.write(20)
    expected = await trail.ids()
    assert len(expected) == 230
    for size in (1, 7, 50, 100):
        assert await all_pages(trail, size, None) == expected
        assert await all_pages(trail, size, [1]) == expected
    assert await all_pages(trail, 10, [2]) == []


async def test_after_a_purge_as_well(trail: Trail) -> None:
    await trail.write(120)
    await trail.seal()
    first = await trail.value("SELECT last_time FROM audit_checkpoint WHERE number = 1")
    signer = Signer(KeyRing(trail.database, trail.vault, "issuer", "service"), trail.vault)
    assert await purge(trail.database, signer, first + timedelta(microseconds=1)) == 50  # type: ignore[operator]
    await trail.seal()
    expected = await trail.ids()
    assert len(expected) == 71
    assert await all_pages(trail, 9, None) == expected


async def test_long_lists_are_counted_to_a_bound_and_go_on_behind_it(
    trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trail.write(60)
    monkeypatch.setattr(pages, "OF_PROJECT", replace(pages.OF_PROJECT, most=20))
    seen = [await pages.page(trail.database, Asked(number, 10), [1]) for number in (1, 3, 6, 7)]
    assert [(len(rows), total) for rows, total in seen] == [(10, 20), (10, 31), (10, 61), (0, 20)]


FETCHED = """SELECT (SELECT sum(idx_tup_fetch) FROM pg_stat_user_indexes WHERE relname LIKE 'access_log%')
  + (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname LIKE 'access_log%')"""


@pytest.mark.parametrize(
    ("q", "projects", "number"),
    [
        ("", [1], 150),
        ("operation=push", None, 150),
        ("op_time=[2020-01-01T00:00:00~2090-01-01T00:00:00]", None, 150),
        ("username={user7 user8}", [1], 3),
        ("operation_result=false", None, 3),
        ("resource_type=robot", None, 3),
    ],
)
async def test_only_rows_of_the_page_are_read(trail: Trail, q: str, projects: list[int] | None, number: int) -> None:
    """Before a page come entries of an index alone; counting may read MOST rows of a table as small as this."""
    for _ in range(20):
        await trail.write(300)
    await trail.execute(
        """INSERT INTO access_log (username, operation, resource_type, result)
        SELECT 'eve', 'login', 'robot', false FROM generate_series(1, 50)"""
    )
    await trail.execute("CHECKPOINT")  # what is not on the disk yet is not marked as seen by all
    await trail.execute("VACUUM ANALYZE access_log")

    async def fetched() -> int:
        await trail.execute("SELECT pg_stat_force_next_flush()")
        await trail.database.ask("SELECT pg_stat_force_next_flush()", patience=10)  # questions have their connections
        return int(str(await trail.value(FETCHED)))

    before = await fetched()
    rows, _ = await pages.page(trail.database, Asked(number, 10, q=q), projects)
    assert len(rows) == 10
    assert 10 <= await fetched() - before <= pages.MOST + 40
