"""The body of an answer of aiohttp's, as streams.Stream reads it: through the client, or from the socket itself.

The client copies each byte three times and calls Python a dozen times for each 256 KiB: for a large blob half of what
a read costs. So the rest of a long body is read here, where what the socket gives is nothing but the body: its length
was told, no coding, no TLS. That connection is not used again.
"""

import asyncio
import os
import socket
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from aiohttp import ClientResponse

LONG: Final = 4 * 1024 * 1024
"""Fewest bytes of a body that a connection is given up for."""
PIECE: Final = 512 * 1024
"""Most bytes of a piece from the socket: more save no CPU, fewer cost calls, above all of granian into its thread."""
SILENCE: Final = 30.0
"""Seconds without a byte after which a store is taken for dead."""


class Body:
    """The body of an answer, through the client."""

    def __init__(self, answer: "ClientResponse") -> None:
        self._answer = answer

    async def read(self, size: int) -> bytes:
        """What has come, up to size bytes; none at the end."""
        return await self._answer.content.read(size)

    def close(self) -> None:
        """End the connection where not all was read."""
        self._answer.close()


class Direct:
    """The rest of a body, from its socket: `came` are bytes that the client read already, `left` how many follow."""

    def __init__(self, connected: socket.socket, came: list[bytes], left: int) -> None:
        self._socket, self._came, self._left = connected, deque(came), left

    async def read(self, size: int) -> bytes:
        """What has come, up to size bytes or PIECE; none at the end. OSError where the connection breaks."""
        if self._came:
            return self._came.popleft()
        while True:
            try:
                piece = self._socket.recv(min(size, PIECE, self._left))
            except BlockingIOError:
                await self._readable()
            else:
                self._left -= len(piece)
                return piece

    def close(self) -> None:
        """End the connection."""
        self._came.clear()
        self._socket.close()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        loop.add_reader(self._socket, _set, ready)
        try:
            async with asyncio.timeout(SILENCE):
                await ready
        finally:
            loop.remove_reader(self._socket)


def body_of(answer: "ClientResponse") -> Body | Direct:
    """How to read the body of an answer whose head came."""
    transport = answer.connection and answer.connection.transport
    length = answer.content_length
    if transport is None or length is None or length < LONG or not _plain(answer, transport):
        return Body(answer)
    own = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    own.setblocking(False)
    came: list[bytes] = []
    try:
        while piece := answer.content.read_nowait():
            came.append(piece)
    except Exception:
        own.close()
        raise
    finally:
        answer.close()  # it stops reading at once; the connection lives on in our descriptor
    return Direct(own, came, length - sum(map(len, came)))


def _plain(answer: "ClientResponse", transport: Any) -> bool:
    headers = answer.headers
    return (
        transport.get_extra_info("sslcontext") is None
        and "Transfer-Encoding" not in headers
        and "Content-Encoding" not in headers
    )


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
