"""How much of the memory that it may have a process uses, and what it does without when that runs short.

Three limits are seen: the container's (cgroup v1 or v2, with all that runs in it; its cache of files, which the kernel
takes back, does not count), the address space (RLIMIT_AS), and `limits.memory` for what is resident. The one that is
nearest counts.
"""

import ctypes
import gc
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Final, NamedTuple

PAGE: Final = resource.getpagesize()
UNLIMITED: Final = 1 << 60
"""What a cgroup of version 1 says where it has no limit is near 2^63."""
EASE: Final = 0.05
"""A state ends where so much less is used than where it began, so that it does not come and go."""


class Level(IntEnum):
    """What is refused: nothing, uploads and large reads, or all but health."""

    FREE = 0
    SHED = 1
    REFUSE = 2


class Limit(NamedTuple):
    """One limit in bytes, and what tells how much of it is used."""

    name: str
    most: int
    used: Callable[[], int]


class Memory:
    """`look` measures; `share` and `level` are what it found."""

    def __init__(self, limits: list[Limit], shed: float, refuse: float) -> None:
        self._limits, self._from = limits, {Level.SHED: shed, Level.REFUSE: refuse}
        self.share, self.level, self.nearest = 0.0, Level.FREE, ""

    def look(self) -> Level:
        """Measure; the level from now on."""
        self.share, self.nearest = max(
            ((limit.used() / limit.most, limit.name) for limit in self._limits), default=(0.0, "")
        )
        found = Level.FREE
        for level, share in self._from.items():
            if self.share >= share - (EASE if self.level >= level else 0.0):
                found = level
        self.level = found
        return found


def limits(configured: int | None, root: Path = Path("/")) -> list[Limit]:
    """The limits of this process; `root` is where the kernel's files are."""
    found = list(_cgroups(root))
    if configured:
        found.append(Limit("limits.memory", configured, lambda: _statm(root, 1)))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        found.append(Limit("address space", soft, lambda: _statm(root, 0)))
    return found


def give_back() -> None:
    """Memory that nobody uses, back to the system: what was freed in between is kept by malloc else."""
    gc.collect()
    with suppress(AttributeError, OSError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


def _statm(root: Path, column: int) -> int:
    try:
        return int((root / "proc/self/statm").read_text().split()[column]) * PAGE
    except OSError:
        return 0


def _cgroups(root: Path) -> Iterator[Limit]:
    """Each group with a limit, from our own to the outermost that can be seen."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    base = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from _groups(base, path, "memory.max", "memory.current", "")
        elif "memory" in controllers.split(","):
            yield from _groups(base / "memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_")


def _groups(base: Path, path: str, most: str, usage: str, prefix: str) -> Iterator[Limit]:
    folder = base / path.lstrip("/")
    if ".." in folder.parts or not folder.is_dir():
        folder = base  # seen from inside, ours is the outermost
    while True:
        try:
            text = (folder / most).read_text().strip()
        except OSError:
            text = "max"  # the root has none
        if text != "max" and 0 < int(text) < UNLIMITED:
            yield Limit("cgroup", int(text), _Usage(folder, usage, prefix))
        if folder == base:
            return
        folder = folder.parent


class _Usage:
    """What a group uses without its cache of files."""

    def __init__(self, folder: Path, usage: str, prefix: str) -> None:
        self._usage, self._stat = folder / usage, folder / "memory.stat"
        self._cache = (f"{prefix}inactive_file", f"{prefix}active_file")

    def __call__(self) -> int:
        try:
            used = int(self._usage.read_text())
            lines = (line.split() for line in self._stat.read_text().splitlines())
            return max(0, used - sum(int(line[1]) for line in lines if line[0] in self._cache))
        except OSError:
            return 0
