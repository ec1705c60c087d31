"""The repositories of this process as an import writes to them: every push asks for the right of whoever it is for."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from ..access import Principal
from ..body import Body, once
from ..curves.schema import checked
from ..local import LocalRepository
from ..oci.digest import Digest
from ..oci.errors import BlobUnknown, ManifestUnknown, NameUnknown
from ..oci.repository import Blob, Held, Pushable, Stored
from ..records import segments
from ..records.artifacts import Actor, Precondition
from ..store import Store
from .files import pieces

_PAGE = 1000


def local(store: Store, principal: Principal, actor: Actor) -> Callable[[str], Pushable]:
    """What gives an Importer the repositories of a store, as one principal may use them."""
    return partial(Shelf, store, principal, actor)


class Shelf:
    """One repository: LocalRepository in the words of Pushable."""

    def __init__(self, store: Store, principal: Principal, actor: Actor, name: str) -> None:
        self._database, self._principal = store.database, principal
        self._limit = store.limits.blob
        self._repository = LocalRepository(store, principal, name, actor)
        self._name = name

    @property
    def name(self) -> str:
        """`project/well/frame/curve`, or fewer segments."""
        return self._name

    @property
    def bundles(self) -> bool:
        """Not: here is no request to be saved."""
        return False

    async def stat_blob(self, digest: Digest) -> Blob:
        """The blob, or BlobUnknown."""
        return await self._repository.stat_blob(digest)

    async def open_blob(self, digest: Digest, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Bytes [start, stop) of a blob."""
        return await self._repository.open_blob(digest, start, stop)

    async def read_blob(self, digest: str) -> bytes:
        """A whole blob, checked."""
        body = await self.open_blob(Digest.parse(digest))
        return checked(digest, b"".join([piece async for piece in body]))

    async def stat_manifest(self, reference: str) -> Stored:
        """What a tag or digest names."""
        return await self._repository.stat_manifest(reference)

    async def get_manifest(self, reference: str) -> tuple[Stored, bytes]:
        """The same and its bytes."""
        return await self._repository.get_manifest(reference)

    async def tags(self) -> list[str]:
        """All tags; none for a repository that does not exist yet."""
        found: list[str] = []
        try:
            while page := await self._repository.tags(found[-1] if found else "", _PAGE):
                found += page
        except (NameUnknown, ManifestUnknown):
            pass
        return found

    async def push_blob(self, data: bytes, source: str | None = None, look: bool = True) -> bool:
        """Store bytes; False if they were there already."""
        digest = Digest.of(data)
        if await self._has(digest, source, look):
            return False
        await self._repository.push_blob(digest, Body(once(data), len(data), self._limit))
        return True

    async def push_file(
        self, path: Path, digest: Digest, size: int, source: str | None = None, look: bool = True
    ) -> bool:
        """The same of a file."""
        if await self._has(digest, source, look):
            return False
        await self._repository.push_blob(digest, Body(pieces(path), size, self._limit))
        return True

    async def held(self, contents: Sequence[str]) -> Mapping[str, Held]:
        """What the registry has of content ids of segments."""
        found = await segments.held(self._database, self._principal, contents)
        return {each.content: Held(each.digest, each.size, each.repository) for each in found}

    async def mount_blob(self, digest: str, source: str) -> bool:
        """Take a blob from another repository; False where that cannot be."""
        return await self._repository.mount_blob(Digest.parse(digest), source)

    async def push_manifest(
        self,
        raw: bytes,
        media_type: str,
        tags: list[str],
        expected: str | None = None,
        fresh: bool = False,
        blobs: Sequence[bytes] = (),
    ) -> Digest:
        """A manifest under all tags or none; PreconditionFailed."""
        return (await self._put(raw, media_type, tags, Precondition(expected, fresh), numbered=False))[0]

    async def push_next(
        self,
        raw: bytes,
        media_type: str,
        tag: str,
        expected: str | None,
        blobs: Sequence[bytes] = (),
        along: Sequence[str] = (),
    ) -> list[str]:
        """A manifest under a tag, the next `vN` and tags that go along; the tags that were set."""
        condition = Precondition(expected, expected is None, tuple(along))
        _, version = await self._put(raw, media_type, [tag, *along], condition, numbered=True)
        return [tag, *along, f"v{version}"]

    async def _put(
        self, raw: bytes, media_type: str, tags: list[str], expected: Precondition, numbered: bool
    ) -> tuple[Digest, int | None]:
        manifest, pushed = await self._repository.push_manifest(
            Body(once(raw), len(raw), None),
            media_type,
            Digest.of(raw),
            tags,
            expected,
            numbered,
        )
        return manifest.digest, pushed.version

    async def _has(self, digest: Digest, source: str | None, look: bool) -> bool:
        if source is not None and source != self._name:
            return await self._repository.mount_blob(digest, source)
        if not look and source is None:
            return False
        try:
            await self._repository.stat_blob(digest)
        except (BlobUnknown, NameUnknown):
            return False
        return True
