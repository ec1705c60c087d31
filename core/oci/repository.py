"""What a repository can do, wherever it is: here (core/local.py) or behind HTTP (registry/client)."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
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


class Held(NamedTuple):
    """A blob that holds certain values, its size in bytes, and a repository to mount it from."""

    digest: str
    size: int
    repository: str


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


class Pushable(Repository, Protocol):
    """And what an import needs to write: the same logic pushes over HTTP and from the worker's own process."""

    @property
    def name(self) -> str:
        """`project/well/frame/curve`, or fewer segments."""
        ...

    @property
    def bundles(self) -> bool:
        """Whether pushes send blobs along with their manifest in one request."""
        ...

    async def read_blob(self, digest: str) -> bytes:
        """A whole blob, checked; BlobUnknown, ContentMismatch."""
        ...

    async def push_blob(self, data: bytes, source: str | None = None, look: bool = True) -> bool:
        """Store bytes; False if they were there already. source: a repository known to hold them. look: whether it is
        worth asking first if they are here."""
        ...

    async def push_file(
        self, path: Path, digest: Digest, size: int, source: str | None = None, look: bool = True
    ) -> bool:
        """The same of a file, in pieces; DigestInvalid where it is not what the digest says."""
        ...

    async def held(self, contents: Sequence[str]) -> Mapping[str, Held]:
        """Those of at most 1000 content ids of segments that the registry has, where the caller may read, as it has
        judged by the bytes; none of a registry that does not know the question."""
        ...

    async def mount_blob(self, digest: str, source: str) -> bool:
        """Take a blob from another repository; False where that has it not, or the caller may not read it."""
        ...

    async def push_manifest(
        self,
        raw: bytes,
        media_type: str,
        tags: list[str],
        expected: str | None = None,
        fresh: bool = False,
        blobs: Sequence[bytes] = (),
    ) -> Digest:
        """A manifest under all tags or none. expected: what they must name now; fresh: they must not be there yet.
        PreconditionFailed where that does not hold. blobs: of its small ones, to go along; only where it `bundles`."""
        ...

    async def push_next(
        self,
        raw: bytes,
        media_type: str,
        tag: str,
        expected: str | None,
        blobs: Sequence[bytes] = (),
        along: Sequence[str] = (),
    ) -> list[str]:
        """A manifest under a tag, as above (None: there is none yet), under the next `vN`, and under tags that go along
        wherever they stand; the tags that were set, none where the registry cannot number. blobs: of its small ones, to
        go along; only where it `bundles`."""
        ...

    async def tags(self) -> list[str]:
        """All tags; none for a repository that does not exist yet."""
        ...
