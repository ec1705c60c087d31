"""What only files have: links, limits, permissions, restarts and descriptors."""

import asyncio
import hashlib
import os
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, suppress
from pathlib import Path

import pytest
import pytest_asyncio

from dataforge_registry.drivers.base import InvalidKey, NotFound, Staging, StagingLost, Unavailable
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.drivers.tree import Tree
from dataforge_registry.drivers.writing import sync

from .bodies import body, keys, read, staged

BLOB = "blobs/sha256/a3/f2/a3f2"


@pytest_asyncio.fixture
async def files(tmp_path: Path) -> AsyncIterator[FilesystemDriver]:
    """A driver over tmp_path/store."""
    driver = FilesystemDriver(str(tmp_path / "store"))
    yield driver
    await driver.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def run(script: str, *arguments: object) -> str:
    """What a Python of its own prints; its failure is the test's."""
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


PRELUDE = """
import asyncio, os, resource, sys
from dataforge_registry.drivers.base import DriverError, NoSpace, Unavailable
from dataforge_registry.drivers.filesystem import FilesystemDriver

async def body(*chunks):
    for chunk in chunks:
        yield chunk

async def outcome(awaitable):
    try:
        await awaitable
        print("done")
    except DriverError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.asyncio
async def test_a_key_is_a_file_below_the_root(files: FilesystemDriver, tmp_path: Path) -> None:
    await files.put(BLOB, body(b"put"))
    await files.commit(await staged(files, b"staged"), "blobs/committed")
    assert (tmp_path / "store" / BLOB).read_bytes() == b"put"
    assert (tmp_path / "store/blobs/committed").read_bytes() == b"staged"
    assert await files.path(BLOB) == str(tmp_path / "store" / BLOB)
    for path in (tmp_path / "store").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o027 == 0, f"{path} is open to others"


@pytest.mark.asyncio
async def test_a_link_at_a_key_is_not_followed(files: FilesystemDriver, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    await files.put("blobs/neighbour", body(b"x"))
    link = tmp_path / "store/blobs/link"
    for target in (outside, tmp_path / "nowhere"):
        link.symlink_to(target)
        for call in (
            lambda: files.open("blobs/link"),
            lambda: files.stat("blobs/link"),
            lambda: files.path("blobs/link"),
        ):
            with pytest.raises(Unavailable, match=r"blobs/link is a symbolic link.*remove it"):
                await call()
        staging = await staged(files, b"new")
        with pytest.raises(Unavailable, match="blobs/link is not a regular file: remove it"):
            await files.commit(staging, "blobs/link")
        assert await keys(files) == ["blobs/neighbour"]
        await files.delete("blobs/link")  # removes the link itself
        assert not link.is_symlink()
    link.symlink_to(outside)
    await files.put("blobs/link", body(b"healed"))
    assert not link.is_symlink()
    assert await read(files, "blobs/link") == b"healed"
    assert outside.read_bytes() == b"secret"


@pytest.mark.asyncio
@pytest.mark.parametrize("planted", ["blobs", "blobs/sha256", "blobs/sha256/a3/f2"])
async def test_a_link_in_place_of_a_folder_is_not_followed(
    files: FilesystemDriver, tmp_path: Path, planted: str
) -> None:
    outside = tmp_path / "outside"
    below = outside / Path(BLOB).relative_to(planted)
    below.parent.mkdir(parents=True)
    below.write_bytes(b"secret")
    link = tmp_path / "store" / planted
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)
    staging = await staged(files, b"new")
    for call in (
        lambda: files.open(BLOB),
        lambda: files.stat(BLOB),
        lambda: files.path(BLOB),
        lambda: files.put(BLOB, body(b"new")),
        lambda: files.put(f"{planted}/new", body(b"new")),
        lambda: files.commit(staging, BLOB),
        lambda: files.delete(BLOB),
        lambda: files.delete_many([f"{planted}/x"]),
    ):
        with pytest.raises(Unavailable, match=f"{planted} is a symbolic link"):
            await call()
    assert await keys(files) == []
    assert [path for path in outside.rglob("*") if path.is_file()] == [below]
    assert below.read_bytes() == b"secret"


@pytest.mark.asyncio
async def test_a_link_in_place_of_a_staging_is_not_followed(files: FilesystemDriver, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret")
    staging = await staged(files, b"bytes")
    path = tmp_path / "store/uploads" / staging.id
    path.unlink()
    path.symlink_to(outside)
    for call in (
        lambda: files.append(staging, body(b"x")),
        lambda: files.append(Staging(staging.id), body(b"x")),
        lambda: files.commit(staging, BLOB),
        lambda: files.fork(staging),
        lambda: files.read(staging),
    ):
        with pytest.raises(Unavailable, match="is a symbolic link"):
            await call()
    assert [found async for found in files.stale(time.time() + 60)] == []
    assert outside.read_bytes() == b"secret"
    with pytest.raises(NotFound):
        await files.stat(BLOB)


@pytest.mark.asyncio
async def test_the_root_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "disk")
    driver = FilesystemDriver(str(tmp_path / "store"))
    await driver.put(BLOB, body(b"bytes"))
    assert (tmp_path / "disk" / BLOB).read_bytes() == b"bytes"
    await driver.close()


@pytest.mark.asyncio
async def test_a_fifo_does_not_hold_anything_up(files: FilesystemDriver, tmp_path: Path) -> None:
    await files.put("blobs/x", body(b"x"))
    os.mkfifo(tmp_path / "store/blobs/fifo")
    for call in (
        lambda: files.open("blobs/fifo"),
        lambda: files.stat("blobs/fifo"),
    ):
        with pytest.raises(Unavailable, match="not a regular file"):
            await asyncio.wait_for(call(), 30)
    assert await keys(files) == ["blobs/x"]


@pytest.mark.asyncio
async def test_a_key_cannot_be_the_folder_of_another(files: FilesystemDriver) -> None:
    await files.put("a/b", body(b"x"))
    staging = await staged(files, b"y")
    for call in (
        lambda: files.put("a", body(b"y")),
        lambda: files.put("a/b/c", body(b"y")),
        lambda: files.commit(staging, "a"),
        lambda: files.commit(staging, "a/b/c"),
    ):
        with pytest.raises(InvalidKey, match="folder of "):
            await call()
    assert await keys(files) == ["a/b"]
    assert [found.id async for found in files.stale(time.time() + 60)] == [staging.id]


@pytest.mark.asyncio
async def test_names_that_are_no_keys_are_not_listed(files: FilesystemDriver, tmp_path: Path) -> None:
    await files.put("b/c", body(b"x"))
    with suppress(OSError):  # a file system that insists on UTF-8
        os.mknod(bytes(tmp_path / "store") + b"/b/\xff\xfe")
    (tmp_path / "store/b/empty").mkdir()
    assert await keys(files) == ["b/c"]


@pytest.mark.asyncio
async def test_closing_a_reading_gives_its_descriptor_back(files: FilesystemDriver) -> None:
    await files.put(BLOB, body(b"x" * 5_000_000))

    def held() -> int:
        return sum(os.path.exists(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd"))

    before = held()
    never_started, started, dropped = [await files.open(BLOB) for _ in range(3)]
    await anext(started)
    await anext(started)
    assert held() == before + 3
    await never_started.aclose()
    await started.aclose()
    del dropped
    assert held() == before
    assert len(await read(files, BLOB)) == 5_000_000
    with pytest.raises(NotFound):
        await files.open("absent")
    task = asyncio.ensure_future(files.open(BLOB))
    await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await (await task).aclose()
    assert held() == before


@pytest.mark.asyncio
async def test_a_file_cut_off_while_it_is_read(files: FilesystemDriver, tmp_path: Path) -> None:
    await files.put(BLOB, body(b"x" * 3_000_000))
    reading = await files.open(BLOB)
    await anext(reading)
    os.truncate(tmp_path / "store" / BLOB, 1_000_000)
    with pytest.raises(Unavailable, match="ended at 1000000, 3000000 were there"):
        async for _ in reading:
            pass


@pytest.mark.asyncio
async def test_an_upload_goes_on_after_a_restart(files: FilesystemDriver, tmp_path: Path) -> None:
    staging = await staged(files, b"head ")
    await files.append(staging, body(b"bytes that no row knows"))
    other = FilesystemDriver(str(tmp_path / "store"))
    staging = await other.append(staging, body(b"tail"))
    await other.commit(staging, BLOB)
    assert await read(files, BLOB) == b"head tail"
    await other.close()


@pytest.mark.asyncio
async def test_an_upload_goes_on_after_its_writer_was_killed(files: FilesystemDriver, tmp_path: Path) -> None:
    staging = await staged(files, b"head ")
    script = """
    async def endless():
        while True:
            yield b"x" * 65536
    async def main():
        driver = FilesystemDriver(sys.argv[1])
        from dataforge_registry.drivers.base import Staging
        await driver.append(Staging(sys.argv[2], 5), endless())
    asyncio.run(main())
    """
    command = [sys.executable, "-c", PRELUDE + textwrap.dedent(script), str(tmp_path / "store"), staging.id]
    writer = await asyncio.create_subprocess_exec(*command)
    staged_file = tmp_path / "store/uploads" / staging.id
    while staged_file.stat().st_size < 3_000_000:
        assert writer.returncode is None
        await asyncio.sleep(0.01)
    writer.send_signal(signal.SIGKILL)
    await writer.wait()
    content, digester = os.urandom(700_000), hashlib.sha256(b"head ")
    staging = await files.append(staging, body(content), digester)
    await files.commit(staging, BLOB)
    assert digester.digest() == hashlib.sha256(await read(files, BLOB)).digest()
    assert await read(files, BLOB) == b"head " + content


def test_a_full_store_is_no_space_and_keeps_what_it_had(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for a full disk: the write comes back short, the next one fails (EFBIG)."""
    script = """
    async def main():
        driver = FilesystemDriver(sys.argv[1])
        staging = await driver.append(await driver.begin(), body(b"head "))
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        await outcome(driver.put("a/b", body(b"x" * 150_000)))
        await outcome(driver.append(staging, body(b"x" * 150_000)))
        await outcome(driver.stat("a/b"))
        staging = await driver.append(staging, body(b"tail"))
        await driver.commit(staging, "a/c")
        await driver.abort(staging)
        print(os.listdir(sys.argv[1] + "/uploads"), open(sys.argv[1] + "/a/c").read())
    asyncio.run(main())
    """
    put, append, absent, rest = run(script, tmp_path / "store").splitlines()
    assert put.startswith(f"NoSpace {tmp_path}/store/a/b: File too large (free space")
    assert append.startswith(f"NoSpace {tmp_path}/store/uploads/")
    assert absent.startswith("NotFound ")
    assert rest == "[] head tail"


def test_a_full_store_takes_what_fits_of_many(tmp_path: Path) -> None:
    script = """
    async def main():
        driver = FilesystemDriver(sys.argv[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
        await outcome(driver.put_many({"a/b": b"x", "a/c": b"x" * 150_000}))
        await outcome(driver.stat("a/b"))
        print(os.listdir(sys.argv[1] + "/uploads"))
    asyncio.run(main())
    """
    put, absent, rest = run(script, tmp_path / "store").splitlines()
    assert put.startswith(f"NoSpace {tmp_path}/store/a/b and 1 others: File too large (free space")
    assert absent.startswith("NotFound ")
    assert rest == "[]"


READ_ONLY = """
async def main():
    if os.geteuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    try:
        driver = FilesystemDriver(sys.argv[1])
    except Unavailable as error:
        return print("at start:", error)
    await outcome(driver.check())
    await outcome(driver.put("blobs/y", body(b"y")))
    await outcome(driver.stat("blobs/x"))
    await outcome(driver.stat("blobs/closed"))
asyncio.run(main())
"""


def test_a_folder_that_cannot_be_written_is_unavailable(open_folder: Path) -> None:
    (open_folder / "store/blobs").mkdir(parents=True)
    (open_folder / "store/blobs/x").write_bytes(b"x")
    (open_folder / "store/blobs/closed").write_bytes(b"x")
    (open_folder / "store/blobs/closed").chmod(0)
    (open_folder / "store").chmod(0o555)
    check, put, found, closed = run(READ_ONLY, open_folder / "store").splitlines()
    (open_folder / "store").chmod(0o755)
    for line in (check, put):
        assert line.startswith(f"Unavailable {open_folder}/store/")
        assert line.endswith(": Permission denied")
    assert found == "done"
    assert closed == f"Unavailable {open_folder}/store/blobs/closed: Permission denied"


def test_a_root_that_cannot_be_made_is_one_line(open_folder: Path) -> None:
    (open_folder / "closed").mkdir(mode=0o555)
    root = open_folder / "closed/store"
    assert run(READ_ONLY, root) == f"at start: cannot use {root} as storage root: Permission denied\n"


@pytest.mark.asyncio
async def test_a_root_that_vanished_is_unavailable_and_not_made_anew(files: FilesystemDriver, tmp_path: Path) -> None:
    """A disk that was unmounted: saying "not found" would have the registry believe that its blobs are lost."""
    await files.put(BLOB, body(b"x"))
    (tmp_path / "store").rename(tmp_path / "away")
    for call in (
        lambda: files.stat(BLOB),
        lambda: files.open(BLOB),
        lambda: files.put(BLOB, body(b"x")),
        lambda: files.delete(BLOB),
        lambda: keys(files),
        files.check,
    ):
        with pytest.raises(Unavailable, match=f"the storage root {tmp_path}/store is gone: No such file"):
            await call()
    assert not (tmp_path / "store").exists()
    (tmp_path / "away").rename(tmp_path / "store")
    assert await read(files, BLOB) == b"x"


@pytest.mark.asyncio
async def test_a_staging_whose_sync_failed_is_given_up(files: FilesystemDriver, tmp_path: Path) -> None:
    """A pipe cannot be synced, so its descriptor fails as one of a broken disk does."""
    staging = await staged(files, b"bytes")
    reader, writer = os.pipe()
    with pytest.raises(OSError, match="Invalid argument"):
        sync(Tree(str(tmp_path / "store")), f"uploads/{staging.id}", writer)
    os.close(reader)
    os.close(writer)
    with pytest.raises(StagingLost):
        await files.commit(staging, BLOB)


@pytest.mark.asyncio
async def test_a_cancelled_append_waits_for_its_thread(files: FilesystemDriver, tmp_path: Path) -> None:
    """Else its thread would write on while the next request truncates and appends."""
    staging = await staged(files, b"head ")
    for pause in range(12):

        async def flood() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 600_000
                await asyncio.sleep(0)

        task = asyncio.ensure_future(files.append(staging, flood()))
        await asyncio.sleep(pause / 1000)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        size = (tmp_path / "store/uploads" / staging.id).stat().st_size
        again = await files.append(staging, body(b"tail"))
        assert (tmp_path / "store/uploads" / staging.id).read_bytes() == b"head tail", f"after {size} bytes"
        assert again.size == 9


@pytest.mark.asyncio
async def test_what_a_killed_put_left_is_swept(files: FilesystemDriver, tmp_path: Path) -> None:
    await files.check()
    (tmp_path / "store/uploads/put-0123").write_bytes(b"half a bo")
    for scope in ("", "north,"):
        assert [found.id async for found in files.stale(time.time() + 60, scope)] == ["put-0123"]
    await files.abort(Staging("put-0123"))
    assert not (tmp_path / "store/uploads/put-0123").exists()


@pytest.mark.asyncio
async def test_many_who_read_hold_little_together(files: FilesystemDriver) -> None:
    """Promise P13: a slow reader keeps its piece in memory, and 500 of them must not keep 500 MiB."""
    await files.put(BLOB, body(bytes(4 << 20)))
    readings, held = [], 0
    try:
        for _ in range(300):
            readings.append(await files.open(BLOB))
            await anext(readings[-1])
            held += len(await anext(readings[-1]))
    finally:
        for reading in readings:
            await reading.aclose()
    assert held < 80 << 20
    async with aclosing(await files.open(BLOB)) as alone:
        assert [len(await anext(alone)) for _ in range(2)] == [256 << 10, 1 << 20], "those who left count no more"
