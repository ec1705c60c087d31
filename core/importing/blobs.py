"""Blobs on their way to many repositories: equal bytes are sent once, and mounted everywhere else."""

import asyncio
from pathlib import Path

from ..oci.digest import Digest
from ..oci.repository import Pushable
from .report import Counts

REMEMBERED = 50_000
"""Blobs of which is known where they stand: those of the last few thousand curves."""
LOOKED_FOR = 64 << 10
"""From this size in bytes it is cheaper to ask for a blob that may be there than to send it for nothing."""


class Blobs:
    """What one import has sent."""

    def __init__(self) -> None:
        self._homes: dict[str, str] = {}
        self._sending: dict[str, asyncio.Lock] = {}

    async def push(self, repository: Pushable, data: bytes, counts: Counts, fresh: bool) -> None:
        """Bytes to a repository. fresh: it is new, so nothing can be there."""
        digest = Digest.of(data)
        async with self._sending.setdefault(digest, asyncio.Lock()):
            look = not fresh and len(data) >= LOOKED_FOR
            sent = await repository.push_blob(data, self._homes.get(digest), look)
            self._remember(digest, repository)
        self._count(counts, len(data), sent)

    def goes_along(self, repository: Pushable, data: bytes, counts: Counts) -> None:
        """Bytes go with the manifest that names them; reused where the registry has them, which costs less than to
        have them mounted."""
        digest = Digest.of(data)
        counts.blobs_sent += digest not in self._homes
        counts.blobs_reused += digest in self._homes
        counts.sent += len(data)
        self._remember(digest, repository)

    async def push_file(
        self, repository: Pushable, path: Path, digest: Digest, size: int, counts: Counts, fresh: bool
    ) -> None:
        """A file to a repository, in pieces."""
        async with self._sending.setdefault(digest, asyncio.Lock()):
            sent = await repository.push_file(path, digest, size, self._homes.get(digest), not fresh)
            self._remember(digest, repository)
        self._count(counts, size, sent)

    def known(self, digest: str, repository: str) -> None:
        """A blob stands in a repository that the caller may read."""
        self._homes[digest] = repository

    def _remember(self, digest: str, repository: Pushable) -> None:
        self._homes.setdefault(digest, repository.name)
        self._sending.pop(digest, None)  # who waits for it holds it, and finds the blob's home
        if len(self._homes) > REMEMBERED:
            del self._homes[next(iter(self._homes))]

    @staticmethod
    def _count(counts: Counts, size: int, sent: bool) -> None:
        counts.blobs_sent += sent
        counts.blobs_reused += not sent
        counts.sent += size * sent
