"""What every driver promises (drivers/base.py), run over all of them: see makers.MAKERS."""

import asyncio
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest
import pytest_asyncio

from dataforge_registry.drivers.base import Driver, InvalidKey, NotFound, Staging, StagingLost

from .bodies import body, broken, collect, keys, read, staged
from .makers import KINDS, MAKERS

pytestmark = pytest.mark.asyncio

BLOB = "blobs/sha256/a3/f2/a3f2"
HOSTILE = [
    "", "/", "/etc/passwd", "a//b", "a/", ".", "..", "a/../b", "../a", "a/./b", "a\0b", "\ud800", "x" * 256,
    "a/" * 600 + "a", "uploads", "uploads/x",
]  # fmt: skip
UNUSUAL = ["a b/c%20d", "é/µΩ/井", "...", "~root/$HOME/-rf", "a\\b", "a\nb", "x" * 255, "put-1/,", "Case/case"]


@pytest_asyncio.fixture(params=KINDS)
async def driver(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Driver]:
    """An empty store."""
    made = MAKERS[request.param](tmp_path)
    await made.check()
    yield made
    await made.close()


@pytest.mark.parametrize("size", [0, 1, 65536, 262144, 262145, 524288, 1048577, 3_000_000])
async def test_what_is_put_is_read_back(driver: Driver, size: int) -> None:
    content = os.urandom(size)
    chunks = [content[start : start + 65536] for start in range(0, size, 65536)]
    began = time.time() - 2
    assert await driver.put(BLOB, body(*chunks), size) == size
    assert await read(driver, BLOB) == content
    stat = await driver.stat(BLOB)
    assert (stat.key, stat.size) == (BLOB, size)
    assert began < stat.modified < time.time() + 2


async def test_one_long_chunk_comes_back_in_short_pieces(driver: Driver) -> None:
    content = os.urandom(5_000_000)
    await driver.put(BLOB, body(content))
    pieces = [piece async for piece in await driver.open(BLOB)]
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 1024 * 1024
    assert all(pieces)


@pytest.mark.parametrize(
    ("start", "stop"),
    [(0, 1), (1, 2), (0, None), (5, None), (262143, 262146), (262144, 1400000), (10, 700000), (1399999, 1400000),
     (1400000, None), (9999999, None), (0, 9999999), (0, 0), (7, 7), (8, 3)],
)  # fmt: skip
async def test_a_range_is_a_slice(driver: Driver, start: int, stop: int | None) -> None:
    content = os.urandom(1_400_000)
    await driver.put(BLOB, body(content))
    assert await read(driver, BLOB, start, stop) == content[start:stop]


async def test_absent_keys(driver: Driver) -> None:
    await driver.put("a/b", body(b"x"))
    for absent in ("a", "b", "a/c", "a/b/c", "b/c/d"):
        with pytest.raises(NotFound):
            await driver.stat(absent)
        with pytest.raises(NotFound):
            await driver.open(absent)
        await driver.delete(absent)
    await driver.delete_many(["a", "b", "a/c", "a/b/c"])
    assert await keys(driver) == ["a/b"]


@pytest.mark.parametrize("key", HOSTILE)
async def test_no_method_takes_a_hostile_key(driver: Driver, key: str) -> None:
    staging = await staged(driver, b"x")
    for call in (
        lambda: driver.put(key, body(b"x")),
        lambda: driver.put_many({"fine": b"x", key: b"x"}),
        lambda: driver.open(key),
        lambda: driver.stat(key),
        lambda: driver.delete(key),
        lambda: driver.delete_many(["fine", key]),
        lambda: driver.commit(staging, key),
        lambda: driver.path(key),
    ):
        with pytest.raises(InvalidKey, match="key"):
            await call()
    assert await keys(driver) == []


@pytest.mark.parametrize("name", ["", "..", "../../etc/x", "a/b", "uploads", "x" * 256])
async def test_no_method_takes_a_hostile_staging(driver: Driver, name: str) -> None:
    staging = Staging(name, 1)
    for call in (
        lambda: driver.append(staging, body(b"x")),
        lambda: driver.commit(staging, BLOB),
        lambda: driver.fork(staging),
        lambda: driver.read(staging),
        lambda: driver.abort(staging),
    ):
        with pytest.raises(InvalidKey):
            await call()


async def test_unusual_keys_are_keys(driver: Driver) -> None:
    for key in UNUSUAL:
        await driver.put(key, body(key.encode()))
    assert await keys(driver) == sorted(UNUSUAL, key=str.encode)
    for key in UNUSUAL:
        assert await read(driver, key) == key.encode()


async def test_a_put_that_fails_leaves_the_key_as_before(driver: Driver) -> None:
    for size in (10, 600_000):
        with pytest.raises(ConnectionResetError):
            await driver.put(BLOB, broken(b"x" * size))
        with pytest.raises(NotFound):
            await driver.stat(BLOB)
    await driver.put(BLOB, body(b"old"))
    for size in (0, 10, 600_000):
        with pytest.raises(ConnectionResetError):
            await driver.put(BLOB, broken(b"x" * size))
        assert await read(driver, BLOB) == b"old"
    assert [staging async for staging in driver.stale(time.time() + 60)] == []


async def test_many_puts_at_once(driver: Driver) -> None:
    await driver.put_many({})
    contents = {f"many/{number % 7}/{number:03}": b"%d" % number * (number % 5) for number in range(300)}
    await driver.put("many/0/000", body(b"old, and longer"))
    await driver.put_many(contents)
    assert await keys(driver) == sorted(contents)
    for key, content in contents.items():
        assert await read(driver, key) == content
    assert [staging async for staging in driver.stale(time.time() + 60)] == []


async def test_a_put_replaces(driver: Driver) -> None:
    await driver.put(BLOB, body(b"a longer one"))
    await driver.put(BLOB, body(b"short"))
    assert await read(driver, BLOB) == b"short"


async def test_a_reader_keeps_what_it_opened(driver: Driver) -> None:
    old = os.urandom(3_000_000)
    await driver.put(BLOB, body(old))
    replaced, deleted = await driver.open(BLOB), await driver.open(BLOB)
    first = await anext(replaced)
    await driver.put(BLOB, body(b"new"))
    assert first + b"".join([piece async for piece in replaced]) == old
    await driver.delete(BLOB)
    assert b"".join([piece async for piece in deleted]) == old


async def test_200_puts_of_one_key_at_once(driver: Driver) -> None:
    content = os.urandom(20_000)
    sizes = await asyncio.gather(*(driver.put(BLOB, body(content)) for _ in range(200)))
    assert set(sizes) == {20_000}
    assert await read(driver, BLOB) == content
    assert await keys(driver) == [BLOB]
    assert [staging async for staging in driver.stale(time.time() + 60)] == []


async def test_a_cancelled_put_leaves_nothing(driver: Driver) -> None:
    waiting = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"x" * 700_000
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(driver.put(BLOB, stalled()))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await keys(driver) == []
    assert [staging async for staging in driver.stale(time.time() + 60)] == []


async def test_closing_a_reading_early(driver: Driver) -> None:
    await driver.put(BLOB, body(b"x" * 3_000_000))
    never_started, started = await driver.open(BLOB), await driver.open(BLOB)
    await anext(started)
    for reading in (never_started, started):
        await reading.aclose()
        await reading.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(reading)


async def test_an_upload(driver: Driver) -> None:
    parts = [os.urandom(size) for size in (1, 600_000, 0, 1_200_000, 5)]
    staging = await driver.begin(sum(map(len, parts)))
    assert staging.size == 0
    digester = hashlib.sha256()
    for part in parts:
        size = staging.size
        chunks = [part[start : start + 65536] for start in range(0, len(part), 65536)]
        staging = await driver.append(staging, body(*chunks), digester)
        staging = Staging(**json.loads(json.dumps(asdict(staging))))  # as it travels in the upload's row
        assert staging.size == size + len(part)
    whole = b"".join(parts)
    assert digester.digest() == hashlib.sha256(whole).digest()
    assert await keys(driver) == []
    await driver.commit(staging, BLOB)
    assert await read(driver, BLOB) == whole
    await driver.abort(staging)
    assert await read(driver, BLOB) == whole


async def test_a_staging_is_read_as_far_as_its_size(driver: Driver) -> None:
    assert await collect(driver, await driver.begin()) == b""
    content = os.urandom(2_000_000)
    staging = await staged(driver, content)
    await driver.append(staging, body(b"never recorded"))
    assert await collect(driver, staging) == content
    assert await collect(driver, Staging(staging.id, 5, staging.state)) == content[:5]


async def test_an_upload_of_nothing(driver: Driver) -> None:
    staging = await driver.begin()
    await driver.commit(staging, "never/appended")
    assert await read(driver, "never/appended") == b""
    staging = await driver.append(await driver.begin(), body())
    assert staging.size == 0
    await driver.commit(staging, "appended/nothing")
    assert await read(driver, "appended/nothing") == b""


async def test_append_drops_what_lies_beyond_the_size(driver: Driver) -> None:
    kept = await staged(driver, b"kept ")
    await driver.append(kept, body(b"never recorded, and longer"))
    with pytest.raises(ConnectionResetError):
        await driver.append(kept, broken(b"y" * 700_000))
    with pytest.raises(ConnectionResetError):
        await driver.append(kept, broken())
    staging = await driver.append(kept, body(b"more"))
    assert (staging.id, staging.size) == (kept.id, 9)
    await driver.commit(staging, BLOB)
    assert await read(driver, BLOB) == b"kept more"


async def test_commit_takes_the_size_and_no_more(driver: Driver) -> None:
    kept = await staged(driver, b"kept")
    await driver.append(kept, body(b" and a tail nobody recorded"))
    await driver.commit(kept, BLOB)
    assert await read(driver, BLOB) == b"kept"


async def test_commit_is_idempotent(driver: Driver) -> None:
    staging = await staged(driver, b"bytes")
    await driver.commit(staging, BLOB)
    await driver.commit(staging, BLOB)
    await driver.commit(staging, "another/key")
    await driver.abort(staging)
    await driver.commit(staging, BLOB)  # a retry after an answer that was lost
    assert await read(driver, BLOB) == await read(driver, "another/key") == b"bytes"


async def test_commit_leaves_a_key_that_exists(driver: Driver) -> None:
    await driver.put(BLOB, body(b"first"))
    await driver.commit(await staged(driver, b"second"), BLOB)
    assert await read(driver, BLOB) == b"first"


async def test_a_staging_goes_on_after_its_commit_without_touching_the_key(driver: Driver) -> None:
    short = await staged(driver, b"committed")
    await driver.commit(short, BLOB)
    longer = await driver.append(short, body(b" and more"))
    await driver.commit(longer, "longer")
    rewritten = await driver.append(Staging(short.id, 2, short.state), body(b"XXX"))
    await driver.commit(rewritten, "rewritten")
    await driver.commit(Staging(short.id, 3, rewritten.state), "shorter")
    assert await read(driver, BLOB) == b"committed"
    assert await read(driver, "longer") == b"committed and more"
    assert await read(driver, "rewritten") == b"coXXX"
    assert await read(driver, "shorter") == b"coX"


async def test_many_uploads_of_one_key_at_once(driver: Driver) -> None:
    content = os.urandom(30_000)

    async def push() -> None:
        staging = await staged(driver, content)
        await driver.commit(staging, BLOB)
        assert await read(driver, BLOB) == content
        await driver.abort(staging)

    await asyncio.gather(*(push() for _ in range(50)))
    assert await keys(driver) == [BLOB]
    assert [staging async for staging in driver.stale(time.time() + 60)] == []


async def test_lost_stagings(driver: Driver) -> None:
    gone = await staged(driver, b"bytes")
    await driver.abort(gone)
    await driver.abort(gone)
    short = await staged(driver, b"bytes")
    for lost in (gone, Staging(short.id, 6, short.state)):
        with pytest.raises(StagingLost):
            await driver.append(lost, body(b"x"))
        with pytest.raises(StagingLost):
            await driver.commit(lost, BLOB)
        with pytest.raises(StagingLost):
            await driver.fork(lost)
        with pytest.raises(StagingLost):
            await driver.read(lost)
    with pytest.raises(NotFound):
        await driver.stat(BLOB)


async def test_a_fork_is_out_of_an_old_writers_reach(driver: Driver) -> None:
    staging = await staged(driver, b"head ")
    paused, resume = asyncio.Event(), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"o" * 2_000_000
        paused.set()
        await resume.wait()
        yield b"o" * 2_000_000

    old_writer = asyncio.ensure_future(driver.append(staging, slow()))
    await paused.wait()
    fork = await driver.fork(staging)
    assert (fork.size, fork.id != staging.id) == (5, True)
    fork = await driver.append(fork, body(b"tail"))
    await driver.commit(fork, BLOB)
    await driver.abort(staging)
    resume.set()
    await asyncio.wait([old_writer])
    assert isinstance(old_writer.exception(), StagingLost | None)
    assert await read(driver, BLOB) == b"head tail"
    await driver.abort(staging)


async def test_a_fork_of_nothing(driver: Driver) -> None:
    staging = await driver.begin()
    fork = await driver.append(await driver.fork(staging), body(b"x"))
    assert fork.id != staging.id
    await driver.commit(fork, BLOB)
    assert await read(driver, BLOB) == b"x"


async def test_list_is_in_byte_order_and_resumes(driver: Driver) -> None:
    names = [
        "a",
        "b-c",
        "b.c",
        "b/c" * 2,
        "b/c/d/e",
        "b0",
        "bé",
        "b/é",
        "c/a/1",
        "c/b/1",
        "c/b/2",
        "c/b-",
        "d" * 200,
    ]
    for name in names:
        await driver.put(name, body(name.encode()))
    expected = sorted(names, key=str.encode)
    listed = [stat async for stat in driver.list()]
    assert [stat.key for stat in listed] == expected
    assert [stat.size for stat in listed] == [len(key.encode()) for key in expected]
    for after in [*expected, "b/", "b0/", "c/b", "c/b/", "zz"]:
        assert await keys(driver, after=after) == [key for key in expected if key.encode() > after.encode()]
    for prefix in ["", "b", "b/", "b/c", "c/b", "c/b/", "c/b/1", "none", "d" * 200 + "/x"]:
        for after in ("", "b/c/d/e", "c/b/1", prefix):
            wanted = [key for key in expected if key.startswith(prefix) and key.encode() > after.encode()]
            assert await keys(driver, prefix, after) == wanted


async def test_list_of_many_keys_with_deletions_meanwhile(driver: Driver) -> None:
    names = [f"blobs/{n % 7}/{n:04}" for n in range(700)]
    await asyncio.gather(*(driver.put(name, body(b"x")) for name in names))
    seen = []
    async for stat in driver.list("blobs/"):
        seen.append(stat.key)
        if len(seen) == 10:
            await driver.delete_many(["blobs/6/0006", *seen])
    assert set(names) - {"blobs/6/0006"} <= set(seen)
    assert seen == sorted(set(seen))
    assert len(await keys(driver)) == 689


async def test_delete(driver: Driver) -> None:
    for key in ("a/1", "a/2", "a/3", "b"):
        await driver.put(key, body(b"x"))
    await driver.delete("a/1")
    await driver.delete("a/1")
    await driver.delete_many(["a/2", "b", "never/there"])
    await driver.delete_many([])
    assert await keys(driver) == ["a/3"]
    await driver.put("a/1", body(b"again"))
    assert await read(driver, "a/1") == b"again"


async def test_stale_lists_old_stagings_of_the_scope(driver: Driver) -> None:
    mine = await driver.append(await driver.begin(scope="north,"), body(b"12345"))
    other = await driver.append(await driver.begin(scope="south,"), body(b"123"))
    fork = await driver.fork(mine)
    assert "north," in mine.id
    later = time.time() + 60
    assert {(s.id, s.size) async for s in driver.stale(later)} == {(mine.id, 5), (other.id, 3), (fork.id, 5)}
    assert {s.id async for s in driver.stale(later, "north,")} == {mine.id, fork.id}
    assert [s async for s in driver.stale(time.time() - 3600)] == []
    async for found in driver.stale(later):
        await driver.abort(found)
    assert [s async for s in driver.stale(later)] == []


async def test_path_names_the_file_or_nothing(driver: Driver) -> None:
    await driver.put(BLOB, body(b"bytes"))
    path = await driver.path(BLOB)
    if path is not None:
        assert await asyncio.to_thread(Path(path).read_bytes) == b"bytes"
        assert await driver.path(BLOB, 5) == path
        assert await driver.path(BLOB, 4) is None
        with pytest.raises(NotFound):
            await driver.path("absent")


async def test_space_is_told_where_it_is_known(driver: Driver) -> None:
    space = await driver.space()
    assert space is None or 0 <= space.free <= space.total


async def test_check_leaves_nothing(driver: Driver) -> None:
    await driver.check()
    assert await keys(driver) == []
    assert [staging async for staging in driver.stale(time.time() + 60)] == []
