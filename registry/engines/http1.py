"""HTTP/1.1 over one connection: hypercorn's ASGI side between a strict parser and a writer that frames answers.

One request after the other: what a client pipelines waits, unparsed, until the one before is answered. h2c and
websocket upgrades are ignored; `100 Continue` is sent when the application asks for the body, so a 401 comes instead.
"""

import asyncio
import json
import time
from http import HTTPStatus
from typing import Any
from wsgiref.handlers import format_date_time

from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol.events import Body, EndBody, Request, Response, StreamClosed
from hypercorn.protocol.http_stream import HTTPStream

from ..sections import Http
from .grammar import REASONS
from .parsing import Head, Parser, Refused

STREAM_ID = 1
LARGEST_LENGTH = 1 << 62
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PHRASES = {status.value: status.phrase for status in HTTPStatus}


class AnswerBroken(Exception):
    """The application's answer cannot be sent as HTTP: its body is not what its head says, or a header holds a line
    end."""


class Http1:
    """One connection's protocol: `handle` takes what the socket gives, `send` gets what it is to do."""

    def __init__(
        self,
        http: Http,
        app: Any,
        config: Any,
        context: Any,
        tasks: Any,
        state: Any,
        ssl: bool,
        client: Any,
        server: Any,
        send: Any,
        send_file: Any,
    ) -> None:
        self.send, self._send_file = send, send_file
        self._http, self._context, self._state = http, context, state
        self._stream_arguments = (app, config, context, tasks, ssl, client, server, self.stream_send, STREAM_ID)
        self._stream: HTTPStream | None = None
        self._answered = asyncio.Event()
        self._begin()

    def _begin(self) -> None:
        """Ready for the next request."""
        self._parser = Parser(self._http)
        self._head: Head | None = None
        self._left: int | None = 0
        """Bytes of the request's body that are still to come; None while its chunks come."""
        self._held = b""
        self._framing: int | None = 0
        """Bytes of the answer's body still to be sent; None where it is chunked or ends with the connection."""
        self._chunked = self._closing = self._broken = self._begun = self._ended = False

    @property
    def unread(self) -> bool:
        """Whether the client may still be sending a body nobody will read."""
        return self._left != 0 or self._broken

    async def proceed(self) -> None:
        """Send 100 Continue if the client waits for it (RFC 9110 section 10.1.1)."""
        if self._head is not None and self._head.awaits_100 and not self._begun:
            self._head.awaits_100 = False
            await self.send(RawData(CONTINUE))

    async def handle(self, event: Any) -> None:
        """RawData that came, or Closed: the client left."""
        if isinstance(event, Closed):
            await self._close_stream()
            return
        data = bytes(event.data)
        try:
            while data:
                if self._head is None:
                    data = await self._receive_head(data)
                elif self._left == 0:
                    self._answered.clear()
                    await self._answered.wait()
                    if self._closing:
                        return
                else:
                    data = await self._receive_body(data)
        except Refused as refused:
            self._broken = True
            if not self._begun:
                await self._refuse(refused.status)
            await self.send(Closed())

    async def _receive_head(self, data: bytes) -> bytes:
        head, rest = self._parser.head(data)
        if head is None:
            return b""
        if head.length is not None and head.length > LARGEST_LENGTH:
            raise Refused(400)
        self._head, self._left = head, head.length
        await self.send(Updated(idle=False))
        self._stream = HTTPStream(*self._stream_arguments)
        await self._stream.handle(
            Request(
                stream_id=STREAM_ID,
                headers=head.headers,
                http_version=head.version,
                method=head.method.decode(),
                raw_path=head.target,
                state=self._state,
            )
        )
        if self._left == 0:
            await self._stream.handle(EndBody(stream_id=STREAM_ID))
        return rest

    async def _receive_body(self, data: bytes) -> bytes:
        assert self._head is not None
        self._head.awaits_100 = False
        if self._left is None:
            body, last = self._parser.chunks(data)
            rest = b""
            if last:
                self._left = 0
                self._closing = self._closing or self._parser.overrun
        else:
            body, rest = data[: self._left], data[self._left :]
            self._left -= len(body)
        if self._stream is not None:
            if body:
                await self._stream.handle(Body(stream_id=STREAM_ID, data=body))
            if self._left == 0 and self._stream is not None:
                await self._stream.handle(EndBody(stream_id=STREAM_ID))
        return rest

    async def stream_send(self, event: Any) -> None:
        """What the application answers; a body left unread ends the connection with this answer."""
        if self._broken and not isinstance(event, StreamClosed):
            return
        if isinstance(event, Response):
            self._begun = True
            self._held = self._answer_head(event)
        elif isinstance(event, Body):
            data = event.data
            if self._framing is not None:
                self._framing -= len(data)
                if self._framing < 0:
                    raise AnswerBroken("the answer's body is longer than its Content-Length")
            elif self._chunked:
                data = b"%x\r\n%b\r\n" % (len(data), data)
            await self._write(data)
        elif isinstance(event, EndBody):
            if self._framing:
                raise AnswerBroken("the answer's body is shorter than its Content-Length")
            self._ended = True
            await self._write(b"0\r\n\r\n" if self._chunked else b"")
        elif isinstance(event, StreamClosed):
            await self._finish()

    async def send_file(self, path: str) -> None:
        """The whole body of the answer is a file's (ASGI pathsend); its head told the length."""
        length, self._framing = self._framing or 0, 0
        await self._write(b"")
        await self._send_file(path, length)

    async def _write(self, data: bytes) -> None:
        """The head of an answer goes out together with what follows it, in one packet."""
        held, self._held = self._held, b""
        if held or data:
            await self.send(RawData(held + data if held else data))

    def _answer_head(self, answer: Response) -> bytes:
        status, head = answer.status_code, self._head
        assert head is not None
        lines = [b"HTTP/1.1 %d %b" % (status, PHRASES.get(status, "").encode())]
        length: int | None = None
        for name, value in answer.headers:
            if name == b"content-length":
                length = int(value)
            lines.append(name + b": " + value)
        bodiless = head.method == b"HEAD" or status in (204, 304)
        self._framing = 0 if bodiless else length
        if length is None and not bodiless:
            self._chunked = head.version == "1.1"
            if self._chunked:
                lines.append(b"transfer-encoding: chunked")
        self._closing = (
            self._closing
            or self.unread
            or not head.keep_alive
            or self._context.terminated.is_set()
            or (self._framing is None and not self._chunked)
        )
        lines.append(b"date: " + _date())
        if self._closing:
            lines.append(b"connection: close")
        raw = b"\r\n".join(lines) + b"\r\n\r\n"
        if raw.count(b"\n") != len(lines) + 1 or raw.count(b"\r") != len(lines) + 1:
            raise AnswerBroken("a header of the answer holds a line end")
        return raw

    async def _finish(self) -> None:
        """The application is done with the request."""
        await self._close_stream()
        if not self._ended or self.unread or self._closing:
            self._closing = True
            await self.send(Closed())
        else:
            self._begin()
            await self.send(Updated(idle=True))
        self._answered.set()

    async def _close_stream(self) -> None:
        if self._stream is not None:
            stream, self._stream = self._stream, None
            await stream.handle(StreamClosed(stream_id=STREAM_ID))

    async def _refuse(self, status: int) -> None:
        errors = {"errors": [{"code": "UNSUPPORTED", "message": REASONS.get(status, REASONS[400])}]}
        body = json.dumps(errors).encode()
        head = [
            b"HTTP/1.1 %d %b" % (status, PHRASES[status].encode()),
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"date: " + _date(),
            b"connection: close",
        ]
        await self.send(RawData(b"\r\n".join(head) + b"\r\n\r\n" + (b"" if self._parser.asks_head else body)))
        await self._close_stream()


_dated = (0, b"")


def _date() -> bytes:
    """The time as HTTP writes it, made once a second."""
    global _dated
    now = int(time.time())
    if _dated[0] != now:
        _dated = now, format_date_time(now).encode()
    return _dated[1]
