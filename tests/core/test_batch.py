"""Batched look-ups: who waits is answered, by a query that began after he came."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from dataforge_registry.core.batch import LARGEST, Batch, apart
from dataforge_registry.core.oci.errors import BlobUnknown, Unavailable

K = TypeVar("K")


def batched(ask: Callable[[Sequence[K]], Awaitable[Sequence[K | Exception]]]) -> Batch[None, K, K]:
    """A batch that needs no session."""

    @asynccontextmanager
    async def session() -> AsyncIterator[None]:
        yield

    return Batch(session, lambda _, keys: ask(keys))


@pytest.mark.asyncio
async def test_keys_that_wait_share_the_next_query() -> None:
    asked: list[list[int]] = []
    gate = asyncio.Event()

    async def ask(keys: Sequence[int]) -> Sequence[int]:
        asked.append(list(keys))
        await gate.wait()
        return [key * 10 for key in keys]

    batch = batched(ask)
    waiting = [asyncio.create_task(batch.get(0))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting += [asyncio.create_task(batch.get(key)) for key in (*range(LARGEST + 1), 7)]
    await asyncio.sleep(0)
    gate.set()
    answers = await asyncio.gather(*waiting)
    assert answers == [0, *(key * 10 for key in range(LARGEST + 1)), 70]
    assert [len(keys) for keys in asked] == [1, LARGEST, 1]


@pytest.mark.asyncio
async def test_nobody_is_left_waiting_when_queries_end_as_he_comes() -> None:
    """A key that came after the last look at the queue and before the task counted as done waited for ever."""

    gate = asyncio.Event()

    async def ask(keys: Sequence[int]) -> Sequence[int]:
        await gate.wait()
        return list(keys)

    batch = batched(ask)

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

    batch = batched(ask)
    first, second = asyncio.create_task(batch.get("good")), asyncio.create_task(batch.get("good"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "good"
    with pytest.raises(ValueError, match="no"):
        await batch.get("bad")
    assert await batch.get("good") == "good"


@pytest.mark.asyncio
async def test_a_session_is_kept_while_somebody_waits_and_left_after_a_failure() -> None:
    """A connection that broke fails the keys that were asked on it; the others get a new one."""
    opened = 0

    @asynccontextmanager
    async def session() -> AsyncIterator[int]:
        nonlocal opened
        opened += 1
        yield opened

    async def ask(on: int, keys: Sequence[str]) -> Sequence[tuple[str, int]]:
        await asyncio.sleep(0)
        if "bad" in keys:
            raise ValueError("no")
        return [(key, on) for key in keys]

    batch = Batch(session, ask)
    first, second = asyncio.create_task(batch.get("a")), asyncio.create_task(batch.get("b"))
    await asyncio.sleep(0)
    later = [asyncio.create_task(batch.get(key)) for key in ("c", "d")]
    assert {(await task)[1] for task in (first, second, *later)} <= {1, 2}
    assert opened == 1
    held = asyncio.create_task(batch.get("bad"))
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="no"):
        await held
    before = opened
    assert (await batch.get("e"))[1] == before + 1


@pytest.mark.asyncio
async def test_without_a_session_all_who_wait_are_told() -> None:
    @asynccontextmanager
    async def session() -> AsyncIterator[None]:
        await asyncio.sleep(0)
        raise ValueError("no connection")
        yield

    async def ask(_: None, keys: Sequence[int]) -> Sequence[int]:
        return list(keys)

    batch = Batch(session, ask)
    answers = await asyncio.gather(*(batch.get(key) for key in range(5)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["no connection"] * 5


@pytest.mark.asyncio
async def test_what_is_refused_takes_nobody_down_with_it() -> None:
    asked: list[list[int]] = []

    async def ask(keys: Sequence[int]) -> Sequence[int]:
        asked.append(list(keys))
        if 3 in keys:
            raise BlobUnknown("not 3")
        return [key * 10 for key in keys]

    assert [type(answer) for answer in await apart(ask)([1, 3, 2])] == [int, BlobUnknown, int]
    assert asked == [[1, 3, 2], [1], [3], [2]]
    batch = batched(apart(ask))
    answers = await asyncio.gather(*(batch.get(key) for key in range(6)), return_exceptions=True)
    assert [answer for answer in answers if not isinstance(answer, BlobUnknown)] == [0, 10, 20, 40, 50]


@pytest.mark.asyncio
async def test_what_nobody_knows_is_not_done_again() -> None:
    asked: list[list[int]] = []

    async def ask(keys: Sequence[int]) -> Sequence[int]:
        asked.append(list(keys))
        raise Unavailable("the connection broke, perhaps after the commit")

    with pytest.raises(Unavailable):
        await apart(ask)([1, 2])
    assert asked == [[1, 2]]
