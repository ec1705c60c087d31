"""A body in parts that become objects: gathered, hashed and stored, two of them in memory."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Sequence,
)
from io import BytesIO
from typing import Final

from .base import Hash
from .objects import ObjectStore, Piece
from .pieces import gather

PARTS: Final = 2
"""Parts of an upload in memory, filled or on their way."""
AT_ONCE: Final = 8
"""Requests of one call under way at once that carry no bytes through here."""
STEP: Final = 1024 * 1024


async def parts_of(data: AsyncIterable[bytes], size: int, digester: Hash | None) -> AsyncGenerator[BytesIO, None]:
    """The bytes of data in parts of at least `size`, the last one shorter; none where there are no bytes."""
    part = BytesIO()
    async for chunks, _ in gather(data):
        part.writelines(chunks)
        if digester is not None and chunks:
            await asyncio.to_thread(_feed, digester, chunks)
        if part.tell() >= size:
            yield part
            part = BytesIO()
    if part.tell():
        yield part


def _feed(digester: Hash, chunks: Sequence[bytes]) -> None:
    for chunk in chunks:
        for start in range(0, len(chunk), STEP):
            digester.update(chunk[start : start + STEP])


async def chained(first: list[BytesIO], rest: AsyncIterator[BytesIO]) -> AsyncIterator[BytesIO]:
    """Parts that came already, and those that follow."""
    while first:  # nobody holds on to a part that is yielded
        yield first.pop(0)
    async for part in rest:
        yield part


def size_of(content: BytesIO) -> int:
    """How many bytes it holds."""
    return content.getbuffer().nbytes


async def store_parts(store: ObjectStore, names: Iterator[str], parts: AsyncIterator[BytesIO]) -> list[Piece]:
    """Each part as an object, in order; as many at once as PARTS has room for, with the one being filled. What was
    written stays where one fails: who owns the names removes it."""
    stored: list[Piece] = []
    room = asyncio.Semaphore(PARTS)
    under_way: set[asyncio.Task[None]] = set()

    async def put(piece: Piece, content: BytesIO) -> None:
        try:
            await store.put(piece.name, content)
        finally:
            content.close()  # its bytes go now: a client's request and its body may hold each other until a collection
            room.release()

    try:
        await room.acquire()
        async for content in parts:
            stored.append(Piece(next(names), size_of(content)))
            under_way.add(asyncio.create_task(put(stored[-1], content)))
            del content  # the task's alone now
            await room.acquire()
            _raise_first(under_way)
    finally:  # never left alone: a request that was cancelled may still be stored, behind the back of an abort
        await asyncio.gather(*under_way, return_exceptions=True)
    _raise_first(under_way)
    return stored


def _raise_first(tasks: Iterable[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def each(calls: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """All of them, AT_ONCE at a time; the first error ends it, when none is under way any more."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(call: Callable[[], Awaitable[None]]) -> None:
        async with room:
            await call()

    try:
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(one(call))
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
