"""The contract of a storage driver: bytes at keys, nothing else.

A key is a relative path of `/`-separated segments (`blobs/sha256/a3/f2/<hex>`); no key may be the folder of another.
Drivers know no digest, repository, user or SQL. A driver holds no upload state: what an upload needs between two
requests travels in `Staging`.

    DriverError
    ├── NotFound        nothing is at the key
    ├── InvalidKey      the key is empty, absolute, too long, reserved, or has an empty, `.` or `..` segment
    ├── StagingLost     the bytes behind a Staging are gone or shorter than it says
    ├── NoSpace         disk or quota of the store is full
    └── Unavailable     the store refuses or cannot be reached (read-only, permission, I/O error)
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

STAGINGS: Final = "uploads"
"""First segment that no key may have: drivers keep unfinished uploads there."""
KEY_BYTES: Final = 1024
"""Longest key in UTF-8 bytes (the limit of S3 object names)."""
SEGMENT_BYTES: Final = 255
"""Longest segment in UTF-8 bytes (NAME_MAX of the usual file systems)."""


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
class Space:
    """Room for bytes: in all, and free."""

    total: int
    free: int


@dataclass(frozen=True, slots=True)
class Staging:
    """Bytes of an upload that have no key yet. Kept as JSON in the upload's row, so it must stay JSON-able.

    `size` bytes are durable; whatever lies beyond (a broken PATCH) is dropped at the next append or commit. Nothing
    need exist behind a staging of size 0, so beginning one costs nothing and losing one loses nothing.
    """

    id: str
    size: int = 0
    state: dict[str, Any] = field(default_factory=dict)


class Hash(Protocol):
    """What append feeds with the bytes it wrote: hashlib's objects, or any other running hash."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""
        ...


def check_key(key: str) -> str:
    """The key itself, or InvalidKey."""
    parts = key.split("/")
    if "\0" in key or any(part in ("", ".", "..") for part in parts):
        raise InvalidKey(f"not a storage key: {key!r} (a relative path without empty, '.' or '..' segments is wanted)")
    try:
        lengths = [len(part.encode()) for part in parts]
    except UnicodeEncodeError:
        raise InvalidKey(f"not a storage key: {key!r} (it cannot be written as UTF-8)") from None
    if max(lengths) > SEGMENT_BYTES or sum(lengths) + len(parts) - 1 > KEY_BYTES:
        raise InvalidKey(
            f"storage key too long: {key[:80]!r}… (at most {KEY_BYTES} bytes, {SEGMENT_BYTES} in one segment)"
        )
    if parts[0] == STAGINGS:
        raise InvalidKey(f"not a storage key: {key!r} ({STAGINGS!r} is where drivers keep unfinished uploads)")
    return key


def check_staging(name: str) -> str:
    """The id of a staging itself, one segment, or InvalidKey."""
    if "/" in check_key(name):
        raise InvalidKey(f"not the id of a staging: {name!r}")
    return name


class Driver(Protocol):
    """Bytes at keys. Every method may raise NoSpace or Unavailable, every key-taking one InvalidKey."""

    async def put(self, key: str, data: AsyncIterable[bytes], size: int | None = None) -> int:
        """Store data at key, durably, in place of what was there, and return its size in bytes; size is a hint.
        If data raises, the error passes through and the key is as before. A reader sees the old bytes or the new."""
        ...

    async def put_many(self, contents: Mapping[str, bytes]) -> None:
        """Put contents at their keys: all of them durable on return, for less than one put each. If it raises, each key
        is as before or holds its content."""
        ...

    async def open(self, key: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Bytes [start, stop) of a key in pieces of up to 1 MiB, fewer where the key ends before stop. NotFound is
        raised here, not while reading. aclose gives back what it holds at once, also before the first piece."""
        ...

    async def stat(self, key: str) -> Stat:
        """Size and time of a key, or NotFound."""
        ...

    async def delete(self, key: str) -> None:
        """Remove a key, durably; absent is fine."""
        ...

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Remove many keys, durably; absent is fine."""
        ...

    def list(self, prefix: str = "", after: str = "") -> AsyncIterator[Stat]:
        """Keys starting with prefix and greater than after, in key (UTF-8 byte) order: resumable. Keys that come or go
        meanwhile may be missing or present; all others are listed once."""
        ...

    async def begin(self, size: int | None = None, scope: str = "") -> Staging:
        """An upload without a key yet; size is a hint. Its id starts with scope (a name of its owner in a store that
        several registries share, without `/`), so that stale can tell whose it is."""
        ...

    async def append(self, staging: Staging, data: AsyncIterable[bytes], digester: Hash | None = None) -> Staging:
        """Add data behind the first staging.size bytes, durably; the digester is updated with exactly the bytes added,
        in order, in pieces of at most 1 MiB, in the thread that writes. StagingLost where the first bytes are gone.

        If data raises, the error passes through, the given staging is still good and its bytes are as before, the
        digester's state is undefined. To keep what came before a client vanished, let data simply end there.
        One writer at a time: before taking over from a writer that may still run, fork."""
        ...

    async def commit(self, staging: Staging, key: str) -> None:
        """Make the first staging.size bytes the content of key, durably. Idempotent: a key that exists already is left
        as it is (same key, same bytes), whatever became of the staging. The staging survives until abort and may be
        appended to without touching the key. StagingLost where its bytes are gone."""
        ...

    async def fork(self, staging: Staging) -> Staging:
        """A copy of the first staging.size bytes, in the same scope, that no earlier writer can reach. StagingLost
        where they are gone."""
        ...

    async def read(self, staging: Staging) -> AsyncGenerator[bytes, None]:
        """The first staging.size bytes, as open; for a hash that must be taken again. StagingLost, raised here, where
        they are gone."""
        ...

    async def abort(self, staging: Staging) -> None:
        """Drop a staging; absent is fine."""
        ...

    def stale(self, before: float, scope: str = "") -> AsyncIterator[Staging]:
        """Stagings of a scope last written before a time (seconds since the epoch), and what broken puts left behind:
        what a sweeper compares with the rows. Their size is what is stored, which may be more than a row knows."""
        ...

    async def url(self, key: str, seconds: int) -> str | None:
        """A presigned address of key, or None where the driver has none."""
        ...

    async def path(self, key: str, size: int | None = None) -> str | None:
        """The absolute path of the file that holds key, for engines that send files themselves; None where the driver
        has no files, or where this one has not `size` bytes. NotFound as open."""
        ...

    async def check(self) -> None:
        """Raise Unavailable or NoSpace where the store cannot take bytes now (health, start-up)."""
        ...

    async def space(self) -> Space | None:
        """The room there is for bytes, None where the driver cannot tell."""
        ...

    async def close(self) -> None:
        """Give back connections and threads."""
        ...
