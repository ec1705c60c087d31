"""The S3 driver where the contract suite cannot look: a store that is strict, slow, or fails in the middle."""

import asyncio
import os
import time
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from dataforge_registry.drivers import open_driver
from dataforge_registry.drivers.base import Driver, NotFound, Staging, Unavailable
from dataforge_registry.drivers.s3_settings import settings_of
from dataforge_registry.drivers.staged import PART

from .bodies import body, broken, keys, read, staged
from .proxy import Proxy, proxied
from .s3_proxy import S3Proxy
from .stores import BUCKET, S3, versitygw

pytestmark = [pytest.mark.asyncio, pytest.mark.tool("versitygw")]
MIB = 1024 * 1024
KEY = "blobs/sha256/a3/f2/a3f2"


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A strict proxy before the store: no rule of S3 may be broken."""
    target = await asyncio.to_thread(versitygw)
    async with proxied(S3Proxy(target.endpoint)) as made:
        yield made
    assert made.broken == []


@pytest_asyncio.fixture
async def driver(proxy: Proxy) -> AsyncIterator[Driver]:
    """The driver, by way of the proxy."""
    made = open_driver("s3", S3(proxy.endpoint).parameters() | {"chunksize": 5 * MIB})
    yield made
    await made.close()


def pieces(content: bytes, step: int = 300_000) -> AsyncIterator[bytes]:
    return body(*(content[at : at + step] for at in range(0, len(content), step)))


async def uploads(driver: Driver) -> list[Staging]:
    return [staging async for staging in driver.stale(time.time() + 60)]


async def test_a_large_upload_is_joined_by_the_rules(driver: Driver, proxy: Proxy) -> None:
    content = os.urandom(23 * MIB + 17)
    staging = await driver.append(await driver.begin(), pieces(content[: 12 * MIB]))
    staging = await driver.append(staging, pieces(content[12 * MIB :]))
    await driver.commit(staging, KEY)
    await driver.abort(staging)
    assert await read(driver, KEY) == content
    assert await uploads(driver) == []
    assert sum("partNumber" in request for request in proxy.requests) >= 3


async def test_a_large_put_that_breaks_leaves_nothing(driver: Driver) -> None:
    with pytest.raises(ConnectionResetError):
        await driver.put(KEY, broken(*[b"x" * MIB] * 13))
    assert (await keys(driver), await uploads(driver)) == ([], [])
    await driver.put(KEY, pieces(b"y" * 13 * MIB))
    assert await read(driver, KEY, 5 * MIB - 1, 5 * MIB + 1) == b"yy"


async def test_many_small_appends_leave_few_objects(driver: Driver) -> None:
    staging, content = await driver.begin(), b""
    for number in range(100):
        content += (chunk := bytes([number]) * 100)
        staging = await driver.append(staging, body(chunk))
    assert len(staging.state["pieces"]) <= 8
    await driver.commit(staging, KEY)
    assert await read(driver, KEY) == content


@pytest.mark.parametrize("fault", ["500", "503", "reset", "lost", "slow:0.3"])
async def test_a_passing_fault_is_ridden_out(driver: Driver, proxy: Proxy, fault: str) -> None:
    content = os.urandom(11 * MIB)
    staging = await driver.append(await driver.begin(), pieces(content))
    for _ in range(3):
        proxy.faults[:] = [fault, "", fault]
        await driver.commit(staging, KEY)
        assert await read(driver, KEY) == content
        proxy.faults[:] = [fault, "", fault]
        await driver.delete(KEY)
    proxy.faults.clear()
    await driver.abort(staging)
    for leftover in await uploads(driver):  # multiparts that were made, and the answer with their id lost
        await driver.abort(leftover)
    assert (await keys(driver), await uploads(driver)) == ([], [])


async def test_an_answer_cut_in_the_middle_is_read_on(driver: Driver, proxy: Proxy) -> None:
    content = os.urandom(3 * MIB)
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


async def test_a_storm_ends_in_unavailable(driver: Driver, proxy: Proxy) -> None:
    proxy.faults[:] = ["503"] * 50
    with pytest.raises(Unavailable, match="SlowDown"):
        await driver.put(KEY, body(b"x"))
    proxy.faults[:] = ["reset"] * 50
    with pytest.raises(Unavailable, match="put_object"):
        await driver.put(KEY, body(b"x"))
    proxy.faults.clear()
    assert await keys(driver) == []


async def test_a_join_that_was_killed_is_swept(driver: Driver) -> None:
    staging = await staged(driver, os.urandom(11 * MIB))
    root = driver._store._root  # type: ignore[attr-defined]
    async with versitygw().client() as client:
        await client.create_multipart_upload(Bucket=BUCKET, Key=f"{root}{KEY}")
    found = await uploads(driver)
    assert {each.id for each in found if each.size} == {staging.id}
    assert len(found) == 2
    assert [each async for each in driver.stale(time.time() - 3600)] == []
    for each in found:
        await driver.abort(each)
    assert await uploads(driver) == []


async def test_a_link_is_good_for_the_object_alone(driver: Driver) -> None:
    await driver.put(KEY, body(b"bytes of a curve"))
    link = await driver.url(KEY, 60)
    assert link is not None
    async with aiohttp.ClientSession() as session:
        async with session.get(link, headers={"Range": "bytes=0-4"}) as answer:
            assert (answer.status, await answer.read()) == (206, b"bytes")
        async with session.get(link.replace("a3f2?", "a3f3?")) as answer:
            assert answer.status == 403


async def test_a_link_leads_to_where_clients_are(proxy: Proxy) -> None:
    store = await asyncio.to_thread(versitygw)
    driver = open_driver("s3", store.parameters() | {"publicendpoint": "https://wells.example.org"})
    link = await driver.url(KEY, 60)
    assert link is not None and link.startswith(f"https://wells.example.org/{BUCKET}/")
    await driver.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"secretkey": "wrong"}, "403|SignatureDoesNotMatch"),
        ({"bucket": "nowhere"}, "no bucket nowhere"),
        ({"regionendpoint": "http://127.0.0.1:9"}, "head_bucket"),
    ],
)
async def test_a_store_that_cannot_be_used_says_why(change: dict[str, Any], message: str) -> None:
    store = await asyncio.to_thread(versitygw)
    driver = open_driver("s3", store.parameters() | change)
    try:
        with pytest.raises(Unavailable, match=message):
            await driver.check()
    finally:
        await driver.close()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "storage.s3.bucket must be the name"),
        ({"bucket": "b", "accesskey": "a"}, "accesskey and secretkey go together"),
        ({"bucket": "b", "v4auth": False}, "v4auth"),
        ({"bucket": "b", "keyid": "k"}, "keyid encrypts nothing"),
        ({"bucket": "b", "chunksize": 1}, "chunksize must be from 5 MiB"),
        ({"bucket": "b", "rootcertificates": "/nowhere.pem"}, "rootcertificates: /nowhere.pem cannot be read"),
    ],
)
async def test_a_mistake_in_the_settings_is_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_driver("s3", parameters)


async def test_what_is_not_said_is_as_distribution_has_it() -> None:
    settings = settings_of({"bucket": "b", "region": "eu-north-1", "accesskey": "a", "secretkey": "s", "encrypt": True})
    assert (settings.root, settings.part, settings.stored["ServerSideEncryption"]) == ("", PART, "AES256")
    assert settings.client["region_name"] == "eu-north-1"
    assert "endpoint_url" not in settings.client


async def test_memory_holds_two_parts() -> None:
    part = 8 * MIB
    store = await asyncio.to_thread(versitygw)
    driver = open_driver("s3", store.parameters() | {"chunksize": part})
    await driver.append(await driver.begin(), body(b"the client is made"))
    tracemalloc.start()
    try:
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        await driver.append(await driver.begin(), zeros(64))
        taken = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
        await driver.close()
    assert taken < 2.5 * part  # a part that grows takes an eighth more; three were held once


async def zeros(count: int) -> AsyncIterator[bytes]:
    """So many MiB, each there when it is asked for."""
    for _ in range(count):
        yield bytes(MIB)


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
