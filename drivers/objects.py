"""What an object store gives, as far as drivers need it: whole objects at names, never changed in place.

S3, Azure and GCS each fill this in; staged.py makes a driver of it. Names are keys below the store's own root.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Protocol

from .base import Staging, Stat


@dataclass(frozen=True, slots=True)
class Piece:
    """An object, and how many bytes it holds."""

    name: str
    size: int


class ObjectStore(Protocol):
    """Every method may raise NoSpace or Unavailable, after retries within a deadline of its own."""

    most: int
    """Most sources of a join."""

    async def put(self, name: str, content: bytes | BytesIO) -> None:
        """One object, in place of what was there; a reader sees the old one or the new."""
        ...

    async def write(self, names: Iterator[str], parts: AsyncIterator[BytesIO]) -> list[Piece]:
        """Parts of LEAST bytes at least, but for the last, as objects at the next names, in order: each one, or several
        together. Two of them are in memory at most. What is whole where it fails stays."""
        ...

    async def get(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Bytes [start, stop) of an object, as Driver.open."""
        ...

    async def head(self, name: str) -> Stat | None:
        """Size and time of an object, None where there is none."""
        ...

    async def delete(self, names: Sequence[str]) -> None:
        """Remove objects; absent is fine."""
        ...

    def list(self, prefix: str, after: str) -> AsyncIterator[Stat]:
        """As Driver.list."""
        ...

    async def copy(self, name: str, source: Piece) -> None:
        """An object as another is, within the store. NotFound where that is not there."""
        ...

    async def join(self, name: str, sources: Sequence[Piece], rest: bytes) -> None:
        """An object of the bytes of others, within the store, and of some more behind them. There are `most` sources at
        most, of LEAST bytes at least. Nothing is at the name before all of it is. NotFound where a source is not
        there."""
        ...

    def leftovers(self, before: float) -> AsyncIterator[dict[str, Any]]:
        """What writes and joins that broke off before a time (seconds since the epoch) left behind, as `drop` takes
        it."""
        ...

    async def drop(self, leftover: dict[str, Any]) -> None:
        """Remove one; absent is fine."""
        ...

    async def url(self, name: str, seconds: int) -> str | None:
        """As Driver.url, for WEEK at most."""
        ...

    async def check(self) -> None:
        """As Driver.check."""
        ...

    async def close(self) -> None:
        """As Driver.close."""
        ...


LEAST = 5 * 1024 * 1024
"""Fewest bytes of an object that is joined and is not the last (S3: EntityTooSmall)."""

WEEK = 7 * 24 * 3600
"""Most seconds that stores let a link be good for."""


def staging_of(name: str, pieces: Sequence[Piece]) -> Staging:
    """The staging whose bytes are those of the pieces, in order; `pieces_of` reads it."""
    state = {"pieces": [[piece.name, piece.size] for piece in pieces]} if pieces else {}
    return Staging(name, sum(piece.size for piece in pieces), state)


def pieces_of(staging: Staging) -> list[Piece]:
    """The objects that a staging's state names, in order; together they may hold more than its size."""
    return [Piece(name, size) for name, size in staging.state.get("pieces", ())]
