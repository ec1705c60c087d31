"""HTTP/1.1 as strict as a registry at the edge has to be (RFC 9112, RFC 9110 section 7.2).

On top of hypercorn's h11 protocol: bare LF, folded lines, Content-Length beside Transfer-Encoding, lower-case methods,
targets that are not a path, Hosts that are no host, and oversized heads are refused; h2c and websocket upgrades are
ignored; `100 Continue` is sent when the application asks for the body, so a 401 comes instead of it.
"""

import json
import re
from http import HTTPStatus
from typing import Any

import h11
from h11._receivebuffer import ReceiveBuffer
from hypercorn.events import Closed, RawData
from hypercorn.protocol.events import Request as StreamRequest
from hypercorn.protocol.events import Response
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream

from ..config import Http
from .grammar import HOST, METHOD

_NOT_CRLF = re.compile(rb"(?<!\r)\n|\n[ \t]")
PHRASES = {status.value: status.phrase for status in HTTPStatus}
REASONS = {
    400: "the request breaks HTTP/1.1: check its line ends, framing, method, target and Host",
    414: "the request target is too long",
    431: "too many or too long header lines",
    501: "this transfer coding is not served: use chunked or Content-Length",
    505: "only HTTP/1.0 and HTTP/1.1 are served",
}


class StrictBuffer(ReceiveBuffer):
    """h11's buffer; a head (or trailer section) is looked at as raw bytes before it is split into lines."""

    def __init__(self, limits: Http) -> None:
        super().__init__()
        self._limits = limits
        self._seen = 0

    def maybe_extract_lines(self) -> list[bytearray] | None:
        """The lines of a whole head, None while it is incomplete; h11.LocalProtocolError with 400, 414 or 431."""
        data, limits = self._data, self._limits
        end = data.find(b"\r\n\r\n", max(0, self._seen - 3))
        stop = len(data) if end < 0 else end + 4
        if not data.startswith(b"\r\n"):
            if _NOT_CRLF.search(data, max(0, self._seen - 2), stop):
                raise h11.LocalProtocolError("a bare LF or a folded line")
            if data.find(b"\r\n", 0, limits.uri_limit) < 0 and stop > limits.uri_limit:
                raise h11.LocalProtocolError("target too long", error_status_hint=414)
            if stop > limits.header_limit or (end > 0 and data.count(b"\r\n", 0, end) > limits.header_count):
                raise h11.LocalProtocolError("head too large", error_status_hint=431)
        self._seen = len(data)
        lines = super().maybe_extract_lines()
        if lines is not None:
            self._seen = 0
        return lines


class StrictConnection(h11.Connection):
    """h11 with the strict buffer, and without its haste to send 100 Continue."""

    def __init__(self, limits: Http) -> None:
        super().__init__(h11.SERVER, max_incomplete_event_size=limits.header_limit)
        self._receive_buffer = StrictBuffer(limits)

    @property
    def they_are_waiting_for_100_continue(self) -> bool:
        """Never: `Http1.proceed` sends it when the application first reads."""
        return False


def refusal(request: h11.Request) -> int | None:
    """The status a well-parsed head is refused with, or None."""
    names = [name for name, _ in request.headers]
    host = next((value for name, value in request.headers if name == b"host"), None)
    if request.http_version not in (b"1.0", b"1.1"):
        return 505
    if not METHOD.fullmatch(request.method) or not request.target.startswith(b"/") or b"#" in request.target:
        return 400
    if b"content-length" in names and b"transfer-encoding" in names:
        return 400
    if b"transfer-encoding" in names and request.http_version == b"1.0":
        return 400
    return 400 if host is not None and not HOST.fullmatch(host) else None


class Http1(H11Protocol):
    """One connection's parser. `http` gives the limits; the rest is hypercorn's."""

    connection: StrictConnection

    def __init__(self, http: Http, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connection = StrictConnection(http)
        self._head = False
        self._held = b""

    @property
    def between_requests(self) -> bool:
        """Whether nothing of a request has been parsed that is not answered yet."""
        return self.connection.their_state is h11.IDLE

    @property
    def unread(self) -> bool:
        """Whether the client may still be sending a body nobody will read."""
        return self.connection.their_state in (h11.SEND_BODY, h11.ERROR)

    async def proceed(self) -> None:
        """Send 100 Continue if the client waits for it (RFC 9110 section 10.1.1)."""
        if self.connection.client_is_waiting_for_100_continue:
            await self._send_h11_event(h11.InformationalResponse(status_code=100, headers=[]))

    async def stream_send(self, event: Any) -> None:
        """What the application answers; a body left unread ends the connection with this answer."""
        if isinstance(event, Response):
            headers = [*event.headers, *self.config.response_headers("h11")]
            if self.unread or self.context.terminated.is_set():
                headers.append((b"connection", b"close"))
            await self._send_h11_event(
                h11.Response(headers=headers, status_code=event.status_code, reason=PHRASES.get(event.status_code, ""))
            )
        else:
            await super().stream_send(event)

    async def _send_h11_event(self, event: Any) -> None:
        """Write an event; the head of an answer goes out together with what follows it, in one packet."""
        try:
            data = self.connection.send(event) or b""
        except h11.LocalProtocolError:
            if self.connection.their_state is not h11.ERROR:
                raise
            return
        if isinstance(event, h11.Response):
            self._held = data
        elif data := self._held + data:
            self._held = b""
            await self.send(RawData(data))

    async def _check_protocol(self, event: h11.Request) -> None:
        """No upgrade is ever taken."""

    async def _create_stream(self, request: h11.Request) -> None:
        self._head = request.method == b"HEAD"
        status = refusal(request)
        if status is not None:
            await self._send_error_response(status)
            await self.send(Closed())
            return
        self.stream = HTTPStream(
            self.app,
            self.config,
            self.context,
            self.task_group,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            STREAM_ID,
        )
        await self.stream.handle(
            StreamRequest(
                stream_id=STREAM_ID,
                headers=list(request.headers),
                http_version=request.http_version.decode(),
                method=request.method.decode(),
                raw_path=request.target,
                state=self.connection_state,
            )
        )

    async def _send_error_response(self, status_code: int) -> None:
        body = json.dumps({"errors": [{"code": "UNSUPPORTED", "message": REASONS.get(status_code, REASONS[400])}]})
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
            *self.config.response_headers("h11"),
        ]
        await self._send_h11_event(h11.Response(status_code=status_code, headers=headers, reason=PHRASES[status_code]))
        if not self._head:
            await self._send_h11_event(h11.Data(data=body.encode()))
        await self._send_h11_event(h11.EndOfMessage())
        await self._close_stream()
