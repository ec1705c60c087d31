"""Whole files from the page cache to a socket: no byte of them comes into this process (ASGI's pathsend).

As pieces through Python a GiB costs two to three times the CPU, and each slow reader holds a piece.
"""

import asyncio
import os
import time

from ...drivers.threads import Threads
from ..sections import Http
from .inbox import AnswerCut, ClientGone

AT_ONCE = 1 << 20
"""Bytes a hop to a thread: the file may have to be read from disk, which must not hold up the loop."""


async def send_file(path: str, length: int, socket: int, threads: Threads, http: Http) -> None:
    """Send `length` bytes of a file to a non-blocking socket whose earlier bytes have left.

    AnswerCut where the file has not so many; ClientGone where the client left, or reads less than `http.min_rate` for
    `http.stall` seconds.
    """
    try:
        file = await threads.run(os.open, path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise AnswerCut(str(error)) from error
    own = os.dup(socket)  # an event loop watches a descriptor for one owner, and this one is the transport's
    try:
        await _send(own, file, length, threads, http)
    except OSError as error:
        raise ClientGone("the client has gone") from error
    finally:
        os.close(own)
        os.close(file)


async def _send(socket: int, file: int, length: int, threads: Threads, http: Http) -> None:
    at, since, then = 0, time.monotonic(), 0
    while at < length:
        sent = await threads.run(_some, socket, file, at, min(AT_ONCE, length - at))
        if sent == 0:
            raise AnswerCut(f"a file ends after {at} bytes of {length}")
        at += sent or 0
        if sent is None:
            await _writable(socket, http.stall)
        if time.monotonic() - since >= http.stall:
            if at - then < http.min_rate * http.stall:
                raise ClientGone("the client does not read")
            since, then = time.monotonic(), at


def _some(socket: int, file: int, at: int, most: int) -> int | None:
    """How many bytes went; None where the socket takes none now."""
    try:
        return os.sendfile(socket, file, at, most)
    except BlockingIOError:
        return None


async def _writable(socket: int, seconds: float) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_writer(socket, ready.set)
    try:
        async with asyncio.timeout(seconds):
            await ready.wait()
    except TimeoutError:
        raise ClientGone("the client does not read") from None
    finally:
        loop.remove_writer(socket)
