"""A part of an upload, sent as slices of its memory.

aiohttp reads a BytesIO 64 KiB at a time, each a copy and a turn of the loop.
"""

from io import BytesIO
from typing import Final

from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import BytesIOPayload, Order, payload_type

SLICE: Final = 256 * 1024
"""aiohttp copies the first one behind the head, and asyncio's own loop what it cannot send at once."""


class Part(BytesIO):
    """Bytes that a client of aiohttp's sends by SlicedPayload. It cannot be closed while a connection holds a slice."""


@payload_type(Part, order=Order.try_first)
class SlicedPayload(BytesIOPayload):
    """A Part from where it stands."""

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Send it, or so many bytes of it."""
        self._set_or_restore_start_position()
        start = self._value.tell()
        with self._value.getbuffer() as view:
            stop = len(view) if content_length is None else min(len(view), start + content_length)
            for at in range(start, stop, SLICE):
                await writer.write(view[at : min(at + SLICE, stop)])
