"""The Azure driver where the contract suite cannot look: a store that is strict, slow, or fails in the middle."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from io import BytesIO
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from dataforge_registry.drivers import open_driver
from dataforge_registry.drivers.base import Driver, NotFound, Staging, Unavailable
from dataforge_registry.drivers.parts import size_of

from .azure_proxy import AzureProxy
from .bodies import body, broken, keys, read
from .proxy import proxied
from .stores import BUCKET, Azure, azurite

pytestmark = [pytest.mark.asyncio, pytest.mark.tool("azurite")]
MIB = 1024 * 1024
KEY = "blobs/sha256/a3/f2/a3f2"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is well again at once needs no long pauses."""
    monkeypatch.setattr("dataforge_registry.drivers.azure_calls.PAUSE", 0.02)


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[AzureProxy]:
    """A strict proxy before the store: no rule of the service may be broken."""
    target = await asyncio.to_thread(azurite)
    async with proxied(AzureProxy(target.endpoint.rsplit("/", 1)[0])) as made:
        yield made
    assert made.broken == []


@pytest_asyncio.fixture
async def driver(proxy: AzureProxy) -> AsyncIterator[Driver]:
    """The driver, by way of the proxy."""
    parameters = Azure(f"{proxy.endpoint}/{Azure.accountname}").parameters()
    made = open_driver("azure", parameters | {"chunksize": 5 * MIB})
    yield made
    await made.close()


def pieces(content: bytes, step: int = 300_000) -> AsyncIterator[bytes]:
    return body(*(content[at : at + step] for at in range(0, len(content), step)))


async def uploaded(driver: Driver, content: bytes) -> Staging:
    """Content in objects of the least size, to be joined."""
    return await driver.append(await driver.begin(), pieces(content))


async def uploads(driver: Driver) -> list[Staging]:
    return [staging async for staging in driver.stale(time.time() + 60)]


async def test_a_large_upload_is_joined_within_the_store(driver: Driver, proxy: AzureProxy) -> None:
    content = os.urandom(23 * MIB + 17)
    staging = await driver.append(await driver.begin(), pieces(content[: 12 * MIB]))
    staging = await driver.append(staging, pieces(content[12 * MIB :]))
    await driver.commit(staging, KEY)
    await driver.abort(staging)
    assert await read(driver, KEY) == content
    assert await uploads(driver) == []
    assert proxy.copied >= 3


async def test_a_large_put_that_breaks_leaves_nothing(driver: Driver) -> None:
    with pytest.raises(ConnectionResetError):
        await driver.put(KEY, broken(*[b"x" * MIB] * 13))
    assert (await keys(driver), await uploads(driver)) == ([], [])
    await driver.put(KEY, pieces(b"y" * 13 * MIB))
    assert await read(driver, KEY, 5 * MIB - 1, 5 * MIB + 1) == b"yy"


async def test_joins_at_one_name_do_not_take_each_others_blocks(driver: Driver, proxy: AzureProxy) -> None:
    content = os.urandom(11 * MIB)

    async def push() -> None:
        staging = await uploaded(driver, content)
        await driver.commit(staging, KEY)
        await driver.abort(staging)

    await asyncio.gather(*(push() for _ in range(3)))
    assert await read(driver, KEY) == content
    assert await uploads(driver) == []


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_join_that_was_overtaken_is_done_where_something_is_there(
    driver: Driver, proxy: AzureProxy, deleted: bool
) -> None:
    """The service drops blocks that others staged at a name when somebody commits there."""
    first, second = os.urandom(11 * MIB), os.urandom(11 * MIB)
    one, other = await uploaded(driver, first), await uploaded(driver, second)
    store = driver._store  # type: ignore[attr-defined]
    commit = store._commit

    async def overtaken(name: str, ids: Sequence[str]) -> None:
        store._commit = commit
        await driver.commit(other, KEY)
        if deleted:
            await driver.delete(KEY)
        await commit(name, ids)

    store._commit = overtaken
    if deleted:
        with pytest.raises(Unavailable, match="InvalidBlockList"):
            await driver.commit(one, KEY)
        assert await keys(driver) == []
    else:
        await driver.commit(one, KEY)
        assert await read(driver, KEY) == second
    assert "InvalidBlockList" in proxy.refused


@pytest.mark.parametrize("fault", ["500", "503", "reset", "lost", "slow:0.3"])
async def test_a_passing_fault_is_ridden_out(driver: Driver, proxy: AzureProxy, fault: str) -> None:
    content = os.urandom(11 * MIB)
    proxy.faults[:] = [fault, "", fault]
    staging = await uploaded(driver, content)
    for _ in range(2):
        proxy.faults[:] = [fault, "", fault, "", "", fault]
        await driver.commit(staging, KEY)
        assert await read(driver, KEY) == content
        proxy.faults[:] = [fault, "", fault]
        await driver.delete(KEY)
    proxy.faults[:] = [fault]
    await driver.abort(staging)
    proxy.faults.clear()
    assert (await keys(driver), await uploads(driver)) == ([], [])


@pytest.mark.parametrize("last", [1, 2, 3, 4])
async def test_an_answer_lost_at_any_step_of_a_commit_does_not_break_it(
    driver: Driver, proxy: AzureProxy, last: int
) -> None:
    content = os.urandom(13 * MIB)
    staging = await uploaded(driver, content)
    proxy.only, proxy.faults[:] = "PUT", [*[""] * (last - 1), "lost"]  # two copied blocks, the rest, the list
    await driver.commit(staging, KEY)
    assert proxy.faults == []
    assert await read(driver, KEY) == content


async def test_an_answer_cut_in_the_middle_is_read_on(driver: Driver, proxy: AzureProxy) -> None:
    content = os.urandom(3 * MIB)
    await driver.put(KEY, body(content))
    proxy.only, proxy.faults[:] = "GET", ["cut", "cut"]
    assert await read(driver, KEY, 5) == content[5:]
    assert len([request for request in proxy.requests if request.startswith("GET")]) == 3


async def test_an_answer_that_goes_on_as_another_object_is_an_error(driver: Driver, proxy: AzureProxy) -> None:
    await driver.put(KEY, body(b"a" * MIB))
    proxy.only, proxy.faults[:] = "GET", ["cut"]
    reading = await driver.open(KEY)
    await driver.put(KEY, body(b"b" * MIB))
    with pytest.raises(Unavailable, match="early"):
        b"".join([piece async for piece in reading])


async def test_a_list_that_is_cut_is_asked_for_again(driver: Driver, proxy: AzureProxy) -> None:
    names = [f"many/{number:03}" for number in range(40)]
    await driver.put_many(dict.fromkeys(names, b"x"))
    proxy.only, proxy.faults[:] = "GET", ["cut", "503"]
    assert await keys(driver) == names
    assert proxy.faults == []


async def test_a_storm_ends_in_unavailable(driver: Driver, proxy: AzureProxy) -> None:
    for fault, said in (("503", "ServerBusy"), ("500", "OperationTimedOut"), ("reset", "serviceurl")):
        proxy.faults[:] = [fault] * 50
        with pytest.raises(Unavailable, match=said):
            await driver.put(KEY, body(b"x"))
        with pytest.raises(Unavailable, match=said):
            await driver.open(KEY)
        assert len(proxy.faults) >= 50 - 16  # 2 x TRIES; aiohttp tries once more itself where a connection was kept
    proxy.faults.clear()
    assert await keys(driver) == []


async def test_a_call_ends_at_its_deadline(driver: Driver, proxy: AzureProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataforge_registry.drivers.azure_calls.DEADLINE", 0.5)
    proxy.faults[:] = ["slow:5"]
    with pytest.raises(Unavailable, match="no answer within the time"):
        await driver.stat(KEY)


async def test_names_keep_their_order_whatever_the_service_makes_of_backslashes(driver: Driver) -> None:
    names = ["a/b", "a\\b", "a[b", "a[!b", "a[~b", "a]b", "aZb", "a\\!b", "a\\[b", "a[\\b"]
    await driver.put_many({name: name.encode() for name in names})
    assert await keys(driver) == sorted(names)
    for name in names:
        assert await read(driver, name) == name.encode()
        assert await keys(driver, after=name) == [each for each in sorted(names) if each > name]
        assert await keys(driver, prefix=name) == [each for each in sorted(names) if each.startswith(name)]


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


async def test_a_link_leads_to_where_clients_are() -> None:
    driver = open_driver("azure", Azure("https://10.0.0.9").parameters() | {"publicendpoint": "https://wells.example"})
    link = await driver.url(KEY, 60)
    assert link is not None and link.startswith(f"https://wells.example/{BUCKET}/") and "&spr=https&" in link
    await driver.close()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"accountkey": "d3Jvbmc="},
            "(AuthenticationFailed|AuthorizationFailure): mend storage.azure.accountname and accountkey",
        ),
        ({"container": "nowhere"}, "no such container.*storage.azure.container"),
        ({"serviceurl": "http://127.0.0.1:9"}, "storage.azure.serviceurl"),
    ],
)
async def test_a_store_that_cannot_be_used_says_why(change: dict[str, Any], message: str) -> None:
    store = await asyncio.to_thread(azurite)
    driver = open_driver("azure", store.parameters() | change)
    calls: Sequence[Callable[[], Awaitable[object]]] = (
        driver.check,
        lambda: driver.put(KEY, body(b"x")),
        lambda: driver.open(KEY),
        lambda: driver.stat(KEY),
        lambda: keys(driver),
    )
    try:
        for call in calls:
            with pytest.raises(Unavailable, match=message) as raised:
                await call()
            assert "\n" not in str(raised.value)
    finally:
        await driver.close()


BASE = {"accountname": "a", "container": "c"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "storage.azure.accountname must be the name of an account"),
        ({"accountname": "a"}, "storage.azure.container must be the name of a container"),
        (BASE | {"accountkey": "not base64"}, "accountkey is not base64"),
        (BASE | {"accountkey": "a2V5", "chunksize": 1}, "chunksize must be from 5 MiB to 100 MiB"),
        (BASE | {"accountkey": "a2V5", "serviceurl": "host"}, "serviceurl must begin with https:// or http://"),
        (BASE | {"serviceurl": "http://host"}, "tokens travel by https alone"),
        (BASE | {"accountkey": "a2V5", "rootcertificates": "/nowhere.pem"}, "/nowhere.pem cannot be read"),
        (BASE | {"credentials": {"type": "none"}}, "credentials.type must be one of shared_key, client_secret"),
        (BASE | {"credentials": {"type": "shared_key"}}, "accountkey goes with credentials.type shared_key"),
        (BASE | {"accountkey": "a2V5", "credentials": {"type": "client_secret"}}, "and this is client_secret"),
        (BASE | {"credentials": {"type": "client_secret", "clientid": "x"}}, "client_secret need tenantid"),
        (BASE | {"credentials": {"user": "x"}}, "no parameter 'user'"),
        (BASE | {"bucket": "x"}, "storage.azure has no parameter 'bucket'"),
    ],
)
async def test_a_mistake_in_the_settings_is_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_driver("azure", parameters)


async def test_memory_holds_two_parts(driver: Driver) -> None:
    alive: list[int] = []
    put = driver._store.put  # type: ignore[attr-defined]

    async def slow_put(name: str, content: BytesIO) -> None:
        alive.append(size_of(content))
        await asyncio.sleep(0.05)
        await put(name, content)
        alive.pop()

    most = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal most
        for _ in range(40):
            yield b"x" * MIB
            most = max(most, len(alive))

    driver._store.put = slow_put  # type: ignore[attr-defined]
    await driver.append(await driver.begin(), chunks())
    assert most == 1  # on its way, beside the one that is filled


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
