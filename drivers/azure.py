"""Objects in an Azure container, by azure-storage-blob.

Uncommitted blocks belong to a name and not to a writer: whoever writes at a name drops what others staged there. So
each join has block ids of its own, and one that finds its blocks dropped was overtaken by a whole other content.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Any, Final
from uuid import uuid4

from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import ContainerClient

from .answers import Body, Direct, body_of
from .azure_calls import Calls
from .azure_errors import code_of
from .azure_settings import Settings
from .base import NotFound, Stat, Unavailable
from .objects import Piece
from .parts import each, in_few, size_of, store_parts
from .streams import Stream

COPIED: Final = 64 * 1024 * 1024
"""Largest block that a store is asked to copy: what it does well before a call times out."""
WHOLE: Final = 256 * 1024 * 1024
"""Largest object that a store copies before it answers."""
BLOCKS: Final = 50_000
"""Most blocks of an object. It ends at so many of COPIED bytes, 3 TiB."""
PAGE: Final = 5000
"""Most names in a list."""


class AzureStore:
    """See ObjectStore. Connects with its first call, in the event loop that makes it."""

    most = BLOCKS - 1  # and the rest

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._root = settings.root
        self._together = max(2, WHOLE // settings.part)
        self._calls = Calls(settings)

    async def put(self, name: str, content: bytes | BytesIO) -> None:
        """See ObjectStore.put: one request, however long. The client reads a file whole and holds what it read until a
        collection, so it is given nothing, and its request the file."""
        body = BytesIO(content) if isinstance(content, bytes) else content
        size = size_of(body)

        def instead(request: Any) -> None:
            request.http_request.data = body

        async def call(container: ContainerClient) -> None:
            body.seek(0)
            await container.upload_blob(self._named(name), b"", length=size, overwrite=True, raw_request_hook=instead)

        await self._calls.call("put", name, call, size)

    async def write(self, names: Iterator[str], parts: AsyncIterator[BytesIO]) -> list[Piece]:
        """See ObjectStore.write: up to WHOLE bytes are one object, so that a commit asks for a copy of them all."""
        return await in_few(names, parts, self._together, self.put, self._gathered)

    async def _gathered(self, name: str, parts: AsyncIterator[BytesIO]) -> Piece:
        owner, ids, sizes = uuid4().hex, list[str](), list[int]()

        def put(content: BytesIO) -> Awaitable[None]:
            ids.append(f"{owner}{len(ids):06}")
            sizes.append(size_of(content))
            return self._block(name, ids[-1], content)

        try:
            await store_parts(put, parts)
            await self._commit(name, ids)
        except BaseException:
            with suppress(Exception):  # the store keeps blocks without a list for a week
                await self._commit(name, [])
                await self.delete([name])
            raise
        return Piece(name, sum(sizes))

    async def _block(self, name: str, block: str, content: BytesIO) -> None:
        size = size_of(content)

        async def call(container: ContainerClient) -> None:
            content.seek(0)
            await container.get_blob_client(self._named(name)).stage_block(block, content, size)

        await self._calls.call("put a block of", name, call, size)

    async def get(self, name: str, start: int = 0, stop: int | None = None) -> AsyncGenerator[bytes, None]:
        """See ObjectStore.get. A connection that breaks is made again where it broke, of the same object only."""
        start = max(start, 0)
        if stop is not None and stop <= start:
            if await self.head(name) is None:
                raise NotFound(f"nothing is at {name}")
            return Stream(None, start, start)
        span = {} if start == 0 and stop is None else {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        try:
            answer = await self._calls.read(self._named(name), span)
        except NotFound:
            raise NotFound(f"nothing is at {name}") from None
        except Unavailable as failed:
            if code_of(failed.__cause__) != "InvalidRange":
                raise
            return Stream(None, start, start)
        again = partial(self._again, name, answer.headers["ETag"])
        return Stream(body_of(answer), start, start + int(answer.headers["Content-Length"]), again)

    async def head(self, name: str) -> Stat | None:
        """See ObjectStore.head."""

        async def call(container: ContainerClient) -> Stat:
            found = await container.get_blob_client(self._named(name)).get_blob_properties()
            return Stat(name, found.size, found.last_modified.timestamp())

        try:
            return await self._calls.call("head", name, call)
        except NotFound:
            return None

    async def delete(self, names: Sequence[str]) -> None:
        """See ObjectStore.delete: one by one, since a batch tells a part that failed as a failure of all."""

        async def one(name: str) -> None:
            with suppress(NotFound):
                await self._calls.call("delete", name, lambda it: it.delete_blob(self._named(name), "include"))

        await each([partial(one, name) for name in names])

    async def list(self, prefix: str, after: str) -> AsyncIterator[Stat]:
        """See ObjectStore.list. The store begins near `after` where it can, and what came before is passed over."""
        near: dict[str, Any] = {"start_from": self._named(after)} if after.startswith(prefix) and after else {}
        marker: str | None = None

        async def call(container: ContainerClient) -> tuple[list[Any], str | None]:
            found = container.list_blobs(self._named(prefix), results_per_page=PAGE, **near).by_page(marker)
            async for page in found:
                return [blob async for blob in page], found.continuation_token  # type: ignore[attr-defined]
            return [], None

        while True:
            blobs, marker = await self._calls.call("list", prefix, call)
            for blob in blobs:
                name = blob.name[len(self._root) :].replace("[~", "\\").replace("[!", "[")
                if name > after:
                    yield Stat(name, blob.size, blob.last_modified.timestamp())
            if not marker:
                return

    async def copy(self, name: str, source: Piece) -> None:
        """See ObjectStore.copy."""
        if source.size > WHOLE:
            await self.join(name, [source], b"")
            return

        async def call(container: ContainerClient) -> None:
            link, said = await self._source(source)
            target = container.get_blob_client(self._named(name))
            await target.start_copy_from_url(link, requires_sync=True, **said)

        await self._calls.call("copy to", name, call, source.size)

    async def join(self, name: str, sources: Sequence[Piece], rest: bytes) -> None:
        """See ObjectStore.join: blocks that the store copies, of at most COPIED bytes each, and their list."""
        spans = [(piece, at, min(COPIED, piece.size - at)) for piece in sources for at in range(0, piece.size, COPIED)]
        owner = uuid4().hex
        ids = [f"{owner}{number:06}" for number in range(len(spans) + bool(rest))]

        async def copied(block: str, piece: Piece, at: int, size: int) -> None:
            async def call(container: ContainerClient) -> None:
                link, said = await self._source(piece)
                await container.get_blob_client(self._named(name)).stage_block_from_url(block, link, at, size, **said)

            await self._calls.call("copy a block to", name, call, size)

        blocks = [partial(copied, block, *span) for block, span in zip(ids, spans, strict=False)]
        await each([*blocks, *([partial(self._block, name, ids[-1], BytesIO(rest))] if rest else [])])
        await self._commit(name, ids)

    async def _commit(self, name: str, ids: Sequence[str]) -> None:
        async def call(container: ContainerClient) -> None:
            await container.get_blob_client(self._named(name)).commit_block_list([BlobBlock(block) for block in ids])

        try:
            await self._calls.call("commit", name, call)
        except Unavailable as failed:  # blocks are dropped by a write, which came after this one then, or a deletion
            if code_of(failed.__cause__) != "InvalidBlockList" or await self.head(name) is None:
                raise

    async def leftovers(self, before: float) -> AsyncIterator[dict[str, Any]]:
        """See ObjectStore.leftovers: none. Blocks that were not committed are seen by nobody, and the store drops them
        after a week; to drop them sooner is to write at a name that somebody may be joining at."""
        for none in list[dict[str, Any]]():
            yield none

    async def drop(self, leftover: dict[str, Any]) -> None:
        """See ObjectStore.drop."""

    async def url(self, name: str, seconds: int) -> str | None:
        """See ObjectStore.url. None where the store lets this identity sign no links: then it is read through here."""
        return await self._calls.link(self._settings.public, self._named(name), seconds)

    async def check(self) -> None:
        """The container is there and ours to use."""
        await self._calls.call("find container", self._settings.container, lambda it: it.get_container_properties())

    async def close(self) -> None:
        """Give back the connections."""
        await self._calls.close()

    def _named(self, name: str) -> str:
        """The name of a blob. A backslash means a slash there, so it is written otherwise, such that order is kept."""
        return self._root + name.replace("[", "[!").replace("\\", "[~")

    async def _again(self, name: str, etag: str, start: int, stop: int) -> Body | Direct:
        span = {"Range": f"bytes={start}-{stop - 1}", "If-Match": etag}
        return body_of(await self._calls.read(self._named(name), span))

    async def _source(self, piece: Piece) -> tuple[str, dict[str, Any]]:
        """Where a store finds what it copies, and what lets it read there."""
        link, bearer = await self._calls.source(self._named(piece.name))
        return link, {"source_authorization": bearer} if bearer else {}
