"""How many connections a process holds, and who gives way to one more.

Each is an open file, and its answer may need another; without one left nothing can be accepted, opened or asked.
"""

import resource
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, Protocol

import structlog

RESERVED: Final = 96
"""Open files for what is no connection: the database's pool, threads' files, pipes, the log."""
log = structlog.get_logger("load")


class Yielding(Protocol):
    """A connection that can be asked to go."""

    def give_way(self) -> bool:
        """Go, if nothing is being received or answered; whether it does."""


def raise_open_files() -> None:
    """As many open files as the system lets us have: the usual soft limit of 1024 is for programs that use select."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS takes no infinity
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def connections(configured: int | None) -> int:
    """How many there is room for: `configured`, and in any case half of the open files that are left."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = max(8, (soft - RESERVED) // 2) if soft != resource.RLIM_INFINITY else 1 << 30
    return min(configured or room, room)


class Room:
    """`most` connections; `enter` before each further one."""

    def __init__(self, most: int) -> None:
        self._most, self._full = most, False

    def enter(self, held: Iterable[Yielding], count: int) -> bool:
        """Whether one more may stay beside `count` others: where those are too many, the one idle for longest of `held`
        goes first."""
        if count < self._most:
            if self._full and count < self._most * 3 // 4:
                self._full = False
                log.info("there is room for connections again", most=self._most)
            return True
        if not self._full:
            self._full = True
            log.warning("as many connections as there is room for: idle ones give way", most=self._most)
        return any(connection.give_way() for connection in held)
