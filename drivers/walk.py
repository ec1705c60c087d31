"""Walking a tree in key order, which is not the order of a plain recursive walk: `a-b` < `a/b` < `ab`."""

from collections.abc import Iterator

from .base import STAGINGS, InvalidKey, Stat, check_key
from .tree import Entry, Tree


def walk(tree: Tree, prefix: str = "", after: str = "") -> Iterator[Stat]:
    """Files whose keys start with prefix and are greater than after, in key order. Blocks; holds one folder's names per
    level and no descriptor between two files, so it may be dropped at any point."""
    return _below(tree, "", prefix, after)


def _below(tree: Tree, path: str, prefix: str, after: str) -> Iterator[Stat]:
    # A folder sorts by its name with the slash, as the keys below it do. Code points and UTF-8 bytes order alike.
    found = {f"{path}{entry.name}{'/' * entry.folder}": entry for entry in tree.entries(path.rstrip("/"))}
    for key in sorted(found):
        entry = found[key]
        if entry.folder:
            wanted = key.startswith(prefix) or prefix.startswith(key)
            if wanted and (key > after or after.startswith(key)) and key != f"{STAGINGS}/":
                yield from _below(tree, key, prefix, after)
        elif key.startswith(prefix) and key > after and _is_key(key):
            yield _stat(key, entry)


def _stat(key: str, entry: Entry) -> Stat:
    return Stat(key, entry.size, entry.modified)


def _is_key(name: str) -> bool:
    """Whether a file's name can be a key: not where it is no UTF-8, or too long."""
    try:
        check_key(name)
    except InvalidKey:
        return False
    return True
