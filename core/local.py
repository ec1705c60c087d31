"""LocalRepository: where bytes and records meet. Bound to who asks and to one name; each call asks for the right."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from functools import partial
from uuid import UUID, uuid4

from .access import Action, require
from .body import Body, once
from .cataloguing import describe
from .curves.catalogue import home_of
from .oci import media
from .oci.accessory import accessory_of
from .oci.bundle import ALONG, BUNDLED, check_named, unbundled
from .oci.digest import Digest
from .oci.errors import ManifestTooLarge, UploadUnknown
from .oci.manifest import Manifest, parse
from .oci.repository import Blob, Stored
from .quota import Room
from .records import artifacts, blobs, tags
from .records.artifacts import Precondition, Push, Referrer
from .records.lookup import FoundArtifact, FoundBlob, Home, key
from .records.pulls import Pull
from .standing import Standing, blob_unknown, manifest_unknown
from .uploads import UploadSession, compare, store_body


class LocalRepository(Standing):
    """One repository of this registry, as one principal sees it."""

    # -- blobs ---------------------------------------------------------------------------------------------------------

    async def stat_blob(self, digest: Digest) -> Blob:
        """The blob. For one who may push here the answer is a promise: its lease is renewed when half of it is gone."""
        home, found = await self._find_blob(digest)
        lease = self._store.limits.lease
        if (
            found.remaining < lease.total_seconds() / 2
            and self._may(home, Action.PUSH)
            and not await blobs.extend(self._database, found.link_id, lease)
        ):
            raise blob_unknown()
        return Blob(digest, found.size)

    async def open_blob(self, digest: Digest, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """Bytes [start, stop) of a blob."""
        return await self._store.reading.open(await self.find_blob(digest), start, stop)

    async def find_blob(self, digest: Digest) -> FoundBlob:
        """The record of a blob: `Store.reading` reads parts of it without asking again."""
        return (await self._find_blob(digest))[1]

    async def read_blob(self, digest: Digest) -> bytes:
        """A whole blob, for what reads it here."""
        return await self._store.reading.whole(await self.find_blob(digest))

    async def delete_blob(self, digest: Digest) -> None:
        """Absent here at once: BlobUnknown, BlobReferenced."""
        repository_id = await self._existing(Action.DELETE)
        who = self._actor
        await blobs.hide(self._database, repository_id, digest, who.username, who.address, who.request_id)

    async def mount_blob(self, digest: Digest, source: str | None) -> bool:
        """Take a blob from a repository (None: any) that the caller may pull, without its bytes."""
        repository_id = await self.ensure()
        lease = self._store.limits.lease
        return await blobs.mount(self._database, repository_id, digest, source, self._principal, lease)

    async def push_blob(self, digest: Digest, body: Body) -> None:
        """A blob in one request, without an upload."""
        home = await self._pushable()
        await store_body(self._store, await self._made(home), digest, body, Room.of(home.rights))

    async def start_upload(self, algorithm: str) -> UploadSession:
        """A new upload."""
        home = await self._pushable()
        session = self._session(home, await self._made(home), uuid4())
        await session.start(algorithm)
        return session

    async def find_upload(self, upload: UUID) -> UploadSession:
        """An upload of this principal in this repository; its first use tells whether it is there."""
        home = await self._pushable()
        if home.repository_id is None:
            raise UploadUnknown("there is no such upload here; start a new one")
        return self._session(home, home.repository_id, upload)

    def _session(self, home: Home, repository_id: int, upload: UUID) -> UploadSession:
        return UploadSession(self._store, repository_id, self._principal.key, upload, Room.of(home.rights))

    # -- manifests -----------------------------------------------------------------------------------------------------

    async def stat_manifest(self, reference: str) -> Stored:
        """What a tag or digest names; a promise as `stat_blob`."""
        home, found = await self._find_artifact(reference)
        lease = self._store.limits.lease
        if (
            found.remaining < lease.total_seconds() / 2
            and self._may(home, Action.PUSH)
            and not await artifacts.extend(self._database, found.id, lease)
        ):
            raise manifest_unknown()
        return Stored(Digest(found.digest), found.media_type, found.size)

    async def get_manifest(self, reference: str) -> tuple[Stored, bytes]:
        """What a tag or digest names, and its bytes. Counts as a pull."""
        stored, raw, count = await self.open_manifest(reference)
        count()
        return stored, raw

    async def open_manifest(self, reference: str) -> tuple[Stored, bytes, Callable[[], None]]:
        """The same, with the call that counts it as a pull: for answers that find out later whether they are one."""
        home, found = await self._find_artifact(reference)
        raw = self._store.manifests.get(found.digest)
        if raw is None:
            raw = await artifacts.raw(self._database, found.id)
            if raw is None:
                raise manifest_unknown()
            self._store.manifests.put(found.digest, raw)
        stored = Stored(Digest(found.digest), found.media_type, found.size)
        return stored, raw, partial(self._count_pull, home, found, reference)

    async def push_manifest(
        self,
        body: Body,
        content_type: str | None,
        digest: Digest | None,
        tag_names: list[str],
        expected: Precondition | None = None,
        numbered: bool = False,
    ) -> tuple[Manifest, artifacts.Pushed]:
        """One push, one transaction, under a digest that the bytes must have (None: their SHA-256). `numbered`: with
        the next version number as one more tag, unless it has one. `expected` is of the named tags only. A body of type
        media.BUNDLE brings blobs along, which are stored before it."""
        home = await self._pushable()  # before the body: nobody else has it read
        limited = home.rights.storage_limit is not None and content_type != media.BUNDLE
        if limited and digest is not None and await self._lacks(digest):
            Room.of(home.rights).bound(body)  # it is to be charged, and cannot where it does not fit
        limit, parts = self._store.limits.manifest, list[bytes]()
        if content_type == media.BUNDLE:
            raw = await body.read(limit + BUNDLED)
            if raw is not None:
                bundle = unbundled(raw)
                content_type, raw, parts = bundle.media_type, bundle.manifest, bundle.blobs
        else:
            raw = await body.read(limit)
        if raw is None:
            raise _too_large(limit)
        along = {Digest.of(part): part for part in parts}
        return await self._put(home, raw, content_type, digest, along, tag_names, expected or Precondition(), numbered)

    async def push_whole(
        self,
        raw: bytes,
        media_type: str,
        along: Mapping[Digest, bytes],
        tag_names: list[str],
        expected: Precondition,
        numbered: bool,
    ) -> tuple[Manifest, artifacts.Pushed]:
        """The same of bytes that are here already, with blobs that go along."""
        home = await self._pushable()
        return await self._put(home, raw, media_type, None, along, tag_names, expected, numbered)

    async def _put(
        self,
        home: Home,
        raw: bytes,
        content_type: str | None,
        digest: Digest | None,
        along: Mapping[Digest, bytes],
        tag_names: list[str],
        expected: Precondition,
        numbered: bool,
    ) -> tuple[Manifest, artifacts.Pushed]:
        if len(raw) > self._store.limits.manifest:
            raise _too_large(self._store.limits.manifest)
        found = Digest.of(raw, digest.algorithm if digest else "sha256")
        if digest is not None:
            compare(digest, found)
        manifest = parse(raw, content_type, found)
        check_named(manifest, along)
        repository_id = await self._made(home)
        await asyncio.gather(*(self._store_whole(repository_id, each, content) for each, content in along.items()))
        push = Push(
            repository_id,
            manifest,
            list(dict.fromkeys(tag_names)),
            expected,
            accessory_of(manifest, tag_names),
            self._actor,
            numbered,
            home_of(self._name) is not None,
            await describe(self._store.reading, self._linked, self._name, home.rights.sparse, manifest),
        )
        return manifest, await self._store.pushes.get(push)

    async def _store_whole(self, repository_id: int, digest: Digest, content: bytes) -> None:
        """What does not fit is refused when it is charged."""
        limit = self._store.limits.blob
        if len(content) <= ALONG and (limit is None or len(content) <= limit):
            await self._store.inlines.get(blobs.Small(repository_id, digest, content))  # with all that wait, at once
            self._store.reading.keep(digest, content)
        else:
            await store_body(self._store, repository_id, digest, Body(once(content), len(content), limit))

    async def _lacks(self, digest: Digest) -> bool:
        return (await self._store.by_digest.get(key(self._principal, self._name, digest)))[1] is None

    async def delete_manifest(self, digest: Digest) -> None:
        """The manifest and its tags: ManifestUnknown, ManifestReferenced."""
        repository_id = await self._existing(Action.DELETE)
        await artifacts.delete(self._database, repository_id, digest, self._store.limits.undo, self._actor)

    async def delete_tag(self, name: str) -> None:
        """The tag only: ManifestUnknown."""
        repository_id = await self._existing(Action.DELETE)
        await tags.delete(self._database, repository_id, name, self._store.limits.lease, self._actor)

    async def tags(self, after: str, limit: int) -> list[str]:
        """Tags in byte order, strictly after one."""
        return await tags.names(self._database, await self._existing(Action.PULL), after, limit)

    async def referrers(self, subject: Digest, artifact_type: str | None, after: str, limit: int) -> list[Referrer]:
        """What refers to a digest, by digest. A list that a client left under the fallback tag `sha256-<hex>` adds
        nothing: the subject of every manifest here was recorded when it was pushed."""
        home = await self._home()
        require(self._principal, home.rights, Action.PULL)
        if home.repository_id is None:
            return []
        return await artifacts.referrers(self._database, home.repository_id, subject, artifact_type, after, limit)

    def _count_pull(self, home: Home, found: FoundArtifact, reference: str) -> None:
        who = self._actor
        self._store.pulls.record(
            Pull(
                found.id,
                found.tag_id,
                home.repository_id or 0,
                home.rights.project_id or 0,
                self._name,
                reference if found.tag_id is not None else "",
                found.digest,
                who.username,
                who.address,
                who.request_id,
            )
        )


def _too_large(limit: int) -> ManifestTooLarge:
    return ManifestTooLarge(f"a manifest may have at most {limit} bytes here", {"limit": limit})
