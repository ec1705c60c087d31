"""Many files at once: with and without a syncfs to trust, and with one that fails."""

import errno
import os
from pathlib import Path

import pytest

from dataforge_registry.drivers.base import Unavailable
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.drivers.many import put_many
from dataforge_registry.drivers.tree import Tree

from .bodies import keys, read


@pytest.mark.asyncio
async def test_many_files_where_syncfs_is_not_to_be_trusted(tmp_path: Path) -> None:
    files = FilesystemDriver(str(tmp_path))
    contents = {f"blobs/{number % 5}/{number:03}": b"%d" % number for number in range(300)}
    put_many(Tree(str(tmp_path)), contents, None)
    assert await keys(FilesystemDriver(str(tmp_path))) == sorted(contents)
    for key, content in contents.items():
        assert await read(files, key) == content
    assert os.listdir(tmp_path / "uploads") == []


@pytest.mark.asyncio
@pytest.mark.parametrize("failing", [1, 2])
async def test_many_files_whose_sync_fails(tmp_path: Path, failing: int) -> None:
    """The bytes' sync, or the names': no draft is left, and a folder counts as synced only once it is."""
    syncs = []

    def synced(folder: int) -> None:
        syncs.append(folder)
        if len(syncs) == failing:
            raise OSError(errno.EIO, "Input/output error")

    tree = Tree(str(tmp_path))
    with pytest.raises(Unavailable, match="Input/output error"):
        put_many(tree, {"a/b": b"x", "a/c": b"y"}, synced)
    assert os.listdir(tmp_path / "uploads") == []
    assert await keys(FilesystemDriver(str(tmp_path))) == ([] if failing == 1 else ["a/b", "a/c"])
    unsynced: set[str] = set()
    with tree.folder("a", create=True, unsynced=unsynced):
        assert unsynced == {"a"}
