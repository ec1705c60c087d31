"""Batched look-ups: who waits is answered, by a query that began after he came."""

import asyncio
from collections.abc import Sequence

import pytest

from dataforge_registry.core.batch import AT_ONCE, LARGEST, Batch


@pytest.mark.asyncio
async def test_keys_that_wait_share_the_next_query() -> None:
    asked: list[list[int]] = []
    gate = asyncio.Event()

    async def ask(keys: Sequence[int]) -> Sequence[int]:
        asked.append(list(keys))
        await gate.wait()
        return [key * 10 for key in keys]

    batch = Batch[int, int](ask)
    waiting = [asyncio.create_task(batch.get(key)) for key in range(AT_ONCE)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting += [asyncio.create_task(batch.get(key)) for key in (*range(LARGEST + 1), 7)]
    await asyncio.sleep(0)
    gate.set()
    answers = await asyncio.gather(*waiting)
    assert answers == [0, 10, *(key * 10 for key in range(LARGEST + 1)), 70]
    assert [len(keys) for keys in asked] == [AT_ONCE, LARGEST, 1]


@pytest.mark.asyncio
async def test_nobody_is_left_waiting_when_queries_end_as_he_comes() -> None:
    """A key that came after the last look at the queue and before the task counted as done waited for ever."""

    async def ask(keys: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        return list(keys)

    batch = Batch[int, int](ask)

    async def client(number: int) -> None:
        for turn in range(200):
            assert await batch.get(number * 1000 + turn) == number * 1000 + turn

    async with asyncio.timeout(30):
        await asyncio.gather(*(client(number) for number in range(2 * AT_ONCE)))


@pytest.mark.asyncio
async def test_a_failed_query_fails_its_keys_alone_and_a_cancelled_waiter_nobody_else() -> None:
    async def ask(keys: Sequence[str]) -> Sequence[str]:
        await asyncio.sleep(0)
        if "bad" in keys:
            raise ValueError("no")
        return list(keys)

    batch = Batch[str, str](ask)
    first, second = asyncio.create_task(batch.get("good")), asyncio.create_task(batch.get("good"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "good"
    with pytest.raises(ValueError, match="no"):
        await batch.get("bad")
    assert await batch.get("good") == "good"
