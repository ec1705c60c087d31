"""The life of an upload: bytes before rows (reliability 3.1).

Any server may take the next request of an upload; one at a time writes, by a lease in the row. Who takes over from a
writer that did not let go first forks the staging, so that a paused writer that wakes up writes into a file nobody
uses. tests/core/model/upload_protocol.py is this protocol as an executable model.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid4

from ..drivers.base import Staging
from . import hashing
from .body import Body, BodyBroken
from .oci.digest import Digest, blob_key
from .oci.errors import DigestInvalid, Unavailable, UploadRangeInvalid, UploadUnknown
from .quota import UNLIMITED, Room, reserved
from .records import blobs, uploads
from .storage_errors import storage_errors
from .store import Store

log = logging.getLogger(__name__)
ROUNDS = 5


async def store_body(store: Store, repository_id: int, digest: Digest, body: Body, room: Room = UNLIMITED) -> None:
    """A blob that arrives in one request without an upload (POST ?digest=)."""
    content = await body.read(store.limits.inline)
    if content is not None:
        compare(digest, Digest.of(content, digest.algorithm))
        await store.inlines.get(blobs.Small(repository_id, digest, content))
        store.reading.keep(digest, content)
        return
    hasher = hashing.OneRequest(digest.algorithm)
    async with reserved(store, room, digest, body):
        with storage_errors():
            staging = await store.driver.begin(body.length)
            try:
                staging = await store.driver.append(staging, body, hasher)
                compare(digest, hasher.digest())
                await _keep(store, repository_id, digest, staging, None)
            finally:
                store.later(store.driver.abort(staging))


class UploadSession:
    """One upload of one principal in one repository."""

    def __init__(self, store: Store, repository_id: int, principal: str, upload: UUID, room: Room = UNLIMITED) -> None:
        self.id = upload
        self._room = room
        self._store = store
        self._database = store.database
        self._repository_id = repository_id
        self._principal = principal

    async def start(self, algorithm: str) -> None:
        """Make the row."""
        await self._store.starts.get(uploads.New(self.id, self._repository_id, self._principal, algorithm))

    async def offset(self) -> int:
        """How many bytes are kept."""
        found = await uploads.status(self._database, self.id, self._repository_id, self._principal)
        if found is None:
            raise _unknown()
        return found.offset

    async def cancel(self) -> None:
        """Forget the upload."""
        if not await uploads.cancel(self._database, self.id, self._repository_id, self._principal):
            raise _unknown()

    async def append(self, body: Body, start: int | None) -> int:
        """A PATCH: add the body at start (None: wherever the upload stands); the new offset. The bytes of a body that
        breaks are kept as far as they came. UploadRangeInvalid, with the true offset as detail, changes nothing."""
        body.keep_broken = True
        async with self._writing(start) as (upload, lease, staging):
            self._room.bound(body, upload.offset)
            hasher = hashing.resume(upload.algorithm, upload.offset, upload.hash_state)
            with storage_errors():
                fresh = staging is None
                staging = staging or await self._store.driver.begin(body.length)
                grown = await self._appended(staging, body, hasher, fresh)
            expiry = self._store.limits.upload_expiry
            state = hasher.save() if hasher else None
            if not await uploads.save(self._database, self.id, lease, state, grown, expiry):
                if fresh:  # cancelled meanwhile: no row knows of these bytes
                    self._store.later(self._store.driver.abort(grown))
                raise _elsewhere(await self.offset())
        if body.broken:
            raise BodyBroken
        return grown.size

    async def finish(self, digest: Digest, body: Body, start: int | None) -> None:
        """A PUT: the rest of the bytes, and their digest. A body that breaks or does not match counts for nothing."""
        content = await body.read(self._store.limits.inline)
        if content is not None and not start and Digest.of(content, digest.algorithm) == digest:
            answer = await self._inline(digest, content)
            if answer == "stored":
                return
        async with self._writing(start, digest) as (upload, _, staging):
            if upload.answer == "done":
                return
            if content and staging is None and upload.offset == 0:  # small, whole, and not what its digest says
                compare(digest, Digest.of(content, digest.algorithm))
            async with reserved(self._store, self._room, digest, body, upload.offset):
                await self._finish(upload, digest, body if content != b"" else None, staging)

    async def _finish(self, upload: uploads.Upload, digest: Digest, body: Body | None, staging: Staging | None) -> None:
        hasher = await self._hasher(upload, digest.algorithm)
        with storage_errors():
            fresh = staging is None
            staging = staging or await self._store.driver.begin(body.length if body else 0)
            if body is not None:
                staging = await self._appended(staging, body, hasher, fresh)
            try:
                compare(digest, hasher.digest())
                await _keep(self._store, self._repository_id, digest, staging, self.id)
            except BaseException:
                if fresh:
                    self._store.later(self._store.driver.abort(staging))
                raise
            self._store.later(self._store.driver.abort(staging))

    async def _inline(self, digest: Digest, content: bytes) -> str:
        small = uploads.Small(self.id, self._repository_id, self._principal, digest, content)
        found = await self._store.smalls.get(small)
        if found.answer == "unknown":
            raise _unknown()
        if found.answer == "busy":
            raise _elsewhere(found.offset)
        if found.answer == "stored":
            self._store.reading.keep(digest, content)
        return "stored" if found.answer == "done" and found.digest == digest else found.answer

    async def _appended(self, staging: Staging, body: Body, hasher: hashing.Hasher | None, fresh: bool) -> Staging:
        try:
            return await self._store.driver.append(staging, body, hasher)
        except BaseException:
            if fresh:
                self._store.later(self._store.driver.abort(staging))
            raise

    async def _hasher(self, upload: uploads.Upload, algorithm: str) -> hashing.Hasher:
        """The hash over what the upload holds: begun, resumed, or made anew from the staged bytes."""
        if upload.offset == 0 or upload.staging is None:
            return hashing.OneRequest(algorithm)
        if algorithm == upload.algorithm:
            resumed = hashing.resume(algorithm, upload.offset, upload.hash_state)
            if resumed is not None:
                return resumed
        hasher = hashing.OneRequest(algorithm)
        with storage_errors():
            async for piece in await self._store.driver.read(upload.staging):
                await asyncio.to_thread(hasher.update, piece)
        return hasher

    @asynccontextmanager
    async def _writing(
        self, start: int | None, digest: Digest | None = None
    ) -> AsyncIterator[tuple[uploads.Upload, UUID, Staging | None]]:
        """The upload, held by a lease that is renewed to the end and given up where `save` or T2 have not done so."""
        lease, limits = uuid4(), self._store.limits
        upload = await uploads.take(
            self._database, self.id, self._repository_id, self._principal, start, lease, limits.upload_lease
        )
        if upload.answer == "done" and digest is not None and upload.digest == digest:
            yield upload, lease, None
            return
        if upload.answer in ("unknown", "done"):
            raise _unknown()
        if upload.answer in ("busy", "offset"):
            raise _elsewhere(upload.offset)
        renewal = asyncio.create_task(self._renew(lease))
        try:
            staging = upload.staging
            if upload.answer == "taken over" and staging is not None:
                staging = await self._fork(staging, lease, upload.offset)
            yield upload, lease, staging
        except Exception:  # not when cancelled: a thread may still be writing, so the next writer must fork
            with suppress(Unavailable):  # before the answer: the client may go on at once
                await uploads.release(self._database, self.id, lease)
            raise
        finally:
            renewal.cancel()

    async def _fork(self, staging: Staging, lease: UUID, offset: int) -> Staging:
        with storage_errors():
            copy = await self._store.driver.fork(staging)
        if not await uploads.fork(self._database, self.id, lease, copy, staging):
            self._store.later(self._store.driver.abort(copy))
            raise _elsewhere(offset)
        return copy

    async def _renew(self, lease: UUID) -> None:
        pause = self._store.limits.upload_lease.total_seconds() / 3
        held = True
        while held:
            await asyncio.sleep(pause)
            with suppress(Unavailable):  # the next round, or the save, will tell
                held = await uploads.renew(self._database, self.id, lease)


async def _keep(store: Store, repository_id: int, digest: Digest, staging: Staging, upload: UUID | None) -> None:
    """Verified bytes become a blob: claim (T1), bytes at their key, live and linked (T2)."""
    limits, database = store.limits, store.database
    for _ in range(ROUNDS):
        claim = await blobs.claim(database, repository_id, digest, staging.size, limits.lease)
        if claim.live:
            if upload is not None:
                await uploads.done(database, upload, digest, limits.upload_keep)
            return
        await store.driver.commit(staging, blob_key(digest, claim.generation))
        if await blobs.finish(
            database, repository_id, claim, digest, staging.size, limits.lease, upload, limits.upload_keep
        ):
            return
        log.warning("the claim of %s was swept while its bytes were written; starting again", digest)
        await blobs.hand_back(database, digest, claim.generation)
    raise Unavailable("this blob is being deleted and pushed over and over; try again", headers={"Retry-After": "5"})


def compare(given: Digest, found: Digest) -> None:
    """Return where content has the digest it was given under; else DigestInvalid with both."""
    if given != found:
        raise DigestInvalid("the content does not have the digest that was given", {"given": given, "found": found})


def _unknown() -> UploadUnknown:
    return UploadUnknown("there is no such upload here, or it has ended; start a new one")


def _elsewhere(offset: int) -> UploadRangeInvalid:
    return UploadRangeInvalid(
        f"the upload stands at {offset}, or another request is writing it; go on from there", {"offset": offset}
    )
