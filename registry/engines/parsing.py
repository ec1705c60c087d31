"""Heads and chunked bodies as strict as a registry at the edge has to take them (RFC 9112, RFC 9110 section 7.2).

llhttp (httptools) parses; it refuses bare LF, folded lines, a length beside a transfer coding, two lengths, characters
that have no place. What it takes and we do not: other protocols' versions, targets that are no path, Hosts that are no
host, transfer codings beside chunked, oversized heads.
"""

import re
from dataclasses import dataclass, field

import httptools

from ..sections import Http
from .grammar import HOST, METHOD

_LINE = re.compile(rb"([!#-Z^-z|~]+) ([!-~]+) HTTP/([0-9]\.[0-9])\r\n")
_END = b"\r\n\r\n"
_EMPTY_LINES = re.compile(rb"(?:\r\n)*")


class Refused(Exception):
    """What came is no request: `status` says why."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class Head:
    """A request's head. `length` of its body in bytes, None where it is chunked."""

    method: bytes
    target: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    keep_alive: bool
    length: int | None = 0
    awaits_100: bool = False


@dataclass(slots=True)
class _Seen:
    """What llhttp told."""

    url: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: list[bytes] = field(default_factory=list)
    begun: int = 0
    done: bool = False

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.rstrip(b" \t")))

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        self.done = True


class Parser:
    """Parses one request's head, then its body if that is chunked. A body of known length need not pass here."""

    def __init__(self, limits: Http) -> None:
        self._limits = limits
        self._seen = _Seen()
        self._llhttp = httptools.HttpRequestParser(self._seen)
        self._raw = b""
        self._bare = 0
        self.overrun = False
        """Whether more came behind the last chunk. llhttp cannot tell where it begins, so nothing is made of it."""

    @property
    def asks_head(self) -> bool:
        """Whether the request is a HEAD, as far as it is known."""
        return self._raw.startswith(b"HEAD ")

    def head(self, data: bytes) -> tuple[Head | None, bytes]:
        """The head, None while it is incomplete, and what of data lies behind it. Refused."""
        if not self._raw and (empty := _EMPTY_LINES.match(data)):  # RFC 9112 section 2.2: before a request
            data = data[empty.end() :]
        at = len(self._raw)
        raw = self._raw + data
        end = raw.find(_END, max(at - 3, 0))
        stop = len(raw) if end < 0 else end + 4
        self._raw = raw[:stop]
        try:
            self._llhttp.feed_data(raw[at:stop])
        except httptools.HttpParserUpgrade:
            pass  # no upgrade is ever taken: the request is what it is without it
        except httptools.HttpParserError:
            raise Refused(self._status()) from None
        if len(self._seen.url) > self._limits.uri_limit:
            raise Refused(414)
        if len(self._raw) > self._limits.header_limit or len(self._seen.headers) > self._limits.header_count:
            raise Refused(431)
        return (None, b"") if end < 0 else (self._head(), raw[stop:])

    def chunks(self, data: bytes) -> tuple[bytes, bool]:
        """The content of the chunks in data, and whether the last of them came. Refused."""
        try:
            self._llhttp.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.overrun = True
        except httptools.HttpParserError:
            raise Refused(400) from None
        body = b"".join(self._seen.body)
        self._seen.body.clear()
        self._bare = 0 if body else self._bare + len(data)
        if self._bare > self._limits.header_limit:  # trailers without end
            raise Refused(431)
        self.overrun = self.overrun or self._seen.begun > 1
        return body, self._seen.done

    def _status(self) -> int:
        line = _LINE.match(self._raw)
        return 505 if line and line[3] not in (b"1.0", b"1.1") else 400

    def _head(self) -> Head:
        line, headers = _LINE.match(self._raw), self._seen.headers
        self._seen.headers = []  # trailers are nobody's headers
        if line is None or not METHOD.fullmatch(line[1]) or not line[2].startswith(b"/") or b"#" in line[2]:
            raise Refused(self._status())
        version = line[3].decode()
        if version not in ("1.0", "1.1"):
            raise Refused(505)
        head = Head(line[1], line[2], version, headers, keep_alive=version == "1.1")
        hosts = 0
        for name, value in headers:
            if name == b"host":
                hosts += 1
                if not HOST.fullmatch(value):
                    raise Refused(400)
            elif name == b"content-length":
                head.length = int(value)
            elif name == b"transfer-encoding":
                if version == "1.0":
                    raise Refused(400)
                if value.lower() != b"chunked":
                    raise Refused(501)
                head.length = None
            elif name == b"connection":
                head.keep_alive = head.keep_alive and b"close" not in map(bytes.strip, value.lower().split(b","))
            elif name == b"expect":
                head.awaits_100 = version == "1.1" and value.lower() == b"100-continue"
        if hosts > 1 or (not hosts and version == "1.1"):
            raise Refused(400)
        return head
