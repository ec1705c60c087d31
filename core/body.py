"""The body of a request, measured while it streams."""

from collections.abc import AsyncIterable, AsyncIterator, Callable

from .oci.errors import BlobTooLarge, QuotaExceeded, SizeInvalid


class BodyBroken(Exception):
    """The client went away, or stalled, before its body was whole."""


class Body:
    """A request's body, measured: SizeInvalid where it has not `length` bytes, BlobTooLarge over `limit`. `broken` once
    the client left: with `keep_broken` the bytes simply end there."""

    def __init__(self, chunks: AsyncIterable[bytes], length: int | None, limit: int | None) -> None:
        self.length = length
        self.keep_broken = False
        self.broken = False
        self._chunks = chunks
        self._limit = limit
        self._seen = 0
        self._held: list[bytes] = []
        self._left: int | None = None
        self._refusal: Callable[[int], QuotaExceeded] | None = None
        if limit is not None and length is not None and length > limit:
            raise self._too_large()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._held:
            yield self._held.pop(0)
        try:
            async for chunk in self._chunks:
                self._count(chunk)
                yield chunk
            self._end()
        except BodyBroken:
            self.broken = True
            if not self.keep_broken:
                raise

    def stop_at(self, left: int | None, refusal: Callable[[int], QuotaExceeded]) -> None:
        """Take at most `left` bytes in all (None: any number): `refusal(bytes)` is raised at once where the announced
        length is more, else by the piece that goes past them."""
        if left is None:
            return
        self._left, self._refusal = left, refusal
        if self.length is not None and self.length > left:
            raise refusal(self.length)

    async def read(self, most: int) -> bytes | None:
        """The whole body if it has at most that many bytes; else None, and nothing is lost."""
        if self.length is not None and self.length > most:
            return None
        size = sum(map(len, self._held))
        async for chunk in self._chunks:
            self._count(chunk)
            self._held.append(chunk)
            size += len(chunk)
            if size > most:
                return None
        self._end()
        return b"".join(self._held)

    def _count(self, chunk: bytes) -> None:
        self._seen += len(chunk)
        if self._limit is not None and self._seen > self._limit:
            raise self._too_large()
        if self._refusal is not None and self._left is not None and self._seen > self._left:
            raise self._refusal(self._seen)
        if self.length is not None and self._seen > self.length:
            raise SizeInvalid(f"the body is longer than the {self.length} bytes that were announced")

    def _end(self) -> None:
        if self.length is not None and self._seen != self.length:
            raise SizeInvalid(f"the body has {self._seen} bytes, {self.length} were announced")

    def _too_large(self) -> BlobTooLarge:
        return BlobTooLarge(f"a blob may have at most {self._limit} bytes here", {"limit": self._limit})


async def once(content: bytes) -> AsyncIterator[bytes]:
    """Bytes as a body that comes in one piece."""
    yield content
