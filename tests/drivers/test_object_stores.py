"""Drivers over object stores where the contract suite cannot look: a store is strict, or slow, or fails in the middle.
What one store alone does is in a file of its own (test_s3.py, test_azure.py, test_gcs.py)."""

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from dataforge_registry.drivers import staged, tries
from dataforge_registry.drivers.base import Driver, NotFound, Unavailable
from dataforge_registry.drivers.objects import LEAST, WEEK, Piece, staging_of

from .bodies import body, broken, keys, pieces, read, uploads
from .proxy import Proxy
from .stores import BUCKET, Store

MIB = 1024 * 1024
KEY = "blobs/sha256/a3/f2/a3f2"
ONES = {
    "s3": pytest.param("s3", marks=pytest.mark.tool("versitygw")),
    "azure": pytest.param("azure", marks=pytest.mark.tool("azurite")),
    "gcs": pytest.param("gcs"),
}
pytestmark = pytest.mark.asyncio


@pytest.fixture(params=ONES.values())
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def with_kind(*values: Any, names: str) -> pytest.MarkDecorator:
    """A test of some kinds alone, or with values of each: a tuple begins with its kind."""
    rows = [
        pytest.param(*each, marks=ONES[each[0]].marks, id="-".join(str(part)[:20] for part in each)) for each in values
    ]
    return pytest.mark.parametrize(f"kind,{names}" if names else "kind", rows, indirect=["kind"])


async def test_a_large_upload_is_joined_within_the_store(driver: Driver, proxy: Proxy, kind: str) -> None:
    content = os.urandom(23 * MIB + 17)
    staging = await driver.append(await driver.begin(), pieces(content[: 12 * MIB]))
    staging = await driver.append(staging, pieces(content[12 * MIB :]))
    await driver.commit(staging, KEY)
    assert [found.id for found in await uploads(driver)] == [staging.id]
    await driver.abort(staging)
    assert await read(driver, KEY) == content
    assert (await keys(driver), await uploads(driver)) == ([KEY], [])
    assert proxy.copied == {"s3": 2, "azure": 2, "gcs": 4}[kind]  # an object each append; in Google's each part


async def test_a_large_put_that_breaks_leaves_nothing(driver: Driver, store: Store) -> None:
    with pytest.raises(ConnectionResetError):
        await driver.put(KEY, broken(*[b"x" * MIB] * 13))
    assert (await keys(driver), await uploads(driver)) == ([], [])
    root = driver._store._root.rstrip("/")  # type: ignore[attr-defined]
    assert await asyncio.to_thread(store.unfinished, root) == set()
    await driver.put(KEY, pieces(b"y" * 13 * MIB))
    assert await read(driver, KEY, 5 * MIB - 1, 5 * MIB + 1) == b"yy"


async def test_nothing_is_at_a_key_before_its_bytes_are_whole(driver: Driver) -> None:
    seen = []

    async def looking() -> AsyncIterator[bytes]:
        for _ in range(12):
            yield b"z" * MIB
            seen.append(await keys(driver))
            with pytest.raises(NotFound):
                await driver.stat(KEY)

    await driver.put(KEY, looking())
    assert seen == [[]] * 12
    assert await keys(driver) == [KEY]


async def test_many_small_appends_leave_few_objects(driver: Driver) -> None:
    staging, content = await driver.begin(), b""
    for number in range(40):
        content += (chunk := bytes([number]) * 100)
        staging = await driver.append(staging, body(chunk))
    assert len(staging.state["pieces"]) <= 6
    await driver.commit(staging, KEY)
    assert await read(driver, KEY) == content


async def test_memory_holds_two_parts(store: Store) -> None:
    part = 8 * MIB
    driver = store.driver(chunksize=part)

    async def zeros(count: int) -> AsyncIterator[bytes]:
        for _ in range(count):
            yield bytes(MIB)

    await driver.append(await driver.begin(), zeros(1))  # the client is made
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        await driver.append(await driver.begin(), zeros(64))
        taken = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
        await driver.close()
    assert taken < 2.5 * part  # a part that grows takes an eighth more; three and four were held once


@with_kind(("s3",), ("azure",), names="")
async def test_what_a_store_does_not_copy_at_once_is_copied_in_parts(
    driver: Driver, proxy: Proxy, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"dataforge_registry.drivers.{kind}.WHOLE", 11 * MIB)
    monkeypatch.setattr(f"dataforge_registry.drivers.{kind}.COPIED", 10 * MIB)
    content = os.urandom(21 * MIB)
    staging = await driver.append(await driver.begin(), body(content))
    await driver.commit(await driver.fork(staging), KEY)
    assert await read(driver, KEY) == content
    assert proxy.copied == 6


@with_kind(
    *[("gcs", *each) for each in ((31, b"", 1), (31, b"rest", 1), (32, b"", 3), (993, b"rest", 36))],
    *[("s3", *each) for each in ((4, b"rest", 1), (5, b"", 3), (17, b"rest", 8))],
    ("azure", 5, b"rest", 3),
    names="count,rest,joins",
)
async def test_more_than_a_store_joins_at_once_goes_by_way_of_others(
    driver: Driver, kind: str, monkeypatch: pytest.MonkeyPatch, count: int, rest: bytes, joins: int
) -> None:
    store = driver._store  # type: ignore[attr-defined]
    joined = []
    join = store.join

    async def counted(name: str, sources: Sequence[Piece], more: bytes) -> None:
        joined.append(len(sources))
        await join(name, sources, more)

    monkeypatch.setattr(store, "join", counted)
    monkeypatch.setattr(store, "most", 31 if kind == "gcs" else 4)
    size = 5 if kind == "gcs" else LEAST  # Google joins what is small too
    monkeypatch.setattr(staged, "LEAST", size)
    contents = [os.urandom(size) for _ in range(3)]
    names = [f"uploads/scope,of-it/{number}" for number in range(3)]
    for name, content in zip(names, contents, strict=True):
        await store.put(name, content)
    held = [Piece(names[number % 3], size) for number in range(count)]
    last = [Piece("uploads/scope,of-it/last", len(rest))] if rest else []
    if rest:
        await store.put(last[0].name, rest)
    await driver.commit(staging_of("scope,of-it", [*held, *last]), KEY)
    assert await read(driver, KEY) == b"".join(contents[number % 3] for number in range(count)) + rest
    assert (len(joined), max(joined)) == (joins, min(count, store.most))
    assert [each.key async for each in store.list("uploads/", "")] == [*names, *(piece.name for piece in last)]


@with_kind(
    *[(kind, fault) for kind in ONES for fault in ("500", "503", "reset", "lost", "cut", "slow:0.2")],
    ("gcs", "429"),
    names="fault",
)
async def test_a_passing_fault_is_ridden_out(driver: Driver, proxy: Proxy, fault: str) -> None:
    content = os.urandom(11 * MIB)
    proxy.faults[:] = [fault, "", fault]
    staging = await driver.append(await driver.begin(), pieces(content))
    for _ in range(2):
        proxy.faults[:] = [fault, "", fault, fault, "", "", fault]
        await driver.commit(staging, KEY)
        assert await read(driver, KEY) == content
        proxy.faults[:] = [fault, "", fault]
        await driver.delete(KEY)
    proxy.faults[:] = [fault, "", fault]
    await driver.abort(staging)
    proxy.faults.clear()
    for leftover in await uploads(driver):  # a multipart that was made, and the answer with its id lost
        assert "leftover" in leftover.state
        await driver.abort(leftover)
    assert (await keys(driver), await uploads(driver)) == ([], [])


@with_kind(("s3", "s3.COPIED"), ("azure", "azure.WHOLE"), names="bound")
async def test_parts_of_an_append_are_one_object_up_to_what_is_copied_at_once(
    store: Store, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(f"dataforge_registry.drivers.{bound}", 15 * MIB)
    driver = store.seen_at(proxy.endpoint).driver(chunksize=5 * MIB)
    content = os.urandom(38 * MIB)
    staging = await driver.append(await driver.begin(), pieces(content, MIB))
    assert [size // MIB for _, size in staging.state["pieces"]] == [15, 15, 8]
    await driver.commit(staging, KEY)
    await driver.put("put", pieces(content))
    assert await read(driver, KEY) == await read(driver, "put") == content
    await driver.abort(staging)
    assert await uploads(driver) == []
    await driver.close()


@with_kind(
    *[("s3", step) for step in range(1, 6)],  # a multipart, three parts, its end
    *[("azure", step) for step in range(1, 5)],  # three blocks, their list
    names="step",
)
async def test_an_answer_lost_at_any_step_of_an_append_does_not_break_it(
    driver: Driver, proxy: Proxy, step: int
) -> None:
    content = os.urandom(13 * MIB)
    proxy.only, proxy.faults[:] = "PUT POST", [*[""] * (step - 1), "lost"]
    staging = await driver.append(await driver.begin(), pieces(content))
    assert proxy.faults == []
    await driver.commit(staging, KEY)
    assert await read(driver, KEY) == content


@with_kind(
    *[("s3", step) for step in range(1, 6)],  # a multipart, two copied parts, the rest, its end
    *[("azure", step) for step in range(1, 5)],  # two copied blocks, the rest, the list
    *[("gcs", step) for step in (1, 2)],  # the rest, a compose
    names="step",
)
async def test_an_answer_lost_at_any_step_of_a_commit_does_not_break_it(
    driver: Driver, proxy: Proxy, step: int
) -> None:
    content = os.urandom(13 * MIB)
    staging = await driver.begin()
    for start, stop in pairwise((0, 6, 11, 13)):
        staging = await driver.append(staging, body(content[start * MIB : stop * MIB]))
    proxy.only, proxy.faults[:] = "PUT POST", [*[""] * (step - 1), "lost"]
    await driver.commit(staging, KEY)
    assert proxy.faults == []
    assert await read(driver, KEY) == content


@pytest.mark.parametrize("size", [3 * MIB, 9 * MIB])  # the client reads the short one, we the long one
async def test_an_answer_cut_in_the_middle_is_read_on(driver: Driver, proxy: Proxy, size: int) -> None:
    content = os.urandom(size)
    await driver.put(KEY, body(content))
    proxy.only, proxy.faults[:] = "GET", ["cut", "cut"]
    assert await read(driver, KEY, 5) == content[5:]
    assert len([request for request in proxy.requests if request.startswith("GET")]) == 3


async def test_an_answer_that_goes_on_as_another_object_is_an_error(driver: Driver, proxy: Proxy) -> None:
    await driver.put(KEY, body(b"a" * MIB))
    proxy.only, proxy.faults[:] = "GET", ["cut"]
    reading = await driver.open(KEY)
    await driver.put(KEY, body(b"b" * MIB))
    with pytest.raises(Unavailable, match="early"):
        b"".join([piece async for piece in reading])


async def test_a_list_that_is_cut_is_asked_for_again(driver: Driver, proxy: Proxy) -> None:
    names = [f"many/{number:03}" for number in range(40)]
    await driver.put_many(dict.fromkeys(names, b"x"))
    proxy.only, proxy.faults[:] = "GET", ["cut", "503"]
    assert await keys(driver) == names
    assert proxy.faults == []


@with_kind(
    ("s3", {"503": "SlowDown", "reset": "put_object|get_object"}),
    ("azure", {"503": "ServerBusy", "500": "OperationTimedOut", "reset": "serviceurl"}),
    ("gcs", {"429": "(put|read) blobs/.*: 429 on command", "reset": "(put|read) blobs/"}),
    names="said",
)
async def test_a_storm_ends_in_unavailable(driver: Driver, proxy: Proxy, said: dict[str, str]) -> None:
    for fault, message in said.items():
        proxy.faults[:] = [fault] * 50
        with pytest.raises(Unavailable, match=message):
            await driver.put(KEY, body(b"x"))
        with pytest.raises(Unavailable, match=message):
            await driver.open(KEY)
        assert len(proxy.faults) >= 50 - 20  # two calls; aiohttp tries once more itself where a connection was kept
    proxy.faults.clear()
    assert await keys(driver) == []


async def test_a_call_ends_at_its_deadline(driver: Driver, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "DEADLINE", 0.3)
    proxy.faults[:] = ["slow:1.5"]
    with pytest.raises(Unavailable, match=rf"{KEY}: no answer within the time it may take"):
        await driver.put(KEY, body(b"x"))


@with_kind(("s3",), ("azure",), names="")
async def test_a_link_is_good_for_the_object_alone(driver: Driver) -> None:
    await driver.put(KEY, body(b"bytes of a curve"))
    link = await driver.url(KEY, 60)
    assert link is not None
    async with aiohttp.ClientSession() as session:
        async with session.get(link, headers={"Range": "bytes=0-4"}) as answer:
            assert (answer.status, await answer.read()) == (206, b"bytes")
        async with session.get(link.replace("a3f2?", "a3f3?")) as answer:
            assert answer.status == 403
        async with session.put(link, data=b"other", headers={"x-ms-blob-type": "BlockBlob"}) as answer:
            assert answer.status == 403


@with_kind(("s3", f"X-Amz-Expires={WEEK}&"), ("azure", "&spr=https&"), names="said")
async def test_a_link_leads_to_where_clients_are(store: Store, said: str) -> None:
    driver = store.driver(publicendpoint="https://wells.example.org")
    link = await driver.url(KEY, 10**9)
    assert link is not None and link.startswith(f"https://wells.example.org/{BUCKET}/") and said in link
    await driver.close()


@with_kind(
    ("s3", {"secretkey": "wrong"}, "403|SignatureDoesNotMatch"),
    ("s3", {"bucket": "nowhere"}, "no bucket nowhere|NoSuchBucket"),
    ("s3", {"regionendpoint": "http://127.0.0.1:9"}, "127.0.0.1:9"),
    (
        "azure",
        {"accountkey": "d3Jvbmc="},
        "(AuthenticationFailed|AuthorizationFailure): mend storage.azure.accountname",
    ),
    ("azure", {"container": "nowhere"}, "no such container.*storage.azure.container"),
    ("azure", {"serviceurl": "http://127.0.0.1:9"}, "storage.azure.serviceurl"),
    ("gcs", {"endpoint": "http://127.0.0.1:9"}, ": Cannot connect to host 127.0.0.1:9"),
    names="change,message",
)
async def test_a_store_that_cannot_be_used_says_why(store: Store, change: dict[str, Any], message: str) -> None:
    driver = store.driver(**change)
    calls: Sequence[Callable[[], Awaitable[object]]] = (
        driver.check,
        lambda: driver.put(KEY, body(b"x")),
        lambda: driver.open(KEY),
        lambda: keys(driver),
        lambda: driver.stat(KEY),
    )
    try:
        for call in calls[: 4 if "bucket" in change else 5]:  # S3 answers a HEAD without saying what is not there
            with pytest.raises(Unavailable, match=message) as raised:
                await call()
            assert "\n" not in str(raised.value)
    finally:
        await driver.close()
