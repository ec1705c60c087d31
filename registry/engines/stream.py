"""The two directions of one socket. What came is handed on as it came: asyncio's own StreamReader copies every byte
into one buffer and out of it again, which for a large blob costs more than its SHA-256."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

READ_AHEAD = 4
"""Pieces, of 256 KiB at most, that wait for `read`; the socket is not read meanwhile (back-pressure)."""


class Stream(asyncio.Protocol):
    """`accept` is called with it once the client is connected."""

    transport: asyncio.Transport

    def __init__(self, accept: Callable[["Stream"], None]) -> None:
        self._accept = accept
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[bytes] = deque()
        self._paused = self._ended = False
        self._reader: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._closed = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        """The client is here."""
        self.transport = transport
        self._accept(self)

    def data_received(self, data: bytes) -> None:
        """A piece came."""
        self._pieces.append(data)
        if len(self._pieces) >= READ_AHEAD and not self._paused:
            self.transport.pause_reading()
            self._paused = True
        self._wake()

    def eof_received(self) -> bool:
        """The client sends no more; it may still read, which TLS does not know."""
        self._ended = True
        self._wake()
        return self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more comes or goes."""
        self._ended = True
        self._closed.set()
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The transport's buffer has room again."""
        self._writable.set()

    async def read(self) -> bytes:
        """The next piece; none once the client sends no more or has gone."""
        while not self._pieces:
            if self._ended:
                return b""
            self._reader = self._loop.create_future()
            await self._reader
        piece = self._pieces.popleft()
        if self._paused and not self.transport.is_closing():
            self.transport.resume_reading()
            self._paused = False
        return piece

    async def drain(self) -> None:
        """Return once there is room to write; ConnectionResetError where the client has gone."""
        await self._writable.wait()
        if self._closed.is_set():
            raise ConnectionResetError("the connection is lost")

    async def wait_closed(self) -> None:
        """Return once the socket is closed."""
        await self._closed.wait()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
