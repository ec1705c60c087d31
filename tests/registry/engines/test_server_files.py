"""Files that the engine sends itself (ASGI pathsend): whole, to whoever reads, and to nobody for ever."""

import asyncio
import os
from pathlib import Path

import pytest

from .conftest import Start, ask_and_not_read, hang_up

SIZE = 20_000_001
CONTENT = os.urandom(SIZE)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(CONTENT)
    return path


def get(path: Path, length: int, *headers: bytes) -> bytes:
    return b"\r\n".join([f"GET /file?{path}&{length} HTTP/1.1".encode(), b"Host: a", *headers, b"", b""])


@pytest.mark.asyncio
async def test_a_file_is_sent_whole_and_the_connection_goes_on(start: Start, engine: str, big: Path) -> None:
    async with start(engine) as server:
        reader, writer = await server.connect()
        for _ in range(2):
            writer.write(get(big, SIZE))
            assert b"content-length: 20000001" in (await reader.readuntil(b"\r\n\r\n")).lower()
            assert await reader.readexactly(SIZE) == CONTENT
        writer.write(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"GET /a 0")
        await hang_up(writer)


@pytest.mark.asyncio
async def test_an_empty_file(start: Start, tmp_path: Path) -> None:
    (tmp_path / "none").touch()
    async with start("hypercorn") as server:
        answer = await server.say(get(tmp_path / "none", 0, b"Connection: close"))
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"\r\n\r\n")


@pytest.mark.asyncio
async def test_a_file_that_is_too_short_or_gone_cuts_the_connection(start: Start, engine: str, big: Path) -> None:
    async with start(engine) as server:
        for path, length in ((big, SIZE + 1), (big.with_name("absent"), 5)):
            assert len(await server.say(get(path, length))) < length + 300


@pytest.mark.asyncio
async def test_a_slow_reader_that_reads_gets_the_file(start: Start, big: Path) -> None:
    async with start("hypercorn", stall=1, min_rate=1) as server:
        reader, writer = await server.connect()
        writer.write(get(big, SIZE, b"Connection: close"))
        await reader.readuntil(b"\r\n\r\n")
        got = b""
        while piece := await reader.read(500_000):
            got += piece
            await asyncio.sleep(0.05)
        assert got == CONTENT
        await hang_up(writer)


@pytest.mark.asyncio
async def test_a_reader_that_does_not_read_is_cut(start: Start, big: Path) -> None:
    async with start("hypercorn", stall=0.3) as server:
        await ask_and_not_read(server, get(big, SIZE))


@pytest.mark.asyncio
async def test_a_client_that_leaves_frees_the_file(start: Start, big: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    async with start("hypercorn") as server:
        for _ in range(5):
            reader, writer = await server.connect()
            writer.write(get(big, SIZE))
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            await hang_up(writer)
            await server.app.until("client gone")
            server.app.ended.clear()
    assert len(os.listdir("/proc/self/fd")) <= before
