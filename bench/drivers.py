"""Why the filesystem driver does its file calls in whole hops and not through aiofiles: the same work both ways.

    python bench/drivers.py [FOLDER]

Durable puts of 8 KiB (16 at a time), appends of 64 MiB in 64 KiB chunks with their SHA-256, reads of 64 KiB (16 at a
time). Folders are made beforehand. Prints a table of medians of short alternating rounds.
FOLDER decides which disk is measured.
"""

import asyncio
import hashlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import aiofiles
import aiofiles.os

from dataforge_registry.drivers.base import Staging
from dataforge_registry.drivers.filesystem import FilesystemDriver

ROUNDS = 15
AT_ONCE = 16
SMALL = os.urandom(8 * 1024)
CHUNK = os.urandom(64 * 1024)
CHUNKS = 1024

sync = aiofiles.os.wrap(getattr(os, "fdatasync", os.fsync))
sync_folder = aiofiles.os.wrap(lambda folder: _sync_folder(folder))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def chunks(chunk: bytes, count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield chunk


class Aiofiles:
    """The same durability, a hop per call."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def put(self, key: str) -> None:
        target = self.root / key
        draft = self.root / f"draft-{uuid4().hex}"
        await aiofiles.os.makedirs(target.parent, exist_ok=True)
        async with aiofiles.open(draft, "wb") as file:
            await file.write(SMALL)
            await file.flush()
            await sync(file.fileno())
        await aiofiles.os.rename(draft, target)
        await sync_folder(target.parent)

    async def append(self) -> None:
        digester = hashlib.sha256()
        async with aiofiles.open(self.root / uuid4().hex, "wb") as file:
            async for chunk in chunks(CHUNK, CHUNKS):
                await file.write(chunk)
                digester.update(chunk)
            await file.flush()
            await sync(file.fileno())

    async def read(self, key: str) -> None:
        async with aiofiles.open(self.root / key, "rb") as file:
            await file.read(len(CHUNK))


class Hops:
    """The driver."""

    def __init__(self, root: Path) -> None:
        self.driver = FilesystemDriver(str(root))

    async def put(self, key: str) -> None:
        await self.driver.put(key, chunks(SMALL, 1))

    async def append(self) -> None:
        staging: Staging = await self.driver.begin()
        staging = await self.driver.append(staging, chunks(CHUNK, CHUNKS), hashlib.sha256())
        await self.driver.abort(staging)

    async def read(self, key: str) -> None:
        async for _ in await self.driver.open(key, 0, len(CHUNK)):
            pass


async def timed(count: int, at_once: int, call: Callable[[int], Awaitable[None]]) -> float:
    """Seconds for count calls, so many at once."""
    turns = iter(range(count))

    async def worker() -> None:
        for turn in turns:
            await call(turn)

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(at_once)))
    return time.perf_counter() - started


async def main(folder: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        root = Path(temporary)
        sides: dict[str, Aiofiles | Hops] = {"aiofiles": Aiofiles(root), "one hop": Hops(root)}
        await Hops(root).driver.put("big", chunks(CHUNK, 32))
        results: dict[tuple[str, str], list[float]] = {}
        for turn in range(-1, ROUNDS):  # round -1 warms up: folders, threads
            for name, side in sides.items():

                async def put(n: int, side: Aiofiles | Hops = side, at: str = f"{turn}-{name[0]}") -> None:
                    await side.put(f"blobs/{n % 4}/{at}-{n}")

                async def append(_: int, side: Aiofiles | Hops = side) -> None:
                    await side.append()

                async def read(_: int, side: Aiofiles | Hops = side) -> None:
                    await side.read("big")

                figures = {
                    "8 KiB puts/s, 1 at once": 50 / await timed(50, 1, put),
                    "8 KiB puts/s, 16 at once": 200 / await timed(200, AT_ONCE, put),
                    "64 MiB append + SHA-256, MiB/s": 64 / await timed(1, 1, append),
                    "64 KiB reads/s, 16 at once": 500 / await timed(500, AT_ONCE, read),
                }
                if turn >= 0:
                    for what, figure in figures.items():
                        results.setdefault((what, name), []).append(figure)
        print(f"{'':32}{'aiofiles':>12}{'one hop':>12}{'ratio':>8}")
        for what in dict.fromkeys(what for what, _ in results):
            old, new = (statistics.median(results[what, name]) for name in sides)
            print(f"{what:32}{old:12.0f}{new:12.0f}{new / old:8.2f}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
