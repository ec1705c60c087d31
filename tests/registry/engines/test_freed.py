"""What a request held is free at its end: the collector that looks for cycles stops all others while it does."""

import asyncio
import gc

import pytest

from dataforge_registry.registry.metrics import Metrics
from dataforge_registry.registry.middleware import Observed

from .conftest import App, Start, hang_up

pytestmark = pytest.mark.asyncio
REQUESTS = 100


async def test_requests_leave_nothing_to_the_collector(engine: str, start: Start) -> None:
    class Watched(App):
        async def __call__(self, scope: object, receive: object, send: object) -> None:
            await Observed(super().__call__, Metrics())(scope, receive, send)  # type: ignore[arg-type]

    async with start(engine, Watched()) as server:
        reader, writer = await server.connect()

        async def ask(count: int) -> None:
            for _ in range(count):
                writer.write(b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nsome")
                await reader.readuntil(b"PUT /x 4")

        await ask(10)
        gc.collect()
        gc.disable()
        try:
            await ask(REQUESTS)
            await asyncio.sleep(0.05)  # the last one's task ends
            assert gc.collect() < REQUESTS
        finally:
            gc.enable()
        await hang_up(writer)
