"""Copies of blobs on a local disk: right bytes or the store's, within their bound, whatever dies meanwhile."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dataforge_registry.core.oci.digest import Digest, blob_key, hash_of_key
from dataforge_registry.drivers.base import NotFound, Unavailable
from dataforge_registry.drivers.cache_folder import BLOCK, TOTAL, CacheFolder, whole_size
from dataforge_registry.drivers.cached import Cached
from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.drivers.wrap import Faulty

from .bodies import body, read

MIB = 1024 * 1024


class Watched:
    """A cache in a folder before a store whose calls are counted; `notes` is what it told."""

    def __init__(self, folder: Path, size: int = 64 * MIB) -> None:
        self.folder, self.notes, self.store = folder, Counter[str](), Faulty(MemoryDriver())
        self.driver = Cached(self.store, CacheFolder(str(folder), size), hash_of_key, self.note)

    def note(self, what: str, size: int) -> None:
        self.notes[what] += 1

    async def put(self, content: bytes) -> str:
        key = blob_key(Digest.of(content))
        await self.store.put(key, body(content))
        return key

    async def warm(self, key: str) -> None:
        for _ in range(2):
            await read(self.driver, key, 0, 1)
        await self.driver.filled()

    @property
    def opened(self) -> int:
        return self.store.calls["open"]

    @property
    def copies(self) -> list[Path]:
        return [path for path in self.folder.iterdir() if path.name != TOTAL]


@pytest_asyncio.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    made = Watched(tmp_path / "cache")
    yield made
    await made.driver.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1, 3 * MIB + 5])
async def test_what_is_read_again_comes_from_the_disk(watched: Watched, size: int) -> None:
    content = os.urandom(size)
    key = await watched.put(content)
    assert await read(watched.driver, key) == content
    await watched.driver.filled()
    assert watched.copies == []  # read once is not hot
    assert await read(watched.driver, key, 5, 9) == content[5:9]
    await watched.driver.filled()
    assert [path.stat().st_size for path in watched.copies] == [whole_size(size)]
    asked = watched.opened
    for start, stop in [(0, None), (0, 1), (BLOCK - 1, BLOCK + 1), (size - 1, size + 5), (size, None), (7, 7), (9, 3)]:
        assert await read(watched.driver, key, max(0, start), stop) == content[max(0, start) : stop]
    assert watched.opened == asked
    assert watched.notes == Counter(hit=7, miss=2, filled=1)


@pytest.mark.asyncio
async def test_a_range_does_not_wait_for_the_whole(watched: Watched) -> None:
    content = os.urandom(3 * MIB)
    key = await watched.put(content)
    await read(watched.driver, key, 0, 1)
    held = watched.driver._folder.reserve  # type: ignore[attr-defined]
    gate = asyncio.Event()
    loop = asyncio.get_running_loop()

    def reserve(name: str, size: int) -> object:
        asyncio.run_coroutine_threadsafe(gate.wait(), loop).result(30)
        return held(name, size)

    watched.driver._folder.reserve = reserve  # type: ignore[assignment]
    assert await read(watched.driver, key, 100, 200) == content[100:200]
    assert await read(watched.driver, key, 200, 300) == content[200:300]
    assert watched.copies == []
    gate.set()
    await watched.driver.filled()
    assert watched.notes == Counter(miss=3, filled=1)


@pytest.mark.asyncio
async def test_wrong_bytes_of_the_store_are_not_kept(watched: Watched) -> None:
    key = blob_key(Digest.of(b"what it should be"))
    await watched.store.put(key, body(b"what is there"))
    await watched.warm(key)
    assert watched.copies == []
    assert watched.notes == Counter(miss=2, failed=1)


@pytest.mark.asyncio
async def test_only_keys_that_name_their_bytes_are_kept(watched: Watched) -> None:
    content = b"a manifest"
    digest = Digest.of(content)
    for key in (f"manifests/sha256/a3/f2/{digest.hex}", "docker/registry/v2/blobs/data", "blobs/sha256/a3/f2/a3f2"):
        await watched.store.put(key, body(content))
        await watched.warm(key)
    later = blob_key(digest, 3)
    await watched.store.put(later, body(content))
    await watched.warm(later)
    assert (len(watched.copies), watched.notes) == (1, Counter(miss=2, filled=1))


@pytest.mark.asyncio
async def test_what_is_deleted_is_gone_here_too(watched: Watched) -> None:
    key = await watched.put(b"x" * 1000)
    await watched.warm(key)
    await watched.driver.delete(key)
    assert watched.copies == []
    with pytest.raises(NotFound):
        await watched.driver.open(key)


@pytest.mark.asyncio
@given(
    at=st.integers(0, whole_size(5 * BLOCK + 99) - 1),
    change=st.sampled_from(["flip", "cut", "zeros", "empty", "other"]),
    start=st.integers(0, 5 * BLOCK),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_damaged_copy_is_never_served(watched: Watched, at: int, change: str, start: int) -> None:
    content = random.Random(1).randbytes(5 * BLOCK + 99)
    key = await watched.put(content)
    await watched.warm(key)
    [path] = watched.copies
    kept = bytearray(path.read_bytes())
    if change == "flip":
        kept[at] ^= 1 << at % 8
    elif change == "cut":
        del kept[at:]
    elif change == "zeros":
        kept[at:] = bytes(len(kept) - at)
    elif change == "empty":
        kept = bytearray(12)
    else:
        kept[: len(kept) // 2] = os.urandom(len(kept) // 2)
    path.write_bytes(kept)
    assert await read(watched.driver, key, start) == content[start:]
    assert await read(watched.driver, key) == content
    await watched.driver.drop(key)


@pytest.mark.asyncio
async def test_a_damaged_copy_and_no_store_is_an_error(watched: Watched) -> None:
    content = os.urandom(3 * MIB)
    key = await watched.put(content)
    await watched.warm(key)
    [path] = watched.copies
    with path.open("r+b") as file:
        file.seek(2 * MIB)
        file.write(b"rot")
    await watched.store.delete(key)
    with pytest.raises(Unavailable, match=r"the copy of blobs/.* is damaged, and the store: nothing is at"):
        await read(watched.driver, key)


@pytest.mark.asyncio
async def test_the_oldest_go_first_and_the_bound_holds(tmp_path: Path) -> None:
    watched = Watched(tmp_path / "cache", size=10 * MIB)
    keys = [await watched.put(os.urandom(MIB)) for _ in range(12)]
    for number, key in enumerate(keys):
        await watched.warm(key)
        await read(watched.driver, keys[0], 0, 1)  # stays in use
        assert sum(path.stat().st_size for path in watched.copies) <= 10 * MIB, number
    asked = watched.opened
    await read(watched.driver, keys[0])
    await read(watched.driver, keys[-1])
    assert watched.opened == asked
    await read(watched.driver, keys[1])
    assert watched.opened == asked + 1
    large = await watched.put(os.urandom(6 * MIB))
    before = sorted(watched.copies)
    await watched.warm(large)
    assert sorted(watched.copies) == before
    await watched.driver.close()


@pytest.mark.asyncio
async def test_a_full_disk_makes_no_read_fail(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    content = os.urandom(3 * MIB)
    key = await watched.put(content)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))  # EFBIG, as a quota has it
    try:
        for _ in range(4):
            assert await read(watched.driver, key) == content
            await watched.driver.filled()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert watched.notes["failed"] == 2
    await watched.warm(key)
    assert watched.notes["filled"] == 1


@pytest.mark.asyncio
async def test_a_folder_that_vanishes_makes_no_read_fail(watched: Watched) -> None:
    key = await watched.put(b"bytes" * 1000)
    await watched.warm(key)
    for path in (*watched.copies, watched.folder / TOTAL):
        path.unlink()
    watched.folder.rmdir()
    for _ in range(3):
        assert await read(watched.driver, key) == b"bytes" * 1000
        await watched.driver.filled()
    await watched.driver.delete(key)


@pytest.mark.asyncio
async def test_a_reading_that_is_given_up_gives_back_its_file(watched: Watched) -> None:
    key = await watched.put(os.urandom(3 * MIB))
    await watched.warm(key)
    before = len(os.listdir("/proc/self/fd"))
    for started in (True, False):
        async with aclosing(await watched.driver.open(key)) as reading:
            if started:
                await anext(reading)
    assert len(os.listdir("/proc/self/fd")) == before


def used(folder: CacheFolder) -> int:
    """Bytes of all copies and of those on their way, while nobody adds or removes one."""
    with folder.locked():
        return sum(path.stat().st_size for path in Path(folder.path("")).iterdir() if path.name != TOTAL)


def test_processes_share_a_folder_and_die_at_any_time(tmp_path: Path) -> None:
    size, chance = 4 * MIB, random.Random()
    folder = CacheFolder(str(tmp_path), size)
    command = [sys.executable, str(Path(__file__).with_name("cache_filler.py")), str(tmp_path), str(size)]

    def started() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        return process

    def end(process: subprocess.Popen[bytes]) -> None:
        with process:
            process.kill()

    fillers = [started() for _ in range(3)]
    try:
        for _ in range(int(os.environ.get("FAULTS", "3"))):
            time.sleep(chance.random() / 2)
            victim = fillers.pop(chance.randrange(len(fillers)))
            assert victim.poll() is None, "a process read wrong bytes"
            end(victim)
            assert used(folder) <= size
            fillers.append(started())
    finally:
        for process in fillers:
            end(process)
    assert used(folder) > size // 2
    with folder.locked():
        folder._evict(size)
        assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
        total = folder._total()
    assert total == used(folder) <= size


def test_a_part_of_somebody_who_lives_is_left_alone(tmp_path: Path) -> None:
    folder = CacheFolder(str(tmp_path), 10 * MIB)
    name = "a" * 64
    draft = folder.reserve(name, MIB)
    assert draft is not None
    code = (
        "import sys; from dataforge_registry.drivers.cache_folder import CacheFolder;"
        f"print(CacheFolder(sys.argv[1], {10 * MIB}).reserve({name!r}, {MIB}))"
    )
    told = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert told.stdout == "None\n"
    draft.write(b"x" * MIB)
    draft.keep()
    entry = folder.open(name)
    assert entry is not None and entry.read(0, 5) == b"xxxxx"
    entry.close()
