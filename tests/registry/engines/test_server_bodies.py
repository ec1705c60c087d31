"""Bodies that come too early, too slowly, not at all, or that nobody reads."""

import asyncio
import http.client
import socket
from typing import Any

import pytest

from .conftest import PIECE, Start, ask_and_not_read, hang_up


def put(path: str, length: int, *headers: str) -> bytes:
    lines = [f"PUT {path} HTTP/1.1", "Host: a", f"Content-Length: {length}", *headers, "", ""]
    return "\r\n".join(lines).encode()


async def quiet(before: set[asyncio.Task[Any]]) -> None:
    """Return once no task is left that was not there before: no connection hangs. The test's time limit ends a wait."""
    while left := asyncio.all_tasks() - before - {asyncio.current_task()}:
        await asyncio.wait(left)


def send_all_then_read(port: int, head: bytes, size: int) -> bytes:
    """What requests, oras-py and other http.client users do."""
    with socket.create_connection(("127.0.0.1", port), 30) as sock:
        sock.sendall(head)
        for _ in range(size // len(PIECE)):
            sock.sendall(PIECE)
        answer = b""
        while b"you?" not in answer and (data := sock.recv(1 << 16)):
            answer += data
        return answer


@pytest.mark.asyncio
@pytest.mark.parametrize("delay", ["0", "0.2"])
@pytest.mark.parametrize("size", [512 << 10, 8 << 20, 256 << 20])
async def test_an_answer_before_the_body_reaches_the_client_and_frees_the_connection(
    start: Start, engine: str, delay: str, size: int
) -> None:
    async with start(engine) as server:
        before = asyncio.all_tasks()
        answer = await asyncio.to_thread(send_all_then_read, server.port, put(f"/early?{delay}", size), size)
        assert answer.startswith(b"HTTP/1.1 401") and answer.endswith(b"who are you?")
        await asyncio.wait_for(quiet(before), 20)


@pytest.mark.asyncio
@pytest.mark.parametrize("delay", ["0", "0.2"])
async def test_a_client_that_stops_at_the_early_answer_leaves_nothing_behind(
    start: Start, engine: str, delay: str
) -> None:
    async with start(engine) as server:
        before = asyncio.all_tasks()
        for size in (500_000, 1 << 20, 4 << 20, 64 << 20):
            reader, writer = await server.connect()
            writer.write(put(f"/early?{delay}", size))
            sending = asyncio.create_task(flood(writer, size))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401")
            sending.cancel()
            await hang_up(writer)
        await asyncio.wait_for(quiet(before), 20)


async def flood(writer: asyncio.StreamWriter, size: int) -> None:
    try:
        for _ in range(size // len(PIECE)):
            writer.write(PIECE)
            await writer.drain()
    except ConnectionError:
        pass


@pytest.mark.asyncio
async def test_a_client_that_never_stops_sending_is_cut(start: Start, engine: str) -> None:
    async with start(engine, linger=0.3) as server:
        _, writer = await server.connect()
        writer.write(put("/early", 1 << 40))
        await flood(writer, 1 << 40)
        await hang_up(writer)


@pytest.mark.asyncio
async def test_a_small_rest_is_read_and_the_connection_stays(start: Start, engine: str) -> None:
    async with start(engine) as server:

        def client() -> list[tuple[int, bytes]]:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            answers = []
            for _ in range(3):
                connection.request("PUT", "/early", b"x" * 900_000)
                response = connection.getresponse()
                answers.append((response.status, response.read()))
                assert connection.sock is not None
            connection.close()
            return answers

        assert await asyncio.to_thread(client) == [(401, b"who are you?")] * 3


@pytest.mark.asyncio
async def test_an_early_answer_replaces_100_continue(start: Start, engine: str) -> None:
    async with start(engine) as server:
        reader, writer = await server.connect()
        writer.write(put("/early", 1000, "Expect: 100-continue"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 401")
        await hang_up(writer)


@pytest.mark.asyncio
async def test_100_continue_comes_when_the_body_is_wanted(start: Start, engine: str) -> None:
    async with start(engine) as server:
        reader, writer = await server.connect()
        writer.write(put("/a", 3, "Expect: 100-continue"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(b"abc")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        await hang_up(writer)


@pytest.mark.asyncio
async def test_a_body_that_stalls_ends_with_408(start: Start, engine: str) -> None:
    async with start(engine, stall=0.3) as server:
        answer = await server.say(put("/a", 1000) + b"x" * 10)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"SIZE_INVALID" in answer
        assert "disconnected after 10" in server.app.ended


@pytest.mark.asyncio
async def test_a_body_that_trickles_ends_with_408(start: Start, engine: str) -> None:
    async with start(engine, min_rate=1 << 20, min_rate_after=0.3) as server:
        reader, writer = await server.connect()
        writer.write(put("/a", 1000))
        answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        while not answer.done():
            writer.write(b"x")
            await asyncio.sleep(0.02)
        assert (await answer).startswith(b"HTTP/1.1 408")
        await hang_up(writer)


@pytest.mark.asyncio
async def test_a_head_that_does_not_come_is_cut(start: Start, engine: str) -> None:
    async with start(engine, header_timeout=0.3) as server:
        assert b"200" not in await server.say(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        assert server.app.requests == 0


@pytest.mark.asyncio
async def test_a_connection_that_says_nothing_is_cut(start: Start) -> None:
    async with start("hypercorn", header_timeout=0.3) as server:
        assert await server.say(b"") == b""


@pytest.mark.asyncio
async def test_an_idle_connection_is_closed_after_keep_alive(start: Start) -> None:
    async with start("hypercorn", keep_alive=0.3, header_timeout=10) as server:
        answer = await server.say(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.endswith(b"GET /a 0")


@pytest.mark.asyncio
async def test_granian_keeps_an_idle_connection_as_long_as_it_waits_for_a_head(start: Start) -> None:
    async with start("granian", keep_alive=3600, header_timeout=0.3) as server:
        answer = await server.say(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.endswith(b"GET /a 0")


@pytest.mark.asyncio
async def test_a_reader_that_does_not_read_is_cut(start: Start) -> None:
    async with start("hypercorn", stall=0.3) as server:
        await ask_and_not_read(server, b"GET /blob?1000000000 HTTP/1.1\r\nHost: a\r\n\r\n")


@pytest.mark.asyncio
async def test_a_slow_reader_that_reads_is_served(start: Start) -> None:
    async with start("hypercorn", stall=0.2, min_rate=1) as server:
        reader, writer = await server.connect()
        writer.write(b"GET /blob?6000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        got = 0
        while piece := await reader.read(100_000):
            got += len(piece)
            await asyncio.sleep(0.01)
        assert got == 6_000_000
        await hang_up(writer)


@pytest.mark.asyncio
async def test_a_client_that_leaves_while_sending_is_a_disconnect_after_all_it_sent(start: Start, engine: str) -> None:
    async with start(engine) as server:
        _, writer = await server.connect()
        writer.write(put("/a", 1_000_000) + b"x" * 300_000)
        await server.app.arrived.wait()
        await writer.drain()
        await hang_up(writer)
        await server.app.until("disconnected after 300000")


@pytest.mark.asyncio
async def test_a_client_that_leaves_while_reading_ends_the_application(start: Start) -> None:
    async with start("hypercorn") as server:
        reader, writer = await server.connect()
        writer.write(b"GET /blob?100000000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await hang_up(writer)
        await server.app.until("client gone")


@pytest.mark.asyncio
async def test_an_application_that_does_not_read_stops_the_client(start: Start) -> None:
    async with start("hypercorn") as server:
        _, writer = await server.connect()
        writer.write(put("/wait", 1 << 30))
        sent = 0
        try:
            while sent < 1 << 30:
                writer.write(PIECE)
                async with asyncio.timeout(1):
                    await writer.drain()
                sent += len(PIECE)
        except TimeoutError:
            pass
        assert sent < 256 << 20, "back-pressure: the rest waits in the client"
        writer.transport.abort()
        server.app.release.set()
        await hang_up(writer)
