"""SHA-256 and SHA-512 whose state can be kept between two requests of an upload.

A request that brings a whole blob is hashed by hashlib, which releases the GIL. An upload that spans requests is hashed
by `rehashes`, whose state is saved in the upload's row in a format of our own: version, algorithm, state. Where
`rehashes` is not to be had there is no state to save, and the staged bytes are read once more at the end.
"""

import hashlib
from typing import Any, Protocol

from .oci.digest import Digest

try:
    import rehashes
except ImportError:  # no wheel for this platform
    rehashes = None

_VERSION = b"\x01"
_CODES = {"sha256": b"\x01", "sha512": b"\x02"}
_PIECE = 1 << 20  # rehashes holds the GIL, so it is fed no more than this at a time


class Hasher(Protocol):
    """Takes bytes, gives their digest, and may give its state."""

    algorithm: str

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""
        ...

    def digest(self) -> Digest:
        """The digest of all bytes taken; nothing may be added after."""
        ...

    def save(self) -> bytes | None:
        """The state for `resume`, or None where it cannot be saved."""
        ...


class OneRequest:
    """hashlib: for content that arrives in one request."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self._hash = hashlib.new(algorithm, usedforsecurity=False)

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""
        self._hash.update(data)

    def digest(self) -> Digest:
        """The digest of all bytes taken."""
        return Digest(f"{self.algorithm}:{self._hash.hexdigest()}")

    def save(self) -> bytes | None:
        """hashlib cannot say its state."""
        return None


class Resumable:
    """rehashes: for content that arrives in several requests."""

    def __init__(self, algorithm: str, state: bytes | None = None) -> None:
        self.algorithm = algorithm
        kind = rehashes.PySha256 if algorithm == "sha256" else rehashes.PySha512
        self._hash: Any = kind.deserialize(state) if state is not None else kind()

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""
        if len(data) <= _PIECE:
            self._hash.update(bytes(data))
            return
        view = memoryview(data)
        for at in range(0, len(view), _PIECE):
            self._hash.update(bytes(view[at : at + _PIECE]))

    def digest(self) -> Digest:
        """The digest of all bytes taken."""
        found = self._hash.finalize()
        return Digest(f"{self.algorithm}:{found if isinstance(found, str) else bytes(found).hex()}")

    def save(self) -> bytes | None:
        """Version, algorithm and state."""
        return _VERSION + _CODES[self.algorithm] + bytes(self._hash.serialize())


def begin(algorithm: str) -> Hasher:
    """A hasher for an upload that may span requests."""
    return Resumable(algorithm) if rehashes is not None else OneRequest(algorithm)


def resume(algorithm: str, offset: int, state: bytes | None) -> Hasher | None:
    """The hasher after the first offset bytes; None where its state is not known: then the bytes must be read again."""
    if offset == 0:
        return begin(algorithm)
    if state is None or rehashes is None or state[:2] != _VERSION + _CODES[algorithm]:
        return None
    try:
        return Resumable(algorithm, state[2:])
    except Exception:  # a state of another release of rehashes, or a damaged row: the bytes are still there
        return None
