"""Many small files made durable with few waits for the disk: the bytes of all of them, then the names of all of them.

A sync waits for the disk however little there is to write, and a file alone takes three or more: its bytes, its folder,
each folder that is new. Here a batch takes two, where `syncfs` can be trusted, else one a file and one a folder.
"""

import ctypes
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from typing import Final

from .base import STAGINGS
from .files import new_draft
from .tree import FILE, FILE_MODE, Tree, driver_error
from .writing import flush, write_all

OPEN: Final = 128
"""Files that are open at once: an error of a sync is told to the descriptors that were open when it happened."""

TRUSTED: Final = frozenset({0xEF53, 0x58465342, 0x9123683E})
"""ext4, XFS and btrfs (statfs(2)): their syncfs brings bytes and names to the disk, past its cache."""
OLDEST_LINUX: Final = (5, 8)
"""Before it syncfs told nobody of bytes that could not be written."""

SyncAll = Callable[[int], None]


def sync_all(root: str) -> SyncAll | None:
    """What makes all of a file system durable, given a descriptor in it that was opened before the writes; None where
    nothing that can be trusted does."""
    if os.uname().sysname != "Linux" or tuple(map(int, os.uname().release.split(".")[:2])) < OLDEST_LINUX:
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    status = (ctypes.c_long * 32)()  # struct statfs, whose first word is the type
    if libc.statfs(os.fsencode(root), status) or status[0] not in TRUSTED:
        return None

    def sync(descriptor: int) -> None:
        if libc.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    return sync


def put_many(tree: Tree, contents: Mapping[str, bytes], sync: SyncAll | None) -> None:
    """See Driver.put_many. One thread hop."""
    keys = iter(sorted(contents))  # what shares a folder is together
    while some := list(islice(keys, OPEN)):
        try:
            _put(tree, {key: contents[key] for key in some}, sync)
        except OSError as error:
            raise driver_error(error, f"{tree.path(some[0])} and {len(some) - 1} others") from error


def _put(tree: Tree, contents: Mapping[str, bytes], sync: SyncAll | None) -> None:
    drafts: dict[str, str] = {}
    descriptors: list[int] = []
    with tree.folder(STAGINGS, create=True) as stagings:
        try:
            for key, content in contents.items():
                name = new_draft().rpartition("/")[2]
                descriptors.append(os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | FILE, FILE_MODE, dir_fd=stagings))
                drafts[key] = name
                write_all(descriptors[-1], [content], 0)
            if sync is None:
                for descriptor in descriptors:
                    flush(descriptor)
            else:
                sync(stagings)
            new: set[str] = set()
            for key in contents:
                with tree.parent(key, create=True, unsynced=new) as (folder, name):
                    os.rename(drafts[key], name, src_dir_fd=stagings, dst_dir_fd=folder)
                    del drafts[key]
            if sync is None:
                _sync_folders(
                    tree, {key.rpartition("/")[0] for key in contents} | {path.rpartition("/")[0] for path in new}
                )
            else:
                sync(stagings)
            tree.synced(new)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
            for name in drafts.values():
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=stagings)


def _sync_folders(tree: Tree, paths: set[str]) -> None:
    for path in sorted(paths):
        with tree.folder(path) as folder:
            os.fsync(folder)
