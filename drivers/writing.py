"""Writing a file in steps, each of them one call on a thread; the last step makes it durable.

Both classes take step(piece, last) until last, or drop() where something failed before that.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from .base import Hash, Staging, StagingLost
from .tree import FILE, FILE_MODE, Tree, driver_error

flush: Final[Callable[[int], None]] = getattr(os, "fdatasync", os.fsync)
"""Bytes and size of a file to disk; macOS has fsync alone."""


def write_all(descriptor: int, chunks: list[bytes], offset: int) -> int:
    """Write all chunks at offset, however short the single writes are; returns how many bytes they have."""
    left: list[bytes | memoryview] = list(chunks)
    start = offset
    while left:
        written = os.pwritev(descriptor, left, offset)
        offset += written
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = memoryview(left[0])[written:]
    return offset - start


def send_out(descriptor: int, offset: int, size: int) -> None:
    """Let the system begin to write these bytes to disk, so that the sync at the end finds little left to wait for.

    Linux does so for POSIX_FADV_DONTNEED, and drops from memory only what is on disk already, which they are not yet.
    """
    if size and hasattr(os, "posix_fadvise"):
        with suppress(OSError):  # a hint
            os.posix_fadvise(descriptor, offset, size, os.POSIX_FADV_DONTNEED)


def copy(source: int, target: int, size: int) -> None:
    """Copy the first size bytes durably. EOFError where there are fewer."""
    offset = 0
    while offset < size:
        piece = os.pread(source, min(size - offset, 1024 * 1024), offset)
        if not piece:
            raise EOFError(offset)
        write_all(target, [piece], offset)
        offset += len(piece)
    flush(target)


class Appending:
    """Bytes added behind the first staging.size ones of the file at key."""

    def __init__(self, tree: Tree, key: str, staging: Staging, digester: Hash | None) -> None:
        self.size = staging.size
        self._tree, self._key, self._digester = tree, key, digester
        self._descriptor = -1
        self._created = False

    def step(self, piece: list[bytes], last: bool) -> None:
        """Write a piece; after the last the file is durable and closed."""
        try:
            if self._descriptor < 0:
                self._descriptor, self._created = open_staging(self._tree, self._key, self.size)
            written = write_all(self._descriptor, piece, self.size)
            send_out(self._descriptor, self.size, written)
            self.size += written
            if self._digester is not None:
                for chunk in piece:
                    self._digester.update(chunk)
            if last:
                sync(self._tree, self._key, self._descriptor)
                self.drop()
                if self._created:
                    with self._tree.parent(self._key) as (folder, _):
                        os.fsync(folder)
        except OSError as error:
            raise driver_error(error, self._tree.path(self._key)) from error

    def drop(self) -> None:
        """Close the file; what was added and not finished stays behind the staging's size."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)


class Putting:
    """A file that appears at key, whole, with the last step. Until then it lies at draft."""

    def __init__(self, tree: Tree, key: str, draft: str) -> None:
        self.size = 0
        self._tree, self._key, self._draft = tree, key, draft
        self._descriptor = -1

    def step(self, piece: list[bytes], last: bool) -> None:
        """Write a piece; after the last the key holds all of them, durably."""
        try:
            if self._descriptor < 0:
                self._descriptor = self._tree.create(self._draft)
            written = write_all(self._descriptor, piece, self.size)
            send_out(self._descriptor, self.size, written)
            self.size += written
            if last:
                flush(self._descriptor)
                self._publish()
        except OSError as error:
            raise driver_error(error, self._tree.path(self._key)) from error

    def drop(self) -> None:
        """Remove what was written, unless it was published."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
            self._tree.unlink(self._draft)

    def _publish(self) -> None:
        with (
            self._tree.parent(self._draft) as (drafts, draft),
            self._tree.parent(self._key, create=True) as (folder, name),
        ):
            os.rename(draft, name, src_dir_fd=drafts, dst_dir_fd=folder)
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
            os.fsync(folder)


def open_staging(tree: Tree, key: str, size: int, change: bool = True) -> tuple[int, bool]:
    """A descriptor of the staged file cut to size bytes, and whether its name or length is new and not yet durable.
    StagingLost where it is shorter.

    A file that commit has linked to a key shares its bytes with that key; a copy takes its place before it changes.
    """
    with tree.parent(key, create=True) as (folder, name):
        try:
            descriptor = tree.open_in(folder, name, key, os.O_RDWR)
        except FileNotFoundError:
            if size:
                raise StagingLost(f"{tree.path(key)} is gone ({size} bytes were staged)") from None
            return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | FILE, FILE_MODE, dir_fd=folder), True
        try:
            status = os.fstat(descriptor)
            if status.st_size < size:
                raise StagingLost(f"{tree.path(key)} holds {status.st_size} bytes, {size} were staged")
            longer = status.st_size > size
            if status.st_nlink > 1 and (change or longer):
                shared, descriptor = descriptor, _copied(folder, name, descriptor, size)
                os.close(shared)
                return descriptor, True
            if longer:
                os.ftruncate(descriptor, size)
            return descriptor, longer
        except BaseException:
            os.close(descriptor)
            raise


def sync(tree: Tree, key: str, descriptor: int) -> None:
    """Make the bytes of a staged file durable, or give it up: after a failed fsync the system may call lost pages
    clean, so neither a second fsync nor a later one through another descriptor would be the truth."""
    try:
        flush(descriptor)
    except OSError:
        tree.unlink(key)
        raise


def _copied(folder: int, name: str, source: int, size: int) -> int:
    draft = f"{name}.copy"
    target = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | FILE, FILE_MODE, dir_fd=folder)
    try:
        copy(source, target, size)
        os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.close(target)
        raise
    return target
