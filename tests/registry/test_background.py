"""Work beside the requests goes on after an error that nobody expected."""

import asyncio

import pytest

from dataforge_registry.registry.background import beside


@pytest.mark.asyncio
async def test_work_that_fails_is_taken_up_again_until_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    runs, going = 0, asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise RuntimeError("can't start new thread")
        going.set()
        try:
            await asyncio.Event().wait()
        finally:
            going.clear()

    async with beside("the watch", work, pause=0):
        await going.wait()
    assert runs == 3 and not going.is_set()
    assert [record.getMessage() for record in caplog.records] == ["the watch failed; trying again"] * 2
    assert "can't start new thread" in caplog.text
