"""A repository on a registry: the Repository protocol and pushing, over HTTP. Works with any OCI registry."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from ...core.curves.errors import ContentMismatch
from ...core.oci import media
from ...core.oci.digest import Digest
from ...core.oci.errors import BlobUnknown, ManifestUnknown, NameUnknown, RegistryError
from ...core.oci.repository import Blob, Held, Stored
from .answer import Answer
from .body import Body, FileBody
from .cache import Cache
from .credentials import Credentials
from .pages import pages
from .pushes import TOGETHER, Push, Way
from .transfers import CHUNK, upload
from .transport import Transport

_ACCEPT = ", ".join(sorted(media.MANIFESTS))
_LOOKUP = "/api/v1/segments:lookup"


class RemoteRegistry:
    """The registry at `base` (`http://HOST:PORT`). An async context; RegistryErrors carry one line for people."""

    def __init__(self, base: str, credentials: Credentials | None = None, cache: Cache | None = None) -> None:
        self.transport = Transport(base, credentials)
        self.cache = cache
        self._way = Way(self.transport)

    async def __aenter__(self) -> Self:
        await self.transport.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.transport.__aexit__(kind, error, trace)

    async def check(self) -> bool:
        """end-1: whether it is one of ours; the RegistryError that says why it is not there or lets nobody in."""
        answer = await self.transport.request("GET", "/v2/")
        self._way.together = TOGETHER in answer.headers
        return self._way.together

    def repository(self, name: str) -> "RemoteRepository":
        """A repository of it, whether it exists yet or not."""
        return RemoteRepository(self.transport, self._way, name, self.cache)

    async def catalog(self) -> list[str]:
        """All repositories the caller may pull, in the registry's order."""
        return await pages(self.transport, "/v2/_catalog", "repositories", "")


class RemoteRepository:
    """One repository. Every download is checked against its digest (ContentMismatch)."""

    def __init__(self, transport: Transport, way: Way, name: str, cache: Cache | None = None) -> None:
        self.transport = transport
        self._way = way
        self.name = name
        self._cache = cache

    @property
    def bundles(self) -> bool:
        """Whether the registry has shown itself to be one of ours: then it takes blobs with their manifest."""
        return self.transport.bundles or self._way.together

    async def stat_blob(self, digest: Digest) -> Blob:
        """end-2 HEAD: the blob, or BlobUnknown."""
        answer = await self._request("HEAD", f"blobs/{digest}", expect=(200, 404))
        if answer.status == 404:
            raise BlobUnknown(f"{self.name} has no blob {digest}")
        return Blob(digest, int(answer.headers.get("Content-Length", "0")))

    async def open_blob(self, digest: Digest, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """end-2: bytes [start, stop) of a blob; BlobUnknown is raised before the first. A whole blob is checked."""
        if start == 0 and stop is None:
            body = await self.read_blob(digest)
        else:
            span = f"bytes={start}-{'' if stop is None else stop - 1}"
            answer = await self._request("GET", f"blobs/{digest}", headers={"Range": span}, expect=(200, 206))
            body = answer.body if answer.status == 206 else answer.body[start:stop]

        async def pieces() -> AsyncGenerator[bytes, None]:
            yield body

        return pieces()

    async def read_blob(self, digest: str) -> bytes:
        """end-2: a whole blob, checked; not asked for where the cache has it. BlobUnknown, ContentMismatch."""
        expected = Digest.parse(digest)
        kept = await self._kept(expected)
        if kept is not None:
            return kept
        answer = await self._request("GET", f"blobs/{expected}")
        return await self._keep(expected, _checked(expected, answer.body, f"blob {digest} of {self.name}"))

    async def push_blob(self, data: bytes, source: str | None = None, look: bool = True) -> bool:
        """end-4b: store bytes; False if they were there already. source: a repository known to hold them (end-11).

        look: ask first whether they are here; not worth a request where they can hardly be, or are few.
        """
        return await self._push(data, Digest.of(data), source, look)

    async def push_file(
        self, path: Path, digest: Digest, size: int, source: str | None = None, look: bool = True
    ) -> bool:
        """The same of a file, in pieces; DigestInvalid where it is not, or no more, what the digest says."""
        return await self._push(FileBody(path, size), digest, source, look)

    async def held(self, contents: Sequence[str]) -> Mapping[str, Held]:
        """What the registry has of content ids of segments; asked of one that is ours, or may be, alone."""
        if not self.transport.may_know_values:
            return {}
        body, headers = json.dumps({"contents": list(contents)}).encode(), {"Content-Type": "application/json"}
        try:
            answer = await self.transport.request("POST", _LOOKUP, self.name, headers=headers, data=body, attempts=1)
            found = answer.json()["segments"]
            return {each["content"]: Held(each["digest"], each["size"], each["repository"]) for each in found}
        except (RegistryError, KeyError, TypeError):
            self.transport.may_know_values = False
            return {}

    async def mount_blob(self, digest: str, source: str) -> bool:
        """end-11: take a blob from another repository; False where the registry does not."""
        answer = await self._mount(digest, source)
        if answer.status == 202:  # an upload was opened instead, of which there is no need
            with suppress(RegistryError):
                await self.transport.request("DELETE", answer.headers["Location"], self.name, expect=(204,))
        return answer.status == 201

    async def _mount(self, digest: str, source: str) -> Answer:
        query = [("mount", digest), ("from", source)]
        return await self._request("POST", "blobs/uploads/", query=query, expect=(201, 202))

    async def _push(self, data: Body, digest: Digest, source: str | None, look: bool) -> bool:
        if source is not None and source != self.name:
            answer = await self._mount(digest, source)
            if answer.status == 201:
                return False
            await self._close_upload(answer, digest, data)
            return True
        if look or source is not None:
            try:
                await self.stat_blob(digest)
                return False
            except (BlobUnknown, NameUnknown):
                pass
        if isinstance(data, FileBody) and data.size > CHUNK:
            await upload(self.transport, self.name, data.path, digest, data.size)
            return True
        answer = await self._request("POST", "blobs/uploads/", query=[("digest", digest)], data=data, expect=(201, 202))
        if answer.status == 202:  # a registry without single-POST uploads opened a session instead
            await self._close_upload(answer, digest, data)
        return True

    async def _close_upload(self, opened: Answer, digest: Digest, data: Body) -> None:
        """end-6: the whole blob in the closing PUT."""
        await self.transport.request(
            "PUT",
            opened.headers["Location"],
            self.name,
            query=[("digest", digest)],
            headers={"Content-Type": media.OCTET_STREAM},
            data=data,
            expect=(201,),
        )

    async def stat_manifest(self, reference: str) -> Stored:
        """end-3 HEAD: what a tag or digest names; ManifestUnknown, NameUnknown."""
        answer = await self._request("HEAD", f"manifests/{reference}", headers={"Accept": _ACCEPT}, expect=(200, 404))
        if answer.status == 404:
            raise ManifestUnknown(f"{self.name} has no {reference}")
        digest = Digest.parse(answer.headers.get("Docker-Content-Digest", ""))
        return Stored(digest, answer.headers.get("Content-Type", ""), int(answer.headers.get("Content-Length", "0")))

    async def get_manifest(self, reference: str) -> tuple[Stored, bytes]:
        """end-3: the manifest and its bytes, checked; ManifestUnknown, NameUnknown, ContentMismatch.

        With a cache a digest is asked for once, and a tag with If-None-Match of what it named last.
        """
        address = f"{self.transport.base}/v2/{self.name}/manifests/{reference}"
        last = self._cache.named(address) if self._cache else None
        kept = await self._kept(last[0]) if last else None
        if last and kept is not None and ":" in reference:
            return Stored(last[0], last[1], len(kept)), kept
        headers = {"Accept": _ACCEPT} | ({"If-None-Match": f'"{last[0]}"'} if last and kept is not None else {})
        answer = await self._request("GET", f"manifests/{reference}", headers=headers, expect=(200, 304))
        if answer.status == 304 and last and kept is not None:
            return Stored(last[0], last[1], len(kept)), kept
        named = reference if ":" in reference else answer.headers.get("Docker-Content-Digest")
        digest = Digest.parse(named) if named else Digest.of(answer.body)
        media_type = answer.headers.get("Content-Type", "")
        await self._keep(digest, _checked(digest, answer.body, f"{self.name}:{reference}"))
        if self._cache:
            self._cache.name(address, digest, media_type)
        return Stored(digest, media_type, len(answer.body)), answer.body

    async def _kept(self, digest: Digest) -> bytes | None:
        return await asyncio.to_thread(self._cache.get, digest) if self._cache else None

    async def _keep(self, digest: Digest, data: bytes) -> bytes:
        if self._cache:
            await asyncio.to_thread(self._cache.put, digest, data)
        return data

    async def push_manifest(
        self,
        raw: bytes,
        media_type: str,
        tags: list[str],
        expected: str | None = None,
        fresh: bool = False,
        blobs: Sequence[bytes] = (),
    ) -> Digest:
        """end-7b: put a manifest under all tags or none. blobs: small ones of it, to go along where it `bundles`.

        expected: the digest the tags must name now (If-Match); fresh: the tags must not exist (If-None-Match: *).
        PreconditionFailed where that does not hold, BlobUnknown where a layer is missing.
        """
        push = Push(
            repository=self.name, raw=raw, media_type=media_type, tags=tags, match=expected, none=fresh, blobs=blobs
        )
        await self._way.put(push)
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
        """Put a manifest under a tag and, where the registry can do that, the next version number `vN`.

        expected: the digest the tag must name now, None where there must be no such tag (PreconditionFailed); along:
        tags that move with it, of which that is not asked. blobs: small ones of it, in the same request; only where it
        `bundles`. Back come the tags that the registry says it has
        set (`OCI-Tag`); none of a registry that does not know the question.
        """
        moved = await self._way.put(
            Push(
                repository=self.name,
                raw=raw,
                media_type=media_type,
                tags=[tag],
                match=expected,
                none=expected is None,
                along=along,
                numbered=True,
                blobs=blobs,
            )
        )
        self.transport.bundles |= any(re.fullmatch("v[0-9]+", name) for name in moved)
        return moved

    async def tags(self) -> list[str]:
        """end-8: all tags; none for a repository that does not exist yet."""
        try:
            return await pages(self.transport, f"/v2/{self.name}/tags/list", "tags", self.name)
        except (NameUnknown, ManifestUnknown):
            return []

    async def referrers(self, digest: Digest) -> list[dict[str, object]]:
        """end-12: descriptors of what refers to a manifest."""
        return await pages(self.transport, f"/v2/{self.name}/referrers/{digest}", "manifests", self.name)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        data: Body | None = None,
        expect: tuple[int, ...] = (200,),
    ) -> Answer:
        address = f"/v2/{self.name}/{quote(path, safe='/:')}"
        return await self.transport.request(
            method, address, self.name, query=query, headers=headers, data=data, expect=expect
        )


def _checked(digest: Digest, body: bytes, what: str) -> bytes:
    if hashlib.new(digest.algorithm, body, usedforsecurity=False).hexdigest() != digest.hex:
        raise ContentMismatch(f"{what} came with other bytes than its digest names; ask again or check the registry")
    return body
