"""Hypercorn, hardened: its ASGI side under our own sockets, parser, clocks and stop.

HTTP/2 stays off: in hypercorn 0.18 one early answer kills the whole multiplexed connection.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config as Settings

from ...drivers.threads import Threads
from ..sections import Http
from .connection import Connection
from .inflight import EARLY_ANSWER, InFlight
from .lifespan import lifespan
from .room import Room
from .room import connections as most_connections
from .stream import Stream

FILE_THREADS = 8
"""Files on their way to sockets at once; each hop is a MiB."""
LAST_BYTES_SECONDS = 1.0
"""For the last bytes of the last answers to leave after the drain."""


def settings(http: Http) -> Settings:
    """What hypercorn itself is told."""
    config = Settings()
    config.alpn_protocols = ["http/1.1"]
    config.include_server_header = False
    config.errorlog = logging.getLogger("hypercorn.error")
    config.certfile, config.keyfile = http.tls.certificate or None, http.tls.key or None
    return config


async def serve(app: Any, http: Http, sock: socket.socket, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Serve app on a listening socket until stop is set, then drain: requests in flight have `http.drain` seconds.

    ready is called when the application has started. Exceptions of its start-up pass through.
    """
    config, context, connections = settings(http), WorkerContext(None), dict[asyncio.Task[Any], Connection]()
    tls = config.create_ssl_context()
    async with lifespan(app) as state:
        in_flight = InFlight(app, state, EARLY_ANSWER)
        wrapped = ASGIWrapper(in_flight)

        room = Room(most_connections(http.connections))
        loop, threads = asyncio.get_running_loop(), Threads(FILE_THREADS)

        def accept(stream: Stream) -> None:
            if not room.enter(connections.values(), len(connections)):
                stream.transport.abort()
                return
            connection = Connection(wrapped, config, http, context, stream, threads)
            task = loop.create_task(connection.run())
            connections[task] = connection
            task.add_done_callback(connections.pop)

        server = await loop.create_server(lambda: Stream(accept), sock=sock, backlog=http.backlog, ssl=tls)
        ready()
        await stop.wait()
        in_flight.draining = True
        await asyncio.sleep(http.drain_delay)
        server.close()
        await context.terminated.set()
        for connection in list(connections.values()):
            connection.retire()
        if not await in_flight.wait(http.drain):
            in_flight.cancel()
            await in_flight.wait(1)
        if connections:
            await asyncio.wait(connections, timeout=LAST_BYTES_SECONDS)
        for connection in list(connections.values()):
            connection.abort()
        if connections:
            await asyncio.wait(connections)
        await threads.close()
