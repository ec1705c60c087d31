"""Bytes of immutable content in memory, bounded in bytes. What is here is named by its digest, so it never goes stale;
the right to it is always asked of the database."""

from collections import OrderedDict


class ByteCache:
    """Least recently used content by digest, at most `limit` bytes in all and `largest` each."""

    def __init__(self, limit: int, largest: int) -> None:
        self._limit = limit
        self._largest = largest
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0

    def fits(self, size: int) -> bool:
        """Whether content of this size would be kept."""
        return size <= min(self._largest, self._limit)

    def get(self, digest: str) -> bytes | None:
        """The bytes, if they are here."""
        found = self._held.get(digest)
        if found is not None:
            self._held.move_to_end(digest)
        return found

    def put(self, digest: str, content: bytes) -> None:
        """Keep bytes whose digest has been verified or that the database answers for."""
        if not self.fits(len(content)) or digest in self._held:
            return
        self._held[digest] = content
        self._size += len(content)
        while self._size > self._limit:
            self._size -= len(self._held.popitem(last=False)[1])
