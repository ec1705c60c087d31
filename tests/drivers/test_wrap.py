"""Prefix keeps registries in one store apart; Faulty fails when and how it was told."""

import time

import pytest

from dataforge_registry.drivers.base import Driver, InvalidKey, NotFound, Unavailable
from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.drivers.wrap import Faulty, Prefix

from .bodies import body, keys, read, staged

pytestmark = pytest.mark.asyncio
ERROR = Unavailable("told to")


async def test_registries_in_one_store_do_not_meet() -> None:
    store = MemoryDriver()
    registries: list[Driver] = [
        Prefix(store, name) for name in ("north", "north/sea", "north,sea", "northern", "/south/")
    ]
    for number, registry in enumerate(registries):
        await registry.put("key", body(b"%d" % number))
        await registry.commit(await staged(registry, b"%d" % number), "committed")
    expected = {
        f"{name}/{key}" for name in ("north/sea", "north,sea", "northern", "south") for key in ("key", "committed")
    }
    assert expected <= set(await keys(store))
    for number, registry in enumerate(registries[1:], 1):
        assert await keys(registry) == ["committed", "key"]
        assert await read(registry, "key") == await read(registry, "committed") == b"%d" % number
        assert (await registry.stat("key")).key == "key"
    for number, registry in enumerate(registries):
        mine = [staging async for staging in registry.stale(time.time() + 60)]
        assert len(mine) == 1, "a sweeper sees its own registry's uploads and no other's"
        assert [await registry.fork(staging) for staging in mine]
        assert len([staging async for staging in registry.stale(time.time() + 60)]) == 2
        await registries[-1].delete("key")
        if number < len(registries) - 1:
            assert await read(registry, "key") == b"%d" % number


@pytest.mark.parametrize("prefix", ["", "/", "..", "a/../b", "uploads", "é" * 60])
async def test_a_prefix_must_be_a_key(prefix: str) -> None:
    with pytest.raises(InvalidKey):
        Prefix(MemoryDriver(), prefix)


async def test_the_nth_call_fails_before_anything_is_done() -> None:
    driver = Faulty(MemoryDriver())
    await driver.put("a", body(b"x"))
    driver.fail("put", ERROR, nth=2)
    await driver.put("b", body(b"x"))
    with pytest.raises(Unavailable, match="told to"):
        await driver.put("c", body(b"x"))
    await driver.put("d", body(b"x"))
    assert await keys(driver) == ["a", "b", "d"]
    assert driver.calls["put"] == 4


async def test_a_call_fails_after_all_is_done() -> None:
    driver = Faulty(MemoryDriver())
    staging = await staged(driver, b"bytes")
    driver.fail("commit", ERROR, after=True)
    with pytest.raises(Unavailable):
        await driver.commit(staging, "key")
    assert await read(driver, "key") == b"bytes"
    driver.fail("open", ERROR, after=True)
    with pytest.raises(Unavailable):
        await driver.open("key")
    assert await read(driver, "key") == b"bytes"


@pytest.mark.parametrize("after", [False, True])
async def test_every_method_fails_on_command(after: bool) -> None:
    driver = Faulty(MemoryDriver())
    staging = await staged(driver, b"bytes")
    await driver.put("key", body(b"x"))

    async def listed() -> None:
        await keys(driver)

    async def swept() -> None:
        async for _ in driver.stale(0.0):
            pass

    calls = {
        "put": lambda: driver.put("key", body(b"x")),
        "put_many": lambda: driver.put_many({"key": b"x"}),
        "open": lambda: driver.open("key"),
        "stat": lambda: driver.stat("key"),
        "delete": lambda: driver.delete("other"),
        "delete_many": lambda: driver.delete_many(["other"]),
        "list": listed,
        "begin": driver.begin,
        "append": lambda: driver.append(staging, body(b"x")),
        "commit": lambda: driver.commit(staging, "key"),
        "fork": lambda: driver.fork(staging),
        "read": lambda: driver.read(staging),
        "abort": lambda: driver.abort(staging),
        "stale": swept,
        "url": lambda: driver.url("key", 60),
        "path": lambda: driver.path("key"),
        "check": driver.check,
        "space": driver.space,
        "close": driver.close,
    }
    assert set(calls) == {name for name in vars(Driver) if not name.startswith("_")}
    for method, call in calls.items():
        driver.fail(method, ERROR, after=after)
        with pytest.raises(Unavailable, match="told to"):
            await call()
    driver.fail("get", ERROR)  # a fault nobody meets changes nothing
    assert await read(driver, "key") == b"x"


@pytest.mark.parametrize("size", [0, 1, 4, 6, 100])
async def test_a_body_is_cut(size: int) -> None:
    driver = Faulty(MemoryDriver())
    kept = await staged(driver, b"kept")
    driver.cut(size, ERROR)
    with pytest.raises(Unavailable):
        await driver.append(kept, body(b"1234", b"5678"))
    grown = await driver.append(kept, body(b"1234", b"5678"))
    driver.cut(size, ERROR)
    with pytest.raises(Unavailable):
        await driver.put("key", body(b"1234"))
    with pytest.raises(NotFound):
        await driver.stat("key")
    await driver.commit(grown, "key")
    assert await read(driver, "key") == b"kept12345678"
