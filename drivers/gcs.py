"""Objects in a bucket of Google Cloud Storage, by gcloud-aio-storage (the JSON API).

Objects are joined by compose and copied by rewrite, both within the store. Conditions on generations are not asked for
when writing: names of uploads are written once, and a key's content is always the same. Reading is bound to the
generation that it began with.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from io import BytesIO
from json import JSONDecodeError
from typing import Any, Final, TypeVar
from urllib.parse import quote
from uuid import uuid4

from aiohttp import ClientError, ClientResponse, ClientResponseError, ClientSession, ClientTimeout, TCPConnector
from gcloud.aio.storage import Storage

from .answers import Body, Direct, body_of
from .base import NotFound, Stat, Unavailable
from .gcs_account import Account
from .gcs_errors import driver_error, is_passing
from .gcs_settings import Settings
from .objects import Piece
from .parts import as_objects, each
from .streams import Stream
from .tries import tried

GOOGLE: Final = "https://storage.googleapis.com"
CALLS: Final = 64
"""Calls of a process under way at once: the rest wait here and not in the store's backlog."""
CONNECTIONS: Final = 512
"""A slow reader holds one: readers of blobs are bounded elsewhere."""
COMPOSED: Final = 32
"""Most objects of one compose."""
PAGE: Final = 1000
TYPE: Final = "application/octet-stream"
TIMEOUT: Final[Any] = ClientTimeout(total=None, sock_connect=5, sock_read=60)
"""Of one try; its annotation is that of seconds in the client, which takes this as well."""
T = TypeVar("T")


class GcsStore:
    """See ObjectStore. Connects with its first call, in the event loop that makes it."""

    most = COMPOSED - 1  # and the rest

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.root
        self._at = settings.endpoint or GOOGLE
        self._account = Account(settings)
        self._calls = asyncio.Semaphore(CALLS)
        self._session: Any = None  # a ClientSession; the client names that of its twin without asyncio

    async def put(self, name: str, content: bytes | BytesIO) -> None:
        """See ObjectStore.put."""
        body = BytesIO(content) if isinstance(content, bytes) else content
        size = body.getbuffer().nbytes

        async def upload(storage: Storage) -> dict[str, Any]:
            body.seek(0)
            return await storage.upload(
                self._settings.bucket, self._root + name, body, content_type=TYPE, force_resumable_upload=False,
                timeout=TIMEOUT,
            )  # fmt: skip

        stored = await self._call(f"put {name}", upload, size, bucket_only=True)
        if int(stored.get("size", 0)) != size:
            raise Unavailable(f"put {name}: {stored.get('size')} bytes were stored, {size} were sent")

    async def write(self, names: Iterator[str], parts: AsyncIterator[BytesIO]) -> list[Piece]:
        """See ObjectStore.write."""
        return await as_objects(self, names, parts)

    async def get(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """See ObjectStore.get. A connection that breaks is made again where it broke, of the same object only."""
        start = max(start, 0)
        if stop is not None and stop <= start:
            if await self.head(name) is None:
                raise NotFound(f"nothing is at {name}")
            return Stream(None, start, start)
        try:
            answer = await self._ask(name, start, stop)
        except NotFound:
            raise NotFound(f"nothing is at {name}") from None
        if answer is None:
            return Stream(None, start, start)
        generation = answer.headers.get("X-Goog-Generation")
        again = partial(self._again, name, generation) if generation else None
        return Stream(body_of(answer), start, start + (answer.content_length or 0), again)

    async def head(self, name: str) -> Stat | None:
        """See ObjectStore.head."""
        try:
            found = await self._call(
                f"look at {name}",
                lambda storage: storage.download_metadata(self._settings.bucket, self._root + name, timeout=TIMEOUT),
            )
        except NotFound:
            return None
        return Stat(name, int(found["size"]), _written(found))

    async def delete(self, names: Sequence[str]) -> None:
        """See ObjectStore.delete. Some at a time: a batch would be so many calls too."""
        await each([partial(self._delete, name) for name in names])

    async def list(self, prefix: str, after: str) -> AsyncIterator[Stat]:
        """See ObjectStore.list."""
        asked = {
            "prefix": self._root + prefix,
            "maxResults": str(PAGE),
            "fields": "nextPageToken,items(name,size,timeCreated)",
        }
        if after:
            asked["startOffset"] = self._root + after  # which is the first one to come, if it is there
        while True:
            page = await self._call(f"list {prefix}", partial(self._page, asked), bucket_only=True)
            for found in page.get("items", ()):
                name = found["name"][len(self._root) :]
                if name > after or not after:
                    yield Stat(name, int(found["size"]), _written(found))
            if not page.get("nextPageToken"):
                return
            asked["pageToken"] = page["nextPageToken"]

    async def copy(self, name: str, source: Piece) -> None:
        """See ObjectStore.copy. The client goes on with a rewrite until it is done."""
        bucket = self._settings.bucket

        async def rewrite(storage: Storage) -> dict[str, Any]:
            return await storage.copy(
                bucket, self._root + source.name, bucket, new_name=self._root + name, timeout=TIMEOUT
            )

        copied = await self._call(f"copy {source.name}", rewrite, source.size)
        if not copied.get("done"):
            raise Unavailable(f"copy {source.name}: the store left it half done")

    async def join(self, name: str, sources: Sequence[Piece], rest: bytes) -> None:
        """See ObjectStore.join. The rest becomes an object beside the first source, where whoever sweeps an upload
        that was abandoned finds it too."""
        names = [piece.name for piece in sources]
        size = sum(piece.size for piece in sources)
        if not rest:
            await self._compose(name, names, size)
            return
        last = f"{names[0].rpartition('/')[0]}/{uuid4().hex[:16]}"
        try:
            await self.put(last, rest)
            await self._compose(name, [*names, last], size)
        finally:
            with suppress(Unavailable):  # the sweeper finds what cannot be removed now
                await self._delete(last)

    async def leftovers(self, before: float) -> AsyncIterator[dict[str, Any]]:
        """None: what a join leaves behind are objects of its upload."""
        nothing: tuple[dict[str, Any], ...] = ()
        for leftover in nothing:
            yield leftover

    async def drop(self, leftover: dict[str, Any]) -> None:
        """See leftovers."""

    async def url(self, name: str, seconds: int) -> str | None:
        """See ObjectStore.url."""
        return self._account.link(self._at, f"/{self._settings.bucket}/{self._root}{name}", seconds)

    async def check(self) -> None:
        """The bucket is there and ours to list; what an account may do else only an administrator of it is told."""
        asked = {"prefix": self._root, "maxResults": "1", "fields": "items(name)"}
        await self._call(f"use bucket {self._settings.bucket}", partial(self._page, asked), bucket_only=True)

    async def close(self) -> None:
        """Give back the connections."""
        await self._account.close()
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _delete(self, name: str) -> None:
        with suppress(NotFound):
            await self._call(
                f"delete {name}",
                lambda storage: storage.delete(self._settings.bucket, self._root + name, timeout=TIMEOUT),
            )

    async def _page(self, asked: dict[str, str], storage: Storage) -> dict[str, Any]:
        return await storage.list_objects(self._settings.bucket, params=dict(asked), timeout=TIMEOUT)

    async def _compose(self, name: str, sources: Sequence[str], size: int) -> None:
        await self._call(
            f"compose {name}",
            lambda storage: storage.compose(
                self._settings.bucket, self._root + name, [self._root + source for source in sources],
                content_type=TYPE, timeout=TIMEOUT,
            ),
            size,
        )  # fmt: skip

    async def _ask(self, name: str, start: int, stop: int | None, generation: str = "") -> ClientResponse | None:
        """An answer with the bytes of an object from start on, None where it ends before them."""
        headers = {"Accept-Encoding": "identity"}
        if start or stop is not None:
            headers["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
        asked = {"alt": "media"} | ({"generation": generation} if generation else {})
        url = f"{self._at}/storage/v1/b/{self._settings.bucket}/o/{quote(self._root + name, safe='')}"

        async def read(storage: Storage) -> ClientResponse | None:
            allowed = {} if self._settings.endpoint else {"Authorization": f"Bearer {await self._account.get()}"}
            try:
                return await storage.session.get(url, headers=headers | allowed, params=asked, timeout=TIMEOUT)
            except ClientResponseError as error:
                if error.status == 416:
                    return None
                raise

        return await self._call(f"read {name}", read)

    async def _again(self, name: str, generation: str, start: int, stop: int) -> Body | Direct:
        answer = await self._ask(name, start, stop, generation)
        if answer is None or answer.headers.get("X-Goog-Generation", "") != generation:
            if answer is not None:
                answer.close()
            raise Unavailable(f"{name} is another object now")
        return body_of(answer)

    async def _call(
        self, what: str, call: Callable[[Storage], Awaitable[T]], size: int = 0, *, bucket_only: bool = False
    ) -> T:
        """What a call of the client gives; its errors in our words. size: bytes that it sends, or that the store
        copies. bucket_only: it needs nothing but the bucket, so that is what is not there where something is not."""
        try:
            async with self._calls:
                return await tried(lambda: call(self._client()), is_passing, size)
        except (ClientError, OSError, TimeoutError, JSONDecodeError) as error:
            failed = driver_error(error, what)
            if bucket_only and isinstance(failed, NotFound):
                raise Unavailable(f"{failed} (storage.gcs.bucket is {self._settings.bucket!r}: is it there?)") from None
            raise failed from error

    def _client(self) -> Storage:
        if self._session is None:
            self._session = ClientSession(connector=TCPConnector(limit=CONNECTIONS))
        return Storage(
            token=self._account, session=self._session, api_root=self._at, api_is_dev=bool(self._settings.endpoint)
        )


def _written(found: dict[str, Any]) -> float:
    """When an object became what it is, in seconds since the epoch."""
    return datetime.fromisoformat(found["timeCreated"]).timestamp()
