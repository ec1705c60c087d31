"""Repositories that are looked at and not written to: what an import would send is counted, and nothing is sent."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path

from ..oci.digest import Digest
from ..oci.errors import BlobUnknown, NameUnknown
from ..oci.repository import Blob, Held, Pushable, Stored


class DryRepository:
    """Reads as the repository does; a push only says whether it would have sent anything."""

    def __init__(self, repository: Pushable) -> None:
        self._repository = repository

    @property
    def name(self) -> str:
        """The repository's."""
        return self._repository.name

    @property
    def bundles(self) -> bool:
        """Not: each blob is looked for."""
        return False

    async def stat_blob(self, digest: Digest) -> Blob:
        """As the repository."""
        return await self._repository.stat_blob(digest)

    async def open_blob(self, digest: Digest, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """As the repository."""
        return await self._repository.open_blob(digest, start, stop)

    async def read_blob(self, digest: str) -> bytes:
        """As the repository."""
        return await self._repository.read_blob(digest)

    async def stat_manifest(self, reference: str) -> Stored:
        """As the repository."""
        return await self._repository.stat_manifest(reference)

    async def get_manifest(self, reference: str) -> tuple[Stored, bytes]:
        """As the repository."""
        return await self._repository.get_manifest(reference)

    async def tags(self) -> list[str]:
        """As the repository."""
        return await self._repository.tags()

    async def push_blob(self, data: bytes, source: str | None = None, look: bool = True) -> bool:
        """Whether the bytes would be sent."""
        return source is None and await self._lacks(Digest.of(data))

    async def push_file(
        self, path: Path, digest: Digest, size: int, source: str | None = None, look: bool = True
    ) -> bool:
        """Whether the file would be sent."""
        return source is None and await self._lacks(digest)

    async def held(self, contents: Sequence[str]) -> Mapping[str, Held]:
        """Nothing: a mount would be a push."""
        return {}

    async def mount_blob(self, digest: str, source: str) -> bool:
        """Not done."""
        return False

    async def push_manifest(
        self,
        raw: bytes,
        media_type: str,
        tags: list[str],
        expected: str | None = None,
        fresh: bool = False,
        blobs: Sequence[bytes] = (),
    ) -> Digest:
        """The digest that it would have."""
        return Digest.of(raw)

    async def push_next(
        self,
        raw: bytes,
        media_type: str,
        tag: str,
        expected: str | None,
        blobs: Sequence[bytes] = (),
        along: Sequence[str] = (),
    ) -> list[str]:
        """Some number, since one would be given."""
        return [tag, *along, "v1"]

    async def _lacks(self, digest: Digest) -> bool:
        try:
            await self._repository.stat_blob(digest)
        except (BlobUnknown, NameUnknown):
            return True
        return False
