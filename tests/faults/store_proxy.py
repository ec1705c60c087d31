"""What lies between a server and its object store, and goes wrong on command: a proxy of bytes in a thread."""

import asyncio
import random
import threading
from contextlib import suppress
from typing import Final

FAULTS: Final = ("delay", "cut", "reset", "500", "503", "hang")
STEP: Final = 65536


class StoreProxy(threading.Thread):
    """Carries connections from `port` to a store on this machine. While `fault` is set, this share of the pieces that
    pass meets it: `delay` (up to two seconds), `cut` (the connection ends within an answer), `reset` (it ends before
    one), `500` and `503` (answered without the store), `hang` (nothing passes any more, and nobody says so)."""

    def __init__(self, store: int, share: float = 0.3) -> None:
        super().__init__(daemon=True)
        self.fault = ""
        self.met: dict[str, int] = dict.fromkeys(FAULTS, 0)
        self.port = 0
        self._store = store
        self._share = share
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._hanging = asyncio.Event()

    def __enter__(self) -> "StoreProxy":
        self.start()
        self._ready.wait()
        return self

    def __exit__(self, *raised: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self.join()

    def run(self) -> None:
        """Until the end of the `with`."""
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._end.wait()
        server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _carry(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            store, forth = await asyncio.open_connection("127.0.0.1", self._store)
        except OSError:
            back.transport.abort()
            return
        ways = [
            asyncio.create_task(self._requests(client, forth, back)),
            asyncio.create_task(self._answers(store, back)),
        ]
        with suppress(asyncio.CancelledError):  # the end of the test: the stream server wants no exception of its tasks
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        back.transport.abort()
        forth.transport.abort()

    async def _requests(
        self, client: asyncio.StreamReader, forth: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        while piece := await client.read(STEP):
            fault = self._meets("delay", "reset", "500", "503", "hang")
            if fault == "delay":
                await asyncio.sleep(random.uniform(0, 2))
            elif fault == "hang":
                await self._hanging.wait()
            elif fault:
                if fault != "reset":
                    await _answer(client, back, int(fault))
                raise ConnectionResetError(fault)
            forth.write(piece)
            await forth.drain()

    async def _answers(self, store: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        while piece := await store.read(STEP):
            if self._meets("cut"):
                back.write(piece[: random.randrange(len(piece))])
                with suppress(OSError):
                    await back.drain()
                raise ConnectionResetError("cut")
            back.write(piece)
            await back.drain()

    def _meets(self, *faults: str) -> str:
        """The fault that the next piece meets here."""
        fault = self.fault
        if fault not in faults or random.random() > self._share:
            return ""
        self.met[fault] += 1
        return fault


async def _answer(client: asyncio.StreamReader, back: asyncio.StreamWriter, status: int) -> None:
    """Instead of the store, and the connection ends: where the request ends is not looked for."""
    code = "SlowDown" if status == 503 else "InternalError"
    body = f"<Error><Code>{code}</Code><Message>on command</Message></Error>".encode()
    back.write(
        f"HTTP/1.1 {status} On Command\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
    )
    await back.drain()
    with suppress(TimeoutError):
        async with asyncio.timeout(0.2):  # what is still on its way would turn the end into a reset
            while await client.read(STEP):
                pass
