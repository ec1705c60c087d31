"""The contract of a storage driver: bytes at keys, nothing else.

A key is a relative path of `/`-separated segments (`blobs/sha256/a3/f2/<hex>`). Drivers know no digest, repository,
user or SQL. A driver holds no upload state: what an upload needs between two requests travels in `Staging`.

    DriverError
    ├── NotFound        nothing is at the key
    ├── InvalidKey      the key is empty, absolute, or has an empty, `.` or `..` segment
    ├── StagingLost     the bytes behind a Staging are gone or shorter than it says
    ├── NoSpace         disk or quota of the store is full
    └── Unavailable     the store refuses or cannot be reached (read-only, permission, I/O error)
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol


class DriverError(Exception):
    """A storage operation failed; the message is meant for the operator, never for a client."""


class NotFound(DriverError):
    """Nothing is at the key."""


class InvalidKey(DriverError):
    """The key is not a relative path of plain segments."""


class StagingLost(DriverError):
    """The bytes behind a Staging are gone, or fewer than it says."""


class NoSpace(DriverError):
    """The store is full (ENOSPC, EDQUOT, EFBIG)."""


class Unavailable(DriverError):
    """The store cannot be used now: read-only, permission denied, I/O error, not reachable."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What is at a key: its size in bytes and when it was last written (seconds since the epoch)."""

    key: str
    size: int
    modified: float


@dataclass(frozen=True, slots=True)
class Staging:
    """Bytes of an upload that have no key yet. Kept as JSON in the upload's row, so it must stay JSON-able.

    `size` bytes are durable; whatever lies beyond (a broken PATCH) is dropped at the next append.
    """

    id: str
    size: int = 0
    state: dict[str, Any] = field(default_factory=dict)


def check_key(key: str) -> str:
    """The key itself, or InvalidKey."""
    parts = key.split("/")
    if not key or "\0" in key or any(part in ("", ".", "..") for part in parts):
        raise InvalidKey(f"not a storage key: {key!r}")
    return key


class Driver(Protocol):
    """Bytes at keys. Every method may raise NoSpace or Unavailable, every key-taking one InvalidKey."""

    async def put(self, key: str, data: AsyncIterable[bytes], size: int | None = None) -> int:
        """Store data at key, durably, and return its size. If data raises, the key is as before."""
        ...

    async def open(self, key: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Bytes [start, stop) of a key in pieces of up to 1 MiB. NotFound is raised here, not while reading."""
        ...

    async def stat(self, key: str) -> Stat:
        """Size and time of a key, or NotFound."""
        ...

    async def delete(self, key: str) -> None:
        """Remove a key; absent is fine."""
        ...

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Remove many keys; absent is fine."""
        ...

    def list(self, prefix: str = "", after: str = "") -> AsyncIterator[Stat]:
        """Keys starting with prefix and greater than after, in key (byte) order: resumable."""
        ...

    async def begin(self, size: int | None = None) -> Staging:
        """An upload without a key yet; size is a hint."""
        ...

    async def append(self, staging: Staging, data: AsyncIterable[bytes]) -> Staging:
        """Add data behind the first staging.size bytes, durably. If data raises, the error passes through and the
        given staging is still good; its bytes are as before."""
        ...

    async def commit(self, staging: Staging, key: str) -> None:
        """Make the staged bytes the content of key, durably. Idempotent: a key that exists already is left as it is
        (same key, same bytes). The staging survives until abort. StagingLost where its bytes are gone."""
        ...

    async def fork(self, staging: Staging) -> Staging:
        """A copy of the first staging.size bytes that no earlier writer can reach. StagingLost where they are gone."""
        ...

    async def abort(self, staging: Staging) -> None:
        """Drop a staging; absent is fine."""
        ...

    def stale(self, before: float) -> AsyncIterator[Staging]:
        """Stagings last written before a time (seconds since the epoch): what a sweeper compares with the rows."""
        ...

    async def url(self, key: str, seconds: int) -> str | None:
        """A presigned address of key, or None where the driver has none."""
        ...

    async def check(self) -> None:
        """Raise Unavailable or NoSpace where the store cannot take bytes now (health, start-up)."""
        ...

    async def close(self) -> None:
        """Give back connections and threads."""
        ...
