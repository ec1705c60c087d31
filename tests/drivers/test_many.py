"""Many files at once: with and without a syncfs to trust, and with one that fails."""

import errno
import os
from pathlib import Path

import pytest

from dataforge_registry.drivers.base import Unavailable
from dataforge_registry.drivers.files import delete
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


@pytest.mark.asyncio
@pytest.mark.parametrize("folders", [3, 40], ids=["few", "many"])
async def test_many_keys_are_deleted_with_one_sync_or_one_a_folder(tmp_path: Path, folders: int) -> None:
    files, tree, syncs = FilesystemDriver(str(tmp_path)), Tree(str(tmp_path)), []
    contents = {f"blobs/{number % folders}/{number:03}": b"x" for number in range(120)}
    await files.put_many(contents | {"blobs/0/kept": b"x"})
    delete(tree, [*contents, "blobs/0/never", "none/there"], syncs.append)
    assert await keys(files) == ["blobs/0/kept"]
    assert len(syncs) == (1 if folders > 8 else 0)


def test_a_deletion_that_is_not_durable_is_none(tmp_path: Path) -> None:
    def failing(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(Unavailable, match="Input/output error"):
        delete(Tree(str(tmp_path)), [f"{number}/x" for number in range(20)], failing)
