"""Granian (extra `fast`): a parser and sockets in Rust under the same application, clocks of the body and stop.

Its parser answers malformed requests itself, with an empty 400. It reads bare LF as a line end, takes any Host, method
and transfer coding, and its buffer alone bounds a head: what of that can still be seen, `Heads` refuses. The time a
client may take to read an answer is not bounded.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.http import HTTP1Settings
from granian.server.embed import Server

from ..listening import own_socket
from ..middleware import answer
from ..sections import Http
from .grammar import HOST, REASONS
from .inflight import InFlight
from .lifespan import lifespan
from .room import connections

READ_BYTES = 512 << 10
"""Largest piece of a body. Each one is a trip from Rust's thread to the event loop: a GiB in pieces of 64 KiB costs
three times the CPU of one in these. Buffers grow to it only while a body keeps them full."""


class Heads:
    """Refuses heads that are larger than our limits and smaller than granian's buffer, and those that granian's parser
    takes and ours (parsing.py) does not."""

    def __init__(self, app: Any, http: Http) -> None:
        self._app, self._http = app, http

    def __call__(self, scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        """The application's own call, or a refusal."""
        headers, http = scope["headers"], self._http
        if len(scope["raw_path"]) + len(scope["query_string"]) > http.uri_limit:
            return answer(send, 414, "UNSUPPORTED", REASONS[414])
        size, hosts, coding = 0, [], b"chunked"
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"host":
                hosts.append(value)
            elif name == b"transfer-encoding":
                coding = value.lower() if coding == b"chunked" else coding
        if len(headers) > http.header_count or size > http.header_limit:
            return answer(send, 431, "UNSUPPORTED", REASONS[431])
        if not scope["method"].isupper() or scope["raw_path"][:1] != b"/" or not _one(hosts, scope["http_version"]):
            return answer(send, 400, "UNSUPPORTED", "the request breaks HTTP/1.1: check its method, target and Host")
        if coding != b"chunked":
            return answer(send, 501, "UNSUPPORTED", REASONS[501])
        app: Awaitable[None] = self._app(scope, receive, send)
        return app


def _one(hosts: list[bytes], version: str) -> bool:
    """Whether there is one Host and it is one (RFC 9112 section 3.2); granian shows an absent one as empty."""
    if hosts in ([], [b""]):
        return version != "1.1"
    return len(hosts) == 1 and HOST.fullmatch(hosts[0]) is not None


class Listening(Server):
    """Granian's embedded server on a socket that is bound already."""

    def __init__(self, app: Any, http: Http, sock: socket.socket) -> None:
        tls = http.tls
        super().__init__(
            app,
            interface=Interfaces.ASGINL,
            http=HTTPModes.http1,
            websockets=False,
            backlog=http.backlog,
            backpressure=connections(http.connections),  # more wait to be accepted
            http1_settings=HTTP1Settings(
                header_read_timeout=round(http.header_timeout * 1000), max_buffer_size=READ_BYTES
            ),
            log_enabled=False,
            ssl_cert=Path(tls.certificate) if tls.certificate else None,
            ssl_protocol_min=SSLProtocols.tls12,
            ssl_key=Path(tls.key) if tls.key else None,
        )
        self._listening = sock

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder  # its stub has no constructor: descriptor, whether a Unix socket, backlog
        self._ssp: Any = None
        self._shd: Any = holder(self._listening.dup().detach(), False, self.backlog)


async def serve(app: Any, http: Http, sock: socket.socket, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Serve app on a listening socket until stop is set, then drain: requests in flight have `http.drain` seconds.

    ready is called when the application has started. Exceptions of its start-up pass through.
    """
    logging.getLogger("_granian").setLevel(logging.ERROR)
    async with lifespan(app) as state:
        in_flight = InFlight(Heads(app, http), state)
        server = Listening(in_flight, http, own_socket(sock, http.backlog))  # from now on clients may come
        running = asyncio.create_task(server.serve())
        ready()
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({waiting, running}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        in_flight.draining = True
        await asyncio.sleep(http.drain_delay)
        cast(Any, server).stop()
        if not await in_flight.wait(http.drain):
            in_flight.cancel()
            await in_flight.wait(1)
        await asyncio.wait({running}, timeout=1)
        running.cancel()
