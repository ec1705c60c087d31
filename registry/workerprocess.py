"""One of several workers: `python -m dataforge_registry.registry.workerprocess FD FACTORY`.

FD is the listening socket; stdin brings the configuration's length, the configuration, and its end with the parent.
"""

import asyncio
import os
import socket
import sys
import threading
from contextlib import suppress

from .config import Config, from_yaml
from .failures import one_line
from .logs import configure
from .server import READY, run, work


async def _work(config: Config, sock: socket.socket, factory: str) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
    await work(config, sock, factory, _ready, stop)


def _ready() -> None:
    with suppress(BrokenPipeError):  # a parent that is gone: stdin tells us the same
        os.write(sys.stdout.fileno(), READY)


def main(descriptor: int, factory: str) -> None:
    """Serve until a signal, or until the parent is gone."""
    with one_line():
        size = int(sys.stdin.buffer.readline())
        config = from_yaml(sys.stdin.buffer.read(size).decode())
        configure(config.log)
        run(_work(config, socket.socket(fileno=descriptor), factory))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
