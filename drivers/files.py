"""What the filesystem driver does on a thread: each function is one hop, blocks, and raises the contract's errors.

`staged` is the key of a staging's file; all keys have been checked.
"""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Final
from uuid import uuid4

from .base import STAGINGS, InvalidKey, NotFound, Space, StagingLost, Stat, Unavailable
from .tree import Entry, Tree, driver_error
from .writing import copy, flush, open_staging

DRAFT: Final = "put-"
"""What the id of a put's unfinished file starts with; a sweeper of any scope may drop an old one."""

FEW: Final = 8
"""Folders that are synced one by one: of more, a sync of the whole file system waits less for the disk."""


def new_draft() -> str:
    """A key for a file that is not at its own yet."""
    return f"{STAGINGS}/{DRAFT}{uuid4().hex}"


def file_stat(tree: Tree, key: str) -> Stat:
    """Size and time of the regular file at key, or NotFound."""
    try:
        descriptor = tree.open(key, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"nothing is at {tree.path(key)}") from None
    except OSError as error:
        raise driver_error(error, tree.path(key)) from error
    try:
        status = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    return Stat(key, status.st_size, status.st_mtime)


def delete(tree: Tree, keys: list[str], sync: Callable[[int], None] | None = None) -> None:
    """Remove keys durably, with one sync per folder, or by `sync` one for all of more than a few."""
    folders: dict[str, None] = {}
    try:
        with tree.folder("") as root:
            for key in keys:
                with suppress(IsADirectoryError):  # nothing is at the name of a folder
                    tree.unlink(key)
                folders[key.rpartition("/")[0]] = None
            # Also where nothing was removed: whoever removed it may have been killed before the sync.
            if sync is not None and len(folders) > FEW:
                sync(root)
                return
            for path in folders:
                with suppress(FileNotFoundError, NotADirectoryError), tree.folder(path) as folder:
                    os.fsync(folder)
    except OSError as error:
        raise driver_error(error, tree.path(key)) from error


def commit(tree: Tree, staged: str, size: int, key: str) -> None:
    """Link the first size staged bytes to key, durably; a key that is there is left."""
    try:
        with tree.parent(key, create=True) as (folder, name):
            if not _is_there(tree, folder, name, key):
                descriptor, changed = open_staging(tree, staged, size, change=False)
                try:
                    if changed:
                        flush(descriptor)
                finally:
                    os.close(descriptor)
                with tree.parent(staged) as (stagings, source), suppress(FileExistsError):
                    os.link(source, name, src_dir_fd=stagings, dst_dir_fd=folder, follow_symlinks=False)
            # Also where the key was there already: whoever made it may not have come to its sync.
            os.fsync(folder)
    except OSError as error:
        raise driver_error(error, tree.path(key)) from error


def fork(tree: Tree, staged: str, size: int, copied: str) -> None:
    """Copy the first size staged bytes, durably, to a staging of another name. Only reads the old one."""
    try:
        source = tree.open(staged, os.O_RDONLY)
        try:
            target = tree.create(copied)
            try:
                copy(source, target, size)
            finally:
                os.close(target)
        finally:
            os.close(source)
        with tree.parent(copied) as (folder, _):
            os.fsync(folder)
    except FileNotFoundError:
        raise StagingLost(f"{tree.path(staged)} is gone ({size} bytes were staged)") from None
    except EOFError as end:
        tree.unlink(copied)
        raise StagingLost(f"{tree.path(staged)} holds {end} bytes, {size} were staged") from None
    except OSError as error:
        raise driver_error(error, tree.path(copied)) from error


def abort(tree: Tree, staged: str) -> None:
    """Remove a staging."""
    try:
        tree.unlink(staged)
    except OSError as error:
        raise driver_error(error, tree.path(staged)) from error


def check(tree: Tree) -> None:
    """Write, sync and link a probe, as a commit would, and remove it."""
    probe = new_draft()
    try:
        descriptor = tree.create(probe)
        try:
            os.write(descriptor, b"probe")
            flush(descriptor)
            with tree.parent(probe) as (folder, name):
                os.link(name, f"{name}.link", src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(descriptor)
            tree.unlink(f"{probe}.link")
            tree.unlink(probe)
    except OSError as error:
        raise driver_error(error, tree.path(probe)) from error


def space(tree: Tree) -> Space:
    """The room of the file system that holds the root, free for this process."""
    try:
        found = os.statvfs(tree.root)
    except OSError as error:
        raise driver_error(error, str(tree.root)) from error
    return Space(found.f_frsize * found.f_blocks, found.f_frsize * found.f_bavail)


def batch(tree: Tree, found: Iterator[Stat], most: int) -> list[Stat]:
    """The next files of a walk, none at its end."""
    try:
        return list(islice(found, most))
    except OSError as error:
        raise driver_error(error, tree.root) from error


def stagings(tree: Tree) -> list[Entry]:
    """The files of all stagings and drafts, by name."""
    try:
        return sorted(entry for entry in tree.entries(STAGINGS) if not entry.folder)
    except OSError as error:
        raise driver_error(error, tree.path(STAGINGS)) from error


def _is_there(tree: Tree, folder: int, name: str, key: str) -> bool:
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise InvalidKey(f"{tree.path(key)} is the folder of other keys")
    if not stat.S_ISREG(mode):
        raise Unavailable(f"{tree.path(key)} is not a regular file: remove it")
    return True
