"""Where what a test run starts keeps its files: in memory while there is room.

A database is 900 files and a push waits for the disk several times, of tens of thousands of pushes. What a disk is
needed for is looked at on one by tests/faults and tests/drivers.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 << 30


def in_memory() -> Path | None:
    """A folder in memory, None where less than ROOM is left."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM else None


@contextmanager
def home(prefix: str) -> Iterator[Path]:
    """A folder for a registry, gone afterwards. Not in pytest's own: the private PostgreSQL's user must get in."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=in_memory()) as name:
        Path(name).chmod(0o755)
        yield Path(name)
