"""Bodies to store, whole and broken, and short ways to read a store."""

import time
from collections.abc import AsyncIterator

from dataforge_registry.drivers.base import Driver, Staging


async def body(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def broken(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise ConnectionResetError("the client is gone")


async def read(driver: Driver, key: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([piece async for piece in await driver.open(key, start, stop)])


async def keys(driver: Driver, prefix: str = "", after: str = "") -> list[str]:
    return [stat.key async for stat in driver.list(prefix, after)]


async def staged(driver: Driver, content: bytes) -> Staging:
    return await driver.append(await driver.begin(), body(content))


async def collect(driver: Driver, staging: Staging) -> bytes:
    return b"".join([piece async for piece in await driver.read(staging)])


def pieces(content: bytes, step: int = 300_000) -> AsyncIterator[bytes]:
    return body(*(content[at : at + step] for at in range(0, len(content), step)))


async def uploads(driver: Driver) -> list[Staging]:
    return [staging async for staging in driver.stale(time.time() + 60)]
