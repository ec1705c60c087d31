"""Which files are meant: paths, folders with all that lies below them, and globs where no shell has expanded them.

A DataForge folder is one of them, as it is: what lies in it is named by its tables.
"""

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..curves.readers.files import is_log_file
from ..curves.readers.folder_tables import is_folder


@dataclass
class Found:
    """files: in the order they are imported, as named; skipped: other files in folders; problems: name -> reason."""

    files: list[Path] = field(default_factory=list)
    skipped: int = 0
    problems: dict[str, str] = field(default_factory=dict)


def find(names: Iterable[str]) -> Found:
    """Each file once, under the name it was met by first. A folder's files come sorted by their paths."""
    found, met = Found(), set[tuple[int, int]]()
    for name in names:
        path = Path(name)
        if os.path.lexists(path) or not glob.has_magic(name):
            _add(path, found, met)
            continue
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            found.problems[name] = "nothing matches it"
        for match in matches:
            _add(Path(match), found, met)
    return found


def _add(path: Path, found: Found, met: set[tuple[int, int]]) -> None:
    try:
        kind = path.stat()
    except OSError as error:
        found.problems[str(path)] = error.strerror or str(error)
        return
    if stat.S_ISDIR(kind.st_mode) and not _is_dataforge(path):
        for file in _below(path, found, set()):
            _once(file, found, met)
    elif stat.S_ISREG(kind.st_mode) or stat.S_ISDIR(kind.st_mode):
        _once(path, found, met)
    else:
        found.problems[str(path)] = "it is neither a file nor a folder"


def _once(path: Path, found: Found, met: set[tuple[int, int]]) -> None:
    try:
        there = path.stat()
    except OSError as error:
        found.problems[str(path)] = error.strerror or str(error)
        return
    key = (there.st_dev, there.st_ino)
    if key not in met or not there.st_ino:  # some file systems number no files
        met.add(key)
        found.files.append(path)


def _below(folder: Path, found: Found, above: set[tuple[int, int]]) -> Iterator[Path]:
    """Log files of a folder and of those below it, links followed, but none into a folder that they lie in."""
    try:
        here = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        found.problems[str(folder)] = error.strerror or str(error)
        return
    if (here.st_dev, here.st_ino) in above:
        return
    for entry in entries:
        path = folder / entry.name
        if entry.name.startswith("."):  # also the `._x.las` that some systems leave beside each x.las
            found.skipped += entry.is_file()
        elif entry.is_dir() and _is_dataforge(path):
            yield path
        elif entry.is_dir():
            yield from _below(path, found, above | {(here.st_dev, here.st_ino)})
        elif is_log_file(path) and (entry.is_file() or entry.is_symlink()):
            yield path
        else:
            found.skipped += 1


def _is_dataforge(path: Path) -> bool:
    try:
        return is_folder(path)
    except OSError:  # who looks into it says so
        return False
