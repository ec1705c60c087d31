"""Copies of blobs in a folder on a local disk: bounded in bytes, shared by processes, good after kill -9.

    <name>        content, the CRC-32 of each 64 KiB of it, its size, the CRC-32 of these and of the name
    <name>.part   one that is being filled, as large from the beginning as it will be, locked by who fills it
    total         the bytes of all, and the lock that whoever adds or removes one holds

`total` is raised before bytes come and lowered after they went, so a process that is killed leaves it too high at most;
each eviction counts anew, and removes parts that nobody holds the lock of. Nothing waits for the disk: what a power cut
leaves of a file shows in its checksums. Every method blocks, and raises OSError where the disk does.
"""

import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

BLOCK: Final = 64 * 1024
PIECE: Final = 16 * BLOCK
PART: Final = ".part"
TOTAL: Final = "total"
ROOM: Final = 0.9
"""What an eviction leaves of the bound, so that not every fill needs one."""
_END: Final = struct.Struct("<QI")


class Damaged(Exception):
    """A file holds something else than was written."""


class Entry:
    """One copy, open for reading."""

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = -1  # the caller's until it is known to be good
        length = os.fstat(descriptor).st_size
        end = os.pread(descriptor, _END.size, max(0, length - _END.size))
        if len(end) != _END.size:
            raise Damaged
        self.size, told = _END.unpack(end)
        if length != whole_size(self.size):
            raise Damaged
        self._sums = os.pread(descriptor, length - self.size - _END.size, self.size)
        if told != _sum_of_end(self._sums, self.size, name):
            raise Damaged
        self._descriptor = descriptor

    def read(self, start: int, stop: int) -> bytes:
        """Bytes from start on, a piece at most, not beyond stop. Damaged where they are not those that were written."""
        first = start // BLOCK
        stop = min(stop, self.size, first * BLOCK + PIECE)
        last = -(-stop // BLOCK)
        content = os.pread(self._descriptor, min(last * BLOCK, self.size) - first * BLOCK, first * BLOCK)
        seen = memoryview(content)
        for number in range(first, last):
            at = (number - first) * BLOCK
            if zlib.crc32(seen[at : at + BLOCK]).to_bytes(4, "little") != self._sums[4 * number : 4 * number + 4]:
                raise Damaged
        return content[start - first * BLOCK : stop - first * BLOCK]

    def close(self) -> None:
        """Give the descriptor back."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


class Draft:
    """One that is being filled; `keep` or `discard` ends it."""

    def __init__(self, folder: "CacheFolder", name: str, descriptor: int, size: int) -> None:
        self._folder, self._name, self._size = folder, name, size
        self._file = os.fdopen(descriptor, "wb", buffering=PIECE)
        self._sums = bytearray()
        self._sum = 0
        self._written = 0

    def write(self, content: bytes) -> None:
        """The next bytes."""
        if self._written + len(content) > self._size:
            raise OSError("more bytes came than were announced")
        self._file.write(content)
        seen = memoryview(content)
        while seen:
            part = seen[: BLOCK - self._written % BLOCK]
            self._sum = zlib.crc32(part, self._sum)
            self._written += len(part)
            if self._written % BLOCK == 0:
                self._end_block()
            seen = seen[len(part) :]

    def keep(self) -> None:
        """It is whole, and found from now on."""
        if self._written != self._size:
            raise OSError(f"{self._written} bytes came, {self._size} were announced")
        if self._written % BLOCK:
            self._end_block()
        self._file.write(self._sums + _END.pack(self._size, _sum_of_end(self._sums, self._size, self._name)))
        self._file.flush()
        with self._folder.locked():
            os.rename(self._folder.path(self._name + PART), self._folder.path(self._name))
        self._file.close()

    def discard(self) -> None:
        """It is gone, with what it took."""
        if not self._file.closed:
            with self._folder.locked():
                self._folder.remove(self._name + PART)
            with suppress(OSError):  # a full disk takes no rest of it
                self._file.close()

    def _end_block(self) -> None:
        self._sums += self._sum.to_bytes(4, "little")
        self._sum = 0


class CacheFolder:
    """Copies below root, which is made where it is missing, of at most `size` bytes in all."""

    def __init__(self, root: str, size: int) -> None:
        os.makedirs(root, 0o700, exist_ok=True)
        self._root, self._size = root, size
        with self.locked():
            pass

    def path(self, name: str) -> str:
        """Where a file lies."""
        return os.path.join(self._root, name)

    def open(self, name: str) -> Entry | None:
        """The copy, from now on the last to be evicted; None where there is none. Damaged where it is not whole."""
        try:
            descriptor = os.open(self.path(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            os.utime(descriptor)
            return Entry(descriptor, name)
        except BaseException:
            os.close(descriptor)
            raise

    def reserve(self, name: str, size: int) -> Draft | None:
        """Room for a copy of so many bytes; None where one is there or on its way, or it is more than half of all."""
        whole = whole_size(size)
        if whole > self._size // 2:
            return None
        with self.locked():
            if os.path.exists(self.path(name)):
                return None
            descriptor = os.open(self.path(name + PART), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if not _lock(descriptor):
                os.close(descriptor)
                return None
            try:
                os.ftruncate(descriptor, 0)  # of one that was killed
                total = self._total()
                if total + whole > self._size:
                    total = self._evict(int(self._size * ROOM) - whole)
                if total + whole > self._size:  # others fill all of it
                    os.unlink(self.path(name + PART))
                    os.close(descriptor)
                    return None
                self._set_total(total + whole)
                os.ftruncate(descriptor, whole)
            except BaseException:
                os.close(descriptor)
                raise
        return Draft(self, name, descriptor, size)

    def drop(self, name: str) -> None:
        """Remove a copy; absent is fine."""
        with self.locked():
            self.remove(name)

    def remove(self, name: str) -> None:
        """Remove a file, with the lock held."""
        try:
            size = os.stat(self.path(name)).st_size
            os.unlink(self.path(name))
        except FileNotFoundError:
            return
        self._set_total(max(0, self._total() - size))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else adds or removes meanwhile."""
        descriptor = os.open(self.path(TOTAL), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _total(self) -> int:
        with open(self.path(TOTAL), "rb") as file:
            told = file.read(20)
        return int(told) if told.strip().isdigit() else self._evict(self._size)

    def _set_total(self, total: int) -> None:
        with open(self.path(TOTAL), "r+b") as file:
            file.write(b"%-20d" % total)

    def _evict(self, most: int) -> int:
        """Remove those that were read longest ago until no more than so many bytes are there; how many are."""
        found: list[tuple[int, int, str]] = []
        total = 0
        with os.scandir(self._root) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if entry.name.endswith(PART):
                    total += 0 if _is_left_over(entry.path) else status.st_size
                elif entry.name != TOTAL:
                    found.append((status.st_mtime_ns, status.st_size, entry.path))
                    total += status.st_size
        for _, size, path in sorted(found):
            if total <= most:
                break
            os.unlink(path)
            total -= size
        self._set_total(total)
        return total


def whole_size(size: int) -> int:
    """Bytes of the file that holds a copy of so many."""
    return size + 4 * -(-size // BLOCK) + _END.size


def _sum_of_end(sums: bytes | bytearray, size: int, name: str) -> int:
    return zlib.crc32(name.encode(), zlib.crc32(size.to_bytes(8, "little"), zlib.crc32(sums)))


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_left_over(path: str) -> bool:
    """Whether nobody fills a part any more; then it is gone."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if not _lock(descriptor):
            return False
        os.unlink(path)
        return True
    finally:
        os.close(descriptor)
