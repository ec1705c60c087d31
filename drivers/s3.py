"""Objects in an S3 bucket, by aiobotocore: AWS, Ceph RGW, MinIO, versitygw and what else speaks it.

Correctness asks little of the store: an object is at its name whole or not at all, and a finished multipart holds the
parts that were listed. Conditional writes and checksums are not asked for, since stores differ (Ceph 16 ignores both).
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from functools import cache, partial
from io import BytesIO
from itertools import count, pairwise
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import add_expect_header

from .answers import body_of
from .base import STAGINGS, NotFound, Stat, Unavailable
from .objects import Piece
from .parts import each, in_few, size_of, store_parts
from .s3_errors import MISSING, OUT_OF_RANGE, code_of, driver_error
from .s3_multipart import PARTS, Multipart, begun
from .s3_settings import Settings
from .streams import Stream
from .tries import within_deadline

COPIED: Final = 512 * 1024 * 1024
"""Largest part of a copy in parts: an object ends at PARTS of them, 4.8 TiB. And about the largest object that is
written in parts: a slow client fills it long before the sweeper takes its multipart for one that nobody will end."""
WHOLE: Final = 1024**3
"""Largest object that is copied by one request. A store takes 5 GiB, and may say nothing until it has copied them."""
CALLS: Final = 64
"""Calls of a process under way at once: the rest wait here and not in the store's backlog."""
PAGE: Final = 1000
"""Most names in a list or a DeleteObjects."""
SAFE: Final = AioConfig(
    connect_timeout=5,
    read_timeout=30,
    max_pool_connections=512,  # a slow reader holds one: readers of blobs are bounded elsewhere
    retries={"mode": "standard", "total_max_attempts": 4},  # with backoff; SlowDown and 5xx among them
    request_checksum_calculation="when_required",  # newer checksums are unknown to older stores
    response_checksum_validation="when_required",
    user_agent="dataforge-registry",  # else botocore puts one together anew for each request
    signature_version="s3v4",  # of links too: the default there is version 2, which new stores refuse
)


class S3Store:
    """See ObjectStore. Connects with its first call, in the event loop that makes it."""

    most = PARTS - 1  # and the rest

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.root
        self._together = max(2, COPIED // settings.part)
        self._open = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._calls = asyncio.Semaphore(CALLS)
        self._made: dict[str, Any] = {}

    async def put(self, name: str, content: bytes | BytesIO) -> None:
        """See ObjectStore.put."""
        body = BytesIO(content) if isinstance(content, bytes) else content  # a file goes in pieces, and bytes whole
        body.seek(0)
        await self._call("put_object", self._root + name, size=size_of(body), Body=body, **self._stored(name))

    async def write(self, names: Iterator[str], parts: AsyncIterator[BytesIO]) -> list[Piece]:
        """See ObjectStore.write: up to COPIED bytes are one object, so that a commit asks for a copy of them all."""
        return await in_few(names, parts, self._together, self.put, self._gathered)

    async def _gathered(self, name: str, parts: AsyncIterator[BytesIO]) -> Piece:
        numbers = count(1)
        async with begun(self._call, self._root + name, self._stored(name)) as multipart:
            await store_parts(lambda part: multipart.send(next(numbers), part), parts)
            return Piece(name, await multipart.complete())

    async def get(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """See ObjectStore.get. A connection that breaks is made again where it broke, of the same object only."""
        start = max(start, 0)
        if stop is not None and stop <= start:
            await self._must_be_there(name)
            return Stream(None, start, start)
        span: dict[str, Any] = (
            {} if start == 0 and stop is None else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        )
        try:
            answer = await self._call("get_object", self._root + name, **span)
        except OutOfRange:
            return Stream(None, start, start)
        except NotFound:
            raise NotFound(f"nothing is at {name}") from None
        again = partial(self._again, name, answer["ETag"])
        return Stream(body_of(answer["Body"].raw_stream), start, start + answer["ContentLength"], again)

    async def head(self, name: str) -> Stat | None:
        """See ObjectStore.head."""
        try:
            answer = await self._call("head_object", self._root + name)
        except NotFound:
            return None
        return Stat(name, answer["ContentLength"], answer["LastModified"].timestamp())

    async def delete(self, names: Sequence[str]) -> None:
        """See ObjectStore.delete."""
        if len(names) == 1:
            with suppress(NotFound):
                await self._call("delete_object", self._root + names[0])
            return
        for first in range(0, len(names), PAGE):
            wanted = [{"Key": self._root + name} for name in names[first : first + PAGE]]
            answer = await self._call("delete_objects", None, Delete={"Objects": wanted, "Quiet": True})
            failed = [error for error in answer.get("Errors", ()) if error.get("Code") not in MISSING]
            if failed:
                raise Unavailable(
                    f"{len(failed)} of {len(wanted)} objects cannot be deleted: {failed[0].get('Message')}"
                )

    async def list(self, prefix: str, after: str) -> AsyncIterator[Stat]:
        """See ObjectStore.list."""
        more: dict[str, Any] = {"StartAfter": self._root + after} if after else {}
        while True:
            page = await self._call("list_objects_v2", None, Prefix=self._root + prefix, MaxKeys=PAGE, **more)
            for found in page.get("Contents", ()):
                name = found["Key"][len(self._root) :]
                if name > after or not after:
                    yield Stat(name, found["Size"], found["LastModified"].timestamp())
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    async def copy(self, name: str, source: Piece) -> None:
        """See ObjectStore.copy."""
        if source.size > WHOLE:
            await self.join(name, [source], b"")
            return
        await self._call(
            "copy_object", self._root + name, size=source.size, CopySource=self._source(source), **self._stored(name)
        )

    async def join(self, name: str, sources: Sequence[Piece], rest: bytes) -> None:
        """See ObjectStore.join: a multipart of copied parts, of at most COPIED bytes each."""
        spans = [(piece, *span) for piece in sources for span in _spans(piece.size)]
        async with begun(self._call, self._root + name, self._stored(name)) as multipart:
            calls = [
                partial(multipart.copy, number, self._source(piece), start, stop, (start, stop) == (0, piece.size))
                for number, (piece, start, stop) in enumerate(spans, 1)
            ]
            last = [partial(multipart.send, len(spans) + 1, BytesIO(rest))] if rest else []
            await each([*calls, *last])
            await multipart.complete()

    async def leftovers(self, before: float) -> AsyncIterator[dict[str, Any]]:
        """See ObjectStore.leftovers: multiparts that were neither completed nor aborted."""
        more: dict[str, Any] = {}
        while True:
            page = await self._call("list_multipart_uploads", None, Prefix=self._root, **more)
            for found in page.get("Uploads", ()):
                if found["Initiated"].timestamp() < before and found["Key"].startswith(self._root):
                    yield {"key": found["Key"][len(self._root) :], "upload": found["UploadId"]}
            if not page.get("IsTruncated"):
                return
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    async def drop(self, leftover: dict[str, Any]) -> None:
        """See ObjectStore.drop."""
        await Multipart(self._call, self._root + leftover["key"], leftover["upload"]).drop()

    async def url(self, name: str, seconds: int) -> str | None:
        """See ObjectStore.url."""
        client = await self._client(self._settings.public)
        named = {"Bucket": self._settings.bucket, "Key": self._root + name}
        return str(await client.generate_presigned_url("get_object", Params=named, ExpiresIn=seconds))

    async def check(self) -> None:
        """The bucket is there and ours to use."""
        try:
            await self._call("head_bucket", None)
        except NotFound:
            raise Unavailable(f"there is no bucket {self._settings.bucket}") from None

    async def close(self) -> None:
        """Give back the connections."""
        await self._open.aclose()
        self._made.clear()

    async def _must_be_there(self, name: str) -> None:
        if await self.head(name) is None:
            raise NotFound(f"nothing is at {name}")

    async def _again(self, name: str, etag: str, start: int, stop: int) -> Any:
        answer = await self._call("get_object", self._root + name, Range=f"bytes={start}-{stop - 1}", IfMatch=etag)
        return body_of(answer["Body"].raw_stream)

    def _stored(self, name: str) -> dict[str, Any]:
        """What is said of an object that is written. A part of an upload is not of the class of storage that is asked
        for: cheaper ones are billed for a month at least."""
        stored = self._settings.stored
        return {word: stored[word] for word in stored if word != "StorageClass" or not name.startswith(f"{STAGINGS}/")}

    def _source(self, piece: Piece) -> dict[str, str]:
        return {"Bucket": self._settings.bucket, "Key": self._root + piece.name}

    async def _call(self, operation: str, key: str | None, *, size: int = 0, **arguments: Any) -> Any:
        """One request of the client, within the deadline; its errors in our words."""
        if key is not None:
            arguments["Key"] = key
        client = await self._client()
        try:
            async with self._calls, within_deadline(size):
                return await getattr(client, operation)(Bucket=self._settings.bucket, **arguments)
        except ClientError as error:
            if code_of(error) in OUT_OF_RANGE:
                raise OutOfRange from None
            raise driver_error(error, f"{operation} {key or self._settings.bucket}") from error
        except (BotoCoreError, OSError, TimeoutError) as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise Unavailable(f"{operation} {key or self._settings.bucket}: {said}") from error

    async def _client(self, endpoint: str = "") -> Any:
        """The client of the store, or of the address that others see it at."""
        async with self._opening:
            if endpoint not in self._made:
                where = {"endpoint_url": endpoint} if endpoint else {}
                config = SAFE.merge(self._settings.config)
                session = get_session()
                session.register_component("data_loader", _models())
                client = session.create_client("s3", config=config, **self._settings.client | where)
                made = await self._open.enter_async_context(client)
                # A PUT that asks first waits for "100 Continue" without any timeout, once the store hangs.
                made.meta.events.unregister("before-call.s3", add_expect_header)
                self._made[endpoint] = made
        return self._made[endpoint]


@cache
def _models() -> Any:
    """What botocore knows of services, which takes longer to read than all else of a client's making."""
    return get_session().get_component("data_loader")


def _spans(size: int) -> Iterator[tuple[int, int]]:
    """So many bytes in spans of about one length, COPIED at most: none but the last of a join may be short."""
    number = -(-size // COPIED)
    return pairwise(size * each // number for each in range(number + 1))


class OutOfRange(Exception):
    """A range that begins behind the end."""
