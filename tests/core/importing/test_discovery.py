"""Which files an import finds in folders that are not tidy."""

import os
from pathlib import Path

import pytest

from dataforge_registry.core.importing.discovery import find


def names(folder: Path, *arguments: str) -> list[str]:
    found = find(arguments)
    assert not found.problems
    return [str(path.relative_to(folder)) for path in found.files]


@pytest.fixture
def field(tmp_path: Path) -> Path:
    for name in (
        "b/two.LAS",
        "b/deep/er/three.las",
        "a/one.las",
        "a/notes.txt",
        "a/.hidden.las",
        ".git/x.las",
        "z.las",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_folders_are_read_whole_and_in_order(field: Path) -> None:
    assert names(field, str(field)) == ["a/one.las", "b/deep/er/three.las", "b/two.LAS", "z.las"]
    assert find([str(field)]).skipped == 2  # the notes and the hidden one
    assert names(field, str(field / "z.las"), str(field / "b")) == ["z.las", "b/deep/er/three.las", "b/two.LAS"]


def test_a_file_is_met_once_however_it_is_named(field: Path) -> None:
    (field / "b" / "again.las").symlink_to(field / "a" / "one.las")
    os.link(field / "z.las", field / "zz.las")
    assert names(field, str(field), str(field / "z.las"), str(field / "a" / ".." / "z.las")) == [
        "a/one.las",
        "b/deep/er/three.las",
        "b/two.LAS",
        "z.las",
    ]


def test_loops_of_links_end(field: Path) -> None:
    (field / "b" / "up").symlink_to(field)
    (field / "b" / "self").symlink_to(".")
    (field / "a" / "over").symlink_to(field / "b")
    assert sorted(Path(name).name for name in names(field, str(field))) == ["one.las", "three.las", "two.LAS", "z.las"]


def test_globs_where_no_shell_expands_them(field: Path) -> None:
    assert names(field, f"{field}/**/*.las") == ["a/one.las", "b/deep/er/three.las", "z.las"]
    assert names(field, f"{field}/?.las") == ["z.las"]
    (field / "[1].las").write_bytes(b"a name that looks like a pattern")
    assert names(field, f"{field}/[1].las") == ["[1].las"]


def test_what_is_not_there_is_said(field: Path) -> None:
    os.mkfifo(field / "pipe.las")
    (field / "dangling.las").symlink_to(field / "gone.las")
    found = find([f"{field}/none.las", f"{field}/*.dlis", str(field / "pipe.las"), str(field)])
    assert found.problems == {
        f"{field}/none.las": "No such file or directory",
        f"{field}/*.dlis": "nothing matches it",
        str(field / "pipe.las"): "it is neither a file nor a folder",
        str(field / "dangling.las"): "No such file or directory",
    }
    assert len(found.files) == 4


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_said(field: Path) -> None:
    (field / "b").chmod(0)
    found = find([str(field)])
    (field / "b").chmod(0o755)
    assert found.problems == {str(field / "b"): "Permission denied"} and len(found.files) == 2
