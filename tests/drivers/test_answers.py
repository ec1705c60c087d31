"""Bodies that are read from the socket itself: every byte once, broken connections known as such, none left open."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context
from typing import Any

import aiohttp
import pytest
import uvloop

from dataforge_registry.drivers import answers
from dataforge_registry.drivers.answers import LONG, Body, Direct, body_of

from ..certificate import make_certificate

MIB = 1024 * 1024
CONTENT = os.urandom(9 * MIB + 17)
Send = Callable[[asyncio.StreamWriter], Awaitable[None]]
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Runs a test on each loop that a server may have; a descriptor that it leaves open is a failure."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        runner.run(_client_reads())  # what loop and client open once
        before = len(os.listdir("/proc/self/fd"))
        yield runner.run
        runner.run(asyncio.sleep(0.05))
        assert len(os.listdir("/proc/self/fd")) == before


@asynccontextmanager
async def answer(
    send: Send, head: str = f"Content-Length: {len(CONTENT)}", tls: Path | None = None
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The client's answer of a store that sends so."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        try:
            await send(writer)
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server_side = client_side = None
    if tls is not None:
        server_side = SSLContext(PROTOCOL_TLS_SERVER)
        certificate, key = make_certificate(tls)
        server_side.load_cert_chain(certificate, key)
        client_side = create_default_context(cafile=certificate)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_side)
    address = f"http{'s' if tls else ''}://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.get(address, ssl=client_side or True) as given,
        ):
            yield given
    finally:
        server.close()
        await server.wait_closed()


async def at_once(writer: asyncio.StreamWriter) -> None:
    writer.write(CONTENT)


async def _client_reads() -> None:
    async with answer(at_once) as given:
        await given.read()


async def read(body: Body | Direct) -> bytes:
    content = b""
    while piece := await body.read(MIB):
        assert len(piece) <= MIB or not content  # the client may have read more with the head
        content += piece
    return content


def test_all_bytes_come_whatever_the_client_had_read(run: Run) -> None:
    async def trial(wait: float) -> None:
        async with answer(at_once) as given:
            await asyncio.sleep(wait)  # until the client's buffer is full, and its parser holds some more
            body = body_of(given)
            assert isinstance(body, Direct)
            assert await read(body) == CONTENT
            assert await body.read(MIB) == b""
            body.close()

    for wait in (0, 0.2):
        run(trial(wait))


def test_bytes_that_drip_come_too(run: Run) -> None:
    async def dripping(writer: asyncio.StreamWriter) -> None:
        for at in range(0, len(CONTENT), MIB // 2):
            writer.write(CONTENT[at : at + MIB // 2])
            await asyncio.sleep(0.005)

    async def trial() -> None:
        async with answer(dripping) as given:
            body = body_of(given)
            assert await read(body) == CONTENT
            body.close()

    run(trial())


def test_an_early_end_is_an_end_and_a_reset_an_error(run: Run) -> None:
    async def ending(writer: asyncio.StreamWriter) -> None:
        writer.write(CONTENT[: 5 * MIB])

    async def reset(writer: asyncio.StreamWriter) -> None:
        writer.write(CONTENT[: 5 * MIB])
        await writer.drain()
        writer.transport.abort()

    async def trial() -> None:
        async with answer(ending) as given:
            body = body_of(given)
            assert await read(body) == CONTENT[: 5 * MIB]
            body.close()
        async with answer(reset) as given:
            body = body_of(given)
            with suppress(ConnectionResetError):
                assert CONTENT.startswith(await read(body))
            body.close()

    run(trial())


def test_a_store_that_falls_silent_is_given_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "SILENCE", 0.1)
    gone = asyncio.Event()

    async def silent(writer: asyncio.StreamWriter) -> None:
        writer.write(CONTENT[:MIB])
        await gone.wait()

    async def trial() -> None:
        async with answer(silent) as given:
            body = body_of(given)
            with pytest.raises(TimeoutError):
                await read(body)
            body.close()
            gone.set()

    run(trial())


def test_closing_tells_the_store(run: Run) -> None:
    told = asyncio.Event()

    async def endless(writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(CONTENT[:MIB])
                await writer.drain()
        finally:
            told.set()

    async def trial() -> None:
        async with answer(endless, f"Content-Length: {1 << 40}") as given:
            body = body_of(given)
            await body.read(MIB)
            body.close()
            await told.wait()

    run(trial())


def test_a_reader_that_does_not_go_on_holds_little(run: Run) -> None:
    async def trial() -> None:
        async with answer(at_once) as given:
            tracemalloc.start()
            try:
                body = body_of(given)
                while isinstance(body, Direct) and body._came:
                    await body.read(MIB)
                before = tracemalloc.get_traced_memory()[0]
                held = await body.read(MIB)
                await asyncio.sleep(0.2)
                assert tracemalloc.get_traced_memory()[0] - before < MIB, len(held)
            finally:
                tracemalloc.stop()
            body.close()

    run(trial())


@pytest.mark.parametrize(
    ("head", "content"),
    [
        (f"Content-Length: {LONG - 1}", CONTENT[: LONG - 1]),
        ("Transfer-Encoding: chunked", b"%x\r\n%b\r\n0\r\n\r\n" % (len(CONTENT), CONTENT)),
        (f"Content-Length: {len(CONTENT)}\r\nContent-Encoding: gzip", CONTENT),
        ("Connection: close", CONTENT),
    ],
    ids=["short", "chunked", "coded", "unknown length"],
)
def test_what_is_short_or_coded_is_read_by_the_client(run: Run, head: str, content: bytes) -> None:
    async def sending(writer: asyncio.StreamWriter) -> None:
        writer.write(content)

    async def trial() -> None:
        async with answer(sending, head) as given:
            body = body_of(given)
            assert isinstance(body, Body)
            assert CONTENT.startswith(await read(body))

    run(trial())


def test_tls_is_read_by_the_client(run: Run, tmp_path: Path) -> None:
    async def trial() -> None:
        async with answer(at_once, tls=tmp_path) as given:
            body = body_of(given)
            assert isinstance(body, Body)
            assert await read(body) == CONTENT

    run(trial())
