"""Starting and stopping: what is in flight is finished, what takes too long is cancelled, errors come out."""

import asyncio
import importlib
import socket
from typing import Any

import pytest
from hypercorn.asyncio.worker_context import WorkerContext

from dataforge_registry.drivers.threads import Threads
from dataforge_registry.registry.engines.connection import Connection
from dataforge_registry.registry.engines.hypercorn import settings
from dataforge_registry.registry.engines.lifespan import StartFailed, lifespan
from dataforge_registry.registry.engines.stream import Stream
from dataforge_registry.registry.sections import Http

from .conftest import App, Start, hang_up

WAIT = b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.asyncio
async def test_a_request_in_flight_is_finished_and_an_idle_connection_closed(start: Start, engine: str) -> None:
    async with start(engine) as server:
        _, idle = await server.connect()
        reader, writer = await server.connect()
        writer.write(WAIT)
        await server.app.arrived.wait()
        server.stop.set()
        await asyncio.sleep(0.1)
        assert not server.task.done()
        server.app.release.set()
        answer = await asyncio.wait_for(reader.read(-1), 20)
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"waited")
        await asyncio.wait_for(asyncio.shield(server.task), 20)
        assert server.app.ended == ["startup", "answered", "shutdown"]
        await hang_up(writer)
        await hang_up(idle)


@pytest.mark.asyncio
async def test_what_is_not_done_in_time_is_cancelled(start: Start, engine: str) -> None:
    async with start(engine, drain=0.2) as server:
        reader, writer = await server.connect()
        writer.write(WAIT)
        await server.app.arrived.wait()
        server.stop.set()
        await asyncio.wait_for(asyncio.shield(server.task), 20)
        assert server.app.ended == ["startup", "cancelled", "shutdown"]
        assert b"waited" not in await reader.read(-1)
        await hang_up(writer)


@pytest.mark.asyncio
async def test_readiness_ends_before_the_listener_closes(start: Start, engine: str) -> None:
    async with start(engine, drain_delay=1) as server:
        ask = b"GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert (await server.say(ask)).startswith(b"HTTP/1.1 200")
        server.stop.set()
        await asyncio.sleep(0.1)
        assert (await server.say(ask)).startswith(b"HTTP/1.1 503")
        assert (await server.say(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).endswith(b"GET /a 0")


@pytest.mark.asyncio
async def test_nobody_can_connect_after_the_stop(start: Start, engine: str) -> None:
    async with start(engine) as server:
        server.stop.set()
        await asyncio.wait_for(asyncio.shield(server.task), 20)
        if engine == "hypercorn":  # granian leaves the caller's socket to the caller
            with pytest.raises(ConnectionRefusedError):
                await server.connect()


@pytest.mark.asyncio
async def test_a_start_that_fails_comes_out_as_it_is(engine: str) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("no such thing")

    serve = importlib.import_module(f"dataforge_registry.registry.engines.{engine}").serve
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(LookupError, match="no such thing"):
            await serve(broken, Http(), sock, lambda: None, asyncio.Event())


@pytest.mark.asyncio
async def test_a_start_refused_by_message() -> None:
    async def refusing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "the moon is full"})

    with pytest.raises(StartFailed, match="the moon is full"):
        async with lifespan(refusing):
            pass


@pytest.mark.asyncio
async def test_an_application_that_ends_without_a_word_did_not_start() -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        return

    with pytest.raises(StartFailed, match="during startup"):
        async with lifespan(silent):
            pass


@pytest.mark.asyncio
async def test_the_lifespans_state_reaches_every_request_as_its_own_copy(start: Start, engine: str) -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            scope["state"]["answer"] = 42
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        seen.append(dict(scope["state"]))
        scope["state"]["mine"] = True
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with start(engine, app) as server:
        for _ in range(2):
            await server.say(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert seen == [{"answer": 42}] * 2


@pytest.mark.asyncio
async def test_an_application_that_does_not_stop_is_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    async def stubborn(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cleaned up")

    async with lifespan(stubborn):
        pass
    assert ended == ["cleaned up"]
    assert "did not stop in time" in caplog.text


@pytest.mark.asyncio
async def test_a_stop_meets_connections_that_have_not_begun() -> None:
    """Seen under a crowd: accepted, and not yet served when the server stops."""
    loop, http, retired = asyncio.get_running_loop(), Http(), list[asyncio.Task[None]]()
    threads = Threads(1)

    def accept(stream: Stream) -> None:
        connection = Connection(App(), settings(http), http, WorkerContext(None), stream, threads)
        task = loop.create_task(connection.run())
        connection.retire()
        retired.append(task)

    server = await loop.create_server(lambda: Stream(accept), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    assert await reader.read() == b""
    (task,) = retired
    await task
    writer.close()
    server.close()
    await threads.close()
