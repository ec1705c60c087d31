"""Places in a lane: never too many inside, none lost, whoever waits comes in order."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataforge_registry.registry.load.lane import Lane


@given(st.integers(1, 4), st.integers(0, 5), st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30))
def test_no_place_is_lost_whoever_is_cancelled_or_gives_up(
    most: int, queue: int, comings: list[tuple[int, int]]
) -> None:
    asyncio.run(_crowd(most, queue, comings))


async def _crowd(most: int, queue: int, comings: list[tuple[int, int]]) -> None:
    lane, inside = Lane(most, queue, 0.002), 0

    async def one(stays: int) -> bool:
        nonlocal inside
        if not lane.enter() and not await lane.wait():
            return False
        inside += 1
        assert inside <= most and lane.waiting <= queue
        try:
            await asyncio.sleep(stays / 1000)
        finally:
            inside -= 1
            lane.leave()
        return True

    tasks = []
    for stays, after in comings:
        tasks.append(asyncio.create_task(one(stays)))
        for _ in range(after):
            await asyncio.sleep(0)
        if after == 3:
            tasks[len(tasks) // 2].cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, (bool, asyncio.CancelledError)) for end in ended)
    assert (lane.inside, lane.waiting) == (0, 0)


@pytest.mark.asyncio
async def test_those_who_wait_come_in_order_and_newcomers_behind_them() -> None:
    lane, order = Lane(1, 10, 60), list[int]()
    assert lane.enter()

    async def one(number: int) -> None:
        assert await lane.wait()
        order.append(number)
        lane.leave()

    tasks = []
    for number in range(5):
        tasks.append(asyncio.create_task(one(number)))
        await asyncio.sleep(0)
    assert not lane.enter() and lane.waiting == 5
    lane.leave()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4] and lane.inside == 0


@pytest.mark.asyncio
async def test_without_a_bound_everybody_is_inside() -> None:
    lane = Lane(0, 0, 0)
    assert all(lane.enter() for _ in range(10_000))
