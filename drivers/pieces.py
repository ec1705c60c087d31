"""Gathering a body into pieces worth a trip to a thread."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Final

LEAST: Final = 1024 * 1024
"""Bytes gathered before a piece is handed on: servers deliver 64 to 512 KiB, and a thread hop costs as much as writing
64 KiB (bench/drivers.py). Two pieces are the memory that a body takes."""
CHUNKS: Final = 256
"""Most chunks in a piece: bounds what a body in drops takes, and one call writes them all (IOV_MAX is 1024)."""


async def gather(
    data: AsyncIterable[bytes], least: int = LEAST, most: int = CHUNKS
) -> AsyncGenerator[tuple[list[bytes], bool], None]:
    """The chunks of data, not copied, in pieces of at least so many bytes or just so many chunks, each with whether it
    is the last. Exactly one piece is the last: the remainder, which may be empty. So a small body is one piece."""
    piece: list[bytes] = []
    length = 0
    async for chunk in data:
        piece.append(chunk)
        length += len(chunk)
        if length >= least or len(piece) == most:
            yield piece, False
            piece, length = [], 0
    yield piece, True
