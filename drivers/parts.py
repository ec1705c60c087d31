"""A body in parts that become objects: gathered, hashed and stored, two of them in memory."""

import asyncio
import sys
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
from contextlib import suppress
from io import BytesIO
from typing import Final

from .base import Hash
from .objects import ObjectStore, Piece
from .part import Part
from .pieces import gather

PARTS: Final = 2
"""Parts of an upload in memory, filled or on their way."""
AT_ONCE: Final = 8
"""Requests of one call under way at once that carry no bytes through here."""
STEP: Final = 1024 * 1024


async def parts_of(data: AsyncIterable[bytes], size: int, digester: Hash | None) -> AsyncGenerator[BytesIO, None]:
    """The bytes of data in parts of at least `size`, the last one shorter; none where there are no bytes."""
    part = Part()
    async for chunks, _ in gather(data):
        part.writelines(chunks)
        if digester is not None and chunks:
            await asyncio.to_thread(_feed, digester, chunks)
        if part.tell() >= size:
            yield part
            part = Part()
    if part.tell():
        yield part


def _feed(digester: Hash, chunks: Sequence[bytes]) -> None:
    for chunk in chunks:
        for start in range(0, len(chunk), STEP):
            digester.update(chunk[start : start + STEP])


async def some(parts: AsyncIterator[BytesIO], most: int) -> list[BytesIO]:
    """So many of the next parts, or what there is."""
    taken: list[BytesIO] = []
    while len(taken) < most and (part := await anext(parts, None)) is not None:
        taken.append(part)
    return taken


async def chained(
    first: list[BytesIO], rest: AsyncIterator[BytesIO], most: int = sys.maxsize
) -> AsyncGenerator[BytesIO, None]:
    """Parts that came already, and those that follow, so many in all: what is behind them stays in `rest`."""
    for _ in range(most):
        part = first.pop(0) if first else await anext(rest, None)
        if part is None:
            return
        yield part


def size_of(content: BytesIO) -> int:
    """How many bytes it holds."""
    return content.getbuffer().nbytes


async def store_parts(put: Callable[[BytesIO], Awaitable[None]], parts: AsyncIterator[BytesIO]) -> None:
    """Each part by put, which is called in order, and as many at once as PARTS has room for, with the one being filled.
    What was written stays where one fails: who owns it removes it."""
    room = asyncio.Semaphore(PARTS)
    under_way: set[asyncio.Task[None]] = set()

    async def stored(putting: Awaitable[None], content: BytesIO) -> None:
        try:
            await putting
        finally:
            with suppress(BufferError):  # a connection that breaks holds a slice, for a moment
                content.close()  # its bytes go now: a request and its body may hold each other until a collection
            room.release()

    try:
        await room.acquire()
        async for content in parts:
            under_way.add(asyncio.create_task(stored(put(content), content)))
            del content  # the task's alone now
            await room.acquire()
            _raise_first(under_way)
    finally:  # never left alone: a request that was cancelled may still be stored, behind the back of an abort
        await asyncio.gather(*under_way, return_exceptions=True)
    _raise_first(under_way)


async def in_few(
    names: Iterator[str],
    parts: AsyncIterator[BytesIO],
    most: int,
    put: Callable[[str, BytesIO], Awaitable[None]],
    gathered: Callable[[str, AsyncIterator[BytesIO]], Awaitable[Piece]],
) -> list[Piece]:
    """ObjectStore.write of a store that makes one object of `most` parts."""
    written: list[Piece] = []
    while first := await some(parts, 2):
        name = next(names)
        if len(first) > 1:
            written.append(await gathered(name, chained(first, parts, most)))
        else:
            written.append(Piece(name, size_of(first[0])))
            await put(name, first.pop())
    return written


async def as_objects(store: ObjectStore, names: Iterator[str], parts: AsyncIterator[BytesIO]) -> list[Piece]:
    """ObjectStore.write of a store that has nothing better: each part is an object."""
    stored: list[Piece] = []

    def put(content: BytesIO) -> Awaitable[None]:
        stored.append(Piece(next(names), size_of(content)))
        return store.put(stored[-1].name, content)

    await store_parts(put, parts)
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
