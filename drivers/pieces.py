"""Cutting a body into pieces worth a trip to a thread or to an object store."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final

LEAST: Final = 512 * 1024
"""Bytes gathered before a piece is handed on: servers deliver 64 KiB at most, and a thread hop costs as much as writing
those (bench/drivers.py)."""
MOST: Final = 1024 * 1024
"""Longest piece: bounds memory, and how long a hash that holds the interpreter lock stalls the event loop."""


async def gather(
    data: AsyncIterable[bytes], least: int = LEAST, most: int = MOST
) -> AsyncGenerator[tuple[bytes, bool], None]:
    """The bytes of data in pieces of least to most bytes, each with whether it is the last.

    Exactly one piece is the last: the remainder, shorter than least and possibly empty. So a small body is one piece.
    """
    chunks: list[bytes] = []
    length = 0
    async for chunk in data:
        chunks.append(chunk)
        length += len(chunk)
        if length < least:
            continue
        whole = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        start = 0
        while length - start >= least:
            piece = whole[start : start + most]
            start += len(piece)
            yield piece, False
        chunks = [whole[start:]]
        length -= start
    yield b"".join(chunks), True
