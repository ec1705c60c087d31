"""One client's connection under hypercorn: reads, writes, and the clocks that cut whoever is too slow.

waiting for a request        `header_timeout` for the first, `keep_alive` for the next ones
a head has begun             `header_timeout`
a request is being answered  no clock here: `middleware.Limits` watches the body, `_drain` the answer
closing                      up to LINGER_SECONDS and LINGER_BYTES are read and dropped after an answer that came
                             before the body's end: closing at once would reset the connection under the answer
"""

import asyncio
from contextlib import suppress
from socket import IPPROTO_TCP, TCP_NODELAY
from ssl import SSLError
from typing import Any

import structlog
from hypercorn.config import Config as Settings
from hypercorn.events import Closed, RawData, Updated
from hypercorn.typing import ConnectionState
from hypercorn.utils import parse_socket_addr

from ...drivers.threads import Threads
from ..sections import Http
from .http1 import Http1
from .inbox import AppTasks, ClientGone
from .sendfile import send_file
from .stream import Stream

WRITE_BUFFER = 64 << 10
LINGER_SECONDS = 2.0
LINGER_BYTES = 1 << 20


class Connection:
    """Serves the requests of one connection, one after another; `run` returns when it is closed."""

    def __init__(
        self, app: Any, settings: Settings, http: Http, context: Any, stream: Stream, threads: Threads
    ) -> None:
        self._app, self._settings, self._http, self._context, self._threads = app, settings, http, context, threads
        self._stream, self._transport = stream, stream.transport
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)
        self._loop = asyncio.get_running_loop()
        self._deadline: float | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._idle, self._left = True, False
        self._rest: int | None = None
        self._protocol: Http1
        self._begun = False

    async def run(self) -> None:
        """Serve until the client leaves, is cut, or the server retires the connection."""
        sock = self._transport.get_extra_info("socket")
        try:
            if self._transport.is_closing():
                return  # retired, or made way, before its turn came
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            client, server = (parse_socket_addr(sock.family, name()) for name in (sock.getpeername, sock.getsockname))
            secure = self._transport.get_extra_info("ssl_object") is not None
            tasks = AppTasks(self._loop)
            async with tasks:
                self._protocol = Http1(
                    self._http,
                    self._app,
                    self._settings,
                    self._context,
                    tasks,
                    ConnectionState({}),
                    secure,
                    client,
                    server,
                    self.send,
                    self.send_file,
                )
                self._begun = True
                tasks.first_read = self._protocol.proceed
                tasks.send_file = None if secure else self._protocol.send_file
                self._set_deadline(self._http.header_timeout)
                await self._read()
        except* (OSError, SSLError):
            pass
        except* Exception:
            structlog.get_logger().exception("connection failed")
        finally:
            await self._close()

    async def _read(self) -> None:
        while data := await self._stream.read():
            if self._rest is not None:
                self._rest -= len(data)
                if self._rest <= 0:
                    break
                continue
            if self._idle:
                self._idle = False
                self._set_deadline(self._http.header_timeout)
            try:
                await self._protocol.handle(RawData(data))
            except ClientGone:
                break
        await self._protocol.handle(Closed())

    async def send(self, event: Any) -> None:
        """What the protocol wants: bytes written (ClientGone when they cannot be), or the connection closed or idle."""
        if isinstance(event, RawData):
            await self._write(event.data)
        elif isinstance(event, Updated):
            self._idle = event.idle
            self._set_deadline(self._http.keep_alive if event.idle else None)
        elif isinstance(event, Closed):
            self._finish()

    async def _write(self, data: bytes, most: int = WRITE_BUFFER) -> None:
        if self._transport.is_closing():
            raise ClientGone("the client has gone")
        self._transport.write(data)
        while (left := self._transport.get_write_buffer_size()) > most:
            try:
                async with asyncio.timeout(self._http.stall):
                    await self._stream.drain()
                return
            except TimeoutError:
                if left - self._transport.get_write_buffer_size() < self._http.min_rate * self._http.stall:
                    self._transport.abort()
                    raise ClientGone("the client does not read") from None
            except (OSError, RuntimeError):
                raise ClientGone("the client has gone") from None

    async def send_file(self, path: str, length: int) -> None:
        """The next `length` bytes are a file's. Not over TLS. AnswerCut, ClientGone."""
        self._buffer(0)
        try:
            await self._write(b"", most=0)
            socket = self._transport.get_extra_info("socket").fileno()
            await send_file(path, length, socket, self._threads, self._http)
        except ClientGone:
            self._transport.abort()
            raise
        finally:
            self._buffer(WRITE_BUFFER)

    def _buffer(self, most: int) -> None:
        with suppress(RuntimeError):  # uvloop's transport is closed: the client left
            self._transport.set_write_buffer_limits(high=most)

    def retire(self) -> None:
        """Close now if no request is being received or answered, else after its answer."""
        if self._idle:
            self._finish()

    def give_way(self) -> bool:
        """Close at once if no request is being received or answered; whether it does, which it says once."""
        if not self._idle or self._left:
            return False
        self._left = True
        self._transport.abort()
        return True

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _finish(self) -> None:
        if self._rest is not None or self._transport.is_closing():
            return
        if self._begun and self._protocol.unread and self._transport.can_write_eof():
            self._rest = LINGER_BYTES
            self._transport.write_eof()
            self._set_deadline(LINGER_SECONDS)
        else:
            self._transport.close()
            self._set_deadline(self._http.stall)

    async def _close(self) -> None:
        self._transport.close()
        self._set_deadline(self._http.stall)
        try:
            await self._stream.wait_closed()
        finally:
            self._set_deadline(None)
            if self._alarm is not None:
                self._alarm.cancel()

    def _set_deadline(self, seconds: float | None) -> None:
        """One timer serves the whole connection: it is moved only to come earlier, and looks again when it fires."""
        self._deadline = None if seconds is None else self._loop.time() + seconds
        if self._deadline is not None and (self._alarm is None or self._alarm.when() > self._deadline):
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = self._loop.call_at(self._deadline, self._expire)

    def _expire(self) -> None:
        self._alarm = None
        if self._deadline is None:
            return
        if self._loop.time() >= self._deadline:
            self._transport.abort()
        else:
            self._alarm = self._loop.call_at(self._deadline, self._expire)
