"""Clients that ask for much and take their time."""

import os
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException

from .server import Server, sha256

PATIENCE = 120
"""Seconds after which something that should become true is given up."""


def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.05)


@contextmanager
def connected(server: Server, count: int, first: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections, each of which has sent this; one that the server cuts at once stays in the list."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, count + 1000)), hard))
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            try:
                sock = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
                sock.sendall(first)
            except OSError:
                continue
            found.append(sock)
        yield found


def cut(sock: socket.socket) -> bool:
    """Read what still comes, to the end; whether there was one."""
    try:
        while sock.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def status(server: Server, method: str, path: str, body: bytes = b"", **headers: str) -> int:
    """The status of an answer; 0 where the connection was cut first."""
    try:
        return server.send(method, path, body, **headers)[0]
    except (OSError, HTTPException):
        return 0


def push(server: Server, content: bytes, name: str = "faults/load") -> int:
    """A blob in one request; the status."""
    return status(server, "POST", f"/v2/{name}/blobs/uploads/?digest={sha256(content)}", content)


def metric(server: Server, line: str) -> float:
    """The value of a line of /metrics; 0 where it is not there."""
    for found in server.send("GET", "/metrics")[2].decode().splitlines():
        if found.startswith(line + " "):
            return float(found.rpartition(" ")[2])
    return 0.0


def used(pid: int, column: int) -> int:
    """Bytes of a process: column 0 its address space, 1 what is resident."""
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[column]) * os.sysconf("SC_PAGE_SIZE")
