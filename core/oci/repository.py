"""What a repository can do, wherever it is: here (core/local.py) or behind HTTP (registry/client)."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .digest import Digest


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob that is there: its name and its size in bytes."""

    digest: Digest
    size: int


class Stored(NamedTuple):
    """A manifest that is there: digest, media type as pushed, size in bytes."""

    digest: Digest
    media_type: str
    size: int


class Repository(Protocol):
    """The reading half that copying needs; a reference is a tag or a digest."""

    async def stat_blob(self, digest: Digest) -> Blob:
        """The blob, or BlobUnknown."""
        ...

    async def open_blob(self, digest: Digest, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Bytes [start, stop) of a blob; BlobUnknown is raised before the first."""
        ...

    async def stat_manifest(self, reference: str) -> Stored:
        """The manifest, or ManifestUnknown / NameUnknown."""
        ...

    async def get_manifest(self, reference: str) -> tuple[Stored, bytes]:
        """The manifest and its bytes."""
        ...
