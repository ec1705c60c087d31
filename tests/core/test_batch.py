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

    gate = asyncio.Event()

    async def ask(keys: Sequence[int]) -> Sequence[int]:
        await gate.wait()
        return list(keys)

    batch = Batch[int, int](ask)

    async def client(*keys: int) -> None:
        for key in keys:
            assert await batch.get(key) == key

    clients = [asyncio.create_task(client(1, 2))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    clients.append(asyncio.create_task(client(3)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gate.set()
    async with asyncio.timeout(10):
        await asyncio.gather(*clients)


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
