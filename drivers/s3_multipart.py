"""An object of S3's that is written in parts, which may come in any order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from io import BytesIO
from typing import Any, Final

from .base import NotFound, Unavailable
from .parts import size_of

PARTS: Final = 10_000
"""Most parts of an object."""
Call = Callable[..., Awaitable[Any]]
"""S3Store._call: an operation, a key, and what else there is to say."""


class Multipart:
    """One that was begun. Its parts are numbered from 1, and hold 5 MiB at least but for the last one."""

    def __init__(self, call: Call, key: str, upload: str) -> None:
        self._call, self._key, self._named = call, key, {"UploadId": upload}
        self._etags: dict[int, str] = {}
        self._size = 0

    async def send(self, number: int, content: BytesIO) -> None:
        """A part that goes through here."""
        size = size_of(content)
        content.seek(0)
        try:
            sent = await self._call("upload_part", self._key, size=size, PartNumber=number, Body=content, **self._named)
        except NotFound:
            raise self._gone() from None
        self._note(number, sent["ETag"], size)

    async def copy(self, number: int, source: Mapping[str, str], start: int, stop: int, whole: bool) -> None:
        """Bytes [start, stop) of another object, which may be all of it, copied within the store."""
        said = {} if whole else {"CopySourceRange": f"bytes={start}-{stop - 1}"}
        said |= self._named
        copied = await self._call(
            "upload_part_copy", self._key, size=stop - start, PartNumber=number, CopySource=source, **said
        )
        self._note(number, copied["CopyPartResult"]["ETag"], stop - start)

    def _note(self, number: int, etag: str, size: int) -> None:
        self._etags[number] = etag
        self._size += size

    async def complete(self) -> int:
        """All parts are there, and become the object; its bytes."""
        parts = [{"PartNumber": number, "ETag": self._etags[number]} for number in sorted(self._etags)]
        try:
            await self._call(
                "complete_multipart_upload", self._key, size=self._size, MultipartUpload={"Parts": parts}, **self._named
            )  # fmt: skip
        except NotFound:  # done already, where an answer was lost and the call made again
            with suppress(NotFound):
                found = await self._call("head_object", self._key)
                if found["ContentLength"] == self._size:
                    return self._size
            raise self._gone() from None
        return self._size

    def _gone(self) -> Unavailable:
        return Unavailable(f"the multipart upload of {self._key} is gone")

    async def drop(self) -> None:
        """Give it up; absent is fine."""
        with suppress(NotFound):
            await self._call("abort_multipart_upload", self._key, **self._named)


@asynccontextmanager
async def begun(call: Call, key: str, stored: Mapping[str, Any]) -> AsyncIterator[Multipart]:
    """A new one, that is dropped where the block fails; who needs the object completes it there."""
    answer = await call("create_multipart_upload", key, **stored)
    multipart = Multipart(call, key, answer["UploadId"])
    try:
        yield multipart
    except BaseException:
        with suppress(Exception):  # the sweeper finds what cannot be removed now
            await multipart.drop()
        raise
