"""A folder tree that is entered step by step, without following a link, and made durable as it grows.

All functions block: they run on the driver's threads.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from .base import DriverError, InvalidKey, NoSpace, Unavailable

FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE: Final = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a fifo planted in the tree must not hold up a thread
FOLDER_MODE: Final = 0o750
FILE_MODE: Final = 0o640

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_A_FILE: Final = frozenset({errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG})


class Entry(NamedTuple):
    """A file or folder of a folder; links, sockets and the like are no entries."""

    name: str
    folder: bool
    size: int
    modified: float


def driver_error(error: OSError, path: str) -> DriverError:
    """The contract's error for what the system said about path."""
    reason = f"{path}: {os.strerror(error.errno) if error.errno else error}"
    if error.errno in _FULL:
        return NoSpace(f"{reason} (free space on the store, or raise its quota)")
    if error.errno in _NOT_A_FILE:
        return InvalidKey(f"{reason} (a key cannot be the folder of another)")
    return Unavailable(reason)


class Tree:
    """The files below root. The root may be reached through links, nothing below it may.

    The root is made where it is missing, once: a root that vanishes later (an unmounted disk) is Unavailable, not new.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        # Folders whose names this process knows to be on disk. Another process may have made one and not yet synced it.
        self._durable: set[str] = set()
        try:
            self._make_root()
        except OSError as error:
            raise Unavailable(f"cannot use {self.root} as storage root: {os.strerror(error.errno or 0)}") from error

    def path(self, key: str) -> str:
        """The absolute path of a key."""
        return f"{self.root}/{key}"

    @contextmanager
    def folder(self, path: str, create: bool = False, unsynced: set[str] | None = None) -> Iterator[int]:
        """A descriptor of the folder at path below the root ("" for the root); made where asked to, durably, unless
        the caller collects the paths of folders whose names are yet to be synced."""
        descriptor = self._open_root()
        try:
            known = ""
            for name in path.split("/") if path else ():
                known = f"{known}/{name}" if known else name
                below, made = self._enter(descriptor, name, known, create)
                if create and (made or known not in self._durable):
                    if unsynced is None:
                        os.fsync(descriptor)
                        self._durable.add(known)
                    else:
                        unsynced.add(known)
                os.close(descriptor)
                descriptor = below
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def parent(self, key: str, create: bool = False, unsynced: set[str] | None = None) -> Iterator[tuple[int, str]]:
        """A descriptor of the folder of key, as `folder`, and the last segment of key."""
        path, _, name = key.rpartition("/")
        with self.folder(path, create, unsynced) as descriptor:
            yield descriptor, name

    def synced(self, paths: set[str]) -> None:
        """The names of folders that were collected are on disk now."""
        self._durable |= paths

    def open(self, key: str, flags: int) -> int:
        """A descriptor of the regular file at key. FileNotFoundError where there is none, Unavailable at a link."""
        with self.parent(key) as (folder, name):
            return self.open_in(folder, name, key, flags)

    def open_in(self, folder: int, name: str, key: str, flags: int) -> int:
        """As open, in a folder at hand."""
        try:
            descriptor = os.open(name, flags | FILE, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise self._link(key) from error
            raise
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            return descriptor
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise FileNotFoundError(errno.ENOENT, "a folder", key)
        raise Unavailable(f"{self.path(key)} is not a regular file: remove it")

    def create(self, key: str) -> int:
        """A descriptor of a new file at key, for writing; its name is not durable yet."""
        with self.parent(key, create=True) as (folder, name):
            return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | FILE, FILE_MODE, dir_fd=folder)

    def unlink(self, key: str) -> None:
        """Remove a file; absent is fine. Not durable."""
        with suppress(FileNotFoundError, NotADirectoryError), self.parent(key) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def entries(self, path: str) -> list[Entry]:
        """Files and folders in the folder at path, in no order; none where it is absent."""
        found = []
        try:
            with self.folder(path) as folder, os.scandir(folder) as scan:
                for entry in scan:
                    with suppress(FileNotFoundError):  # removed since
                        status = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                            is_folder = stat.S_ISDIR(status.st_mode)
                            found.append(Entry(entry.name, is_folder, status.st_size, status.st_mtime))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return found

    def _open_root(self) -> int:
        try:
            return os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise Unavailable(f"the storage root {self.root} is gone: {os.strerror(error.errno or 0)}") from error

    def _make_root(self) -> None:
        missing = self.root
        while not os.path.lexists(missing):
            missing = os.path.dirname(missing)
        os.makedirs(self.root, FOLDER_MODE, exist_ok=True)
        made = self.root
        while made != missing:
            made = os.path.dirname(made)
            descriptor = os.open(made, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _enter(self, folder: int, name: str, path: str, create: bool) -> tuple[int, bool]:
        """A descriptor of the folder name in folder, and whether it was made here."""
        try:
            return os.open(name, FOLDER, dir_fd=folder), False
        except FileNotFoundError:
            if not create:
                raise
        except OSError as error:
            # Linux says ENOTDIR of a link here, POSIX ELOOP.
            if error.errno in (errno.ENOTDIR, errno.ELOOP):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISLNK(status.st_mode):
                    raise self._link(path) from error
            raise
        with suppress(FileExistsError):
            os.mkdir(name, FOLDER_MODE, dir_fd=folder)
        return os.open(name, FOLDER, dir_fd=folder), True

    def _link(self, key: str) -> Unavailable:
        return Unavailable(f"{self.path(key)} is a symbolic link, and none is followed in the store: remove it")
