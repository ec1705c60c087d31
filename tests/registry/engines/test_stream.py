"""The two directions of a socket, over a real one."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from dataforge_registry.registry.engines.stream import READ_AHEAD, Stream

pytestmark = pytest.mark.asyncio
BLOCK = secrets.token_bytes(1 << 20)
BLOCKS = 48


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Stream, asyncio.StreamReader, asyncio.StreamWriter]]:
    """A server's stream, and the client at its other end."""
    accepted: asyncio.Queue[Stream] = asyncio.Queue()
    server = await asyncio.get_running_loop().create_server(lambda: Stream(accepted.put_nowait), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    stream = await accepted.get()
    try:
        yield stream, reader, writer
    finally:
        writer.close()
        stream.transport.abort()
        await stream.wait_closed()
        server.close()


async def test_all_comes_in_order_and_little_waits() -> None:
    async with connected() as (stream, _, writer):

        async def send() -> None:
            for _ in range(BLOCKS):
                writer.write(BLOCK)
                await writer.drain()
            writer.write_eof()

        sending = asyncio.create_task(send())
        found = hashlib.sha256()
        while piece := await stream.read():
            assert len(stream._pieces) <= READ_AHEAD
            found.update(piece)
            await asyncio.sleep(0)  # the socket may be read meanwhile
        await sending
        assert found.digest() == hashlib.sha256(BLOCK * BLOCKS).digest()
        assert await stream.read() == b""


async def test_one_who_sends_no_more_may_still_read() -> None:
    async with connected() as (stream, reader, writer):
        writer.write(b"ask")
        writer.write_eof()
        assert [await stream.read(), await stream.read()] == [b"ask", b""]
        stream.transport.write(b"answer")
        await stream.drain()
        assert await reader.readexactly(6) == b"answer"


async def test_what_was_read_of_a_lost_client_is_handed_on_and_writing_fails() -> None:
    async with connected() as (stream, _, writer):
        writer.write(b"last")
        await writer.drain()
        writer.close()
        assert [await stream.read(), await stream.read()] == [b"last", b""]
        stream.transport.abort()
        await stream.wait_closed()
        with pytest.raises(ConnectionResetError):
            await stream.drain()
