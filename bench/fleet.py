"""Nodes beside each other over one database: what each costs it while nobody asks, and what grows with their number."""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import asyncpg
import heaps
from calls import Calls
from measures import QUICK, Subject
from registries import Kind, Registry, cpu, ours

from dataforge_registry.core.records import nodes
from dataforge_registry.core.records.embedded import PrivatePostgres

COUNTED = """SELECT d.xact_commit + d.xact_rollback AS transactions, pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS wal,
  (SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'dataforge%') AS connections
FROM pg_stat_database d WHERE datname = current_database()"""
READ = 20_000
"""Records that the readers take at random."""
CHANNEL = "ch_pgqueuer"


class Idle(NamedTuple):
    """So many nodes that nobody asks: connections, and a second's transactions, kB of log and CPU ms of PostgreSQL."""

    nodes: int
    connections: int
    transactions: float
    log: float
    cpu: float


class Work(NamedTuple):
    """One kind of request to one node: answers a second, CPU ms of the node and of PostgreSQL for each."""

    name: str
    rate: float
    node: float
    postgres: float


def on(data: Path) -> Kind:
    """A node of one process over a database that others use too."""
    kind = ours("granian", 1)
    return Kind(kind.name, True, kind.program, lambda folder, address: kind.command(data, address), (), "", kind.ready)


@contextmanager
def serving(data: Path, folder: Path, count: int) -> Iterator[list[Registry]]:
    running: list[Registry] = []
    try:
        for n in range(count):
            running.append(Registry(on(data), Path(tempfile.mkdtemp(dir=folder)) / f"{n}"))
        yield running
    finally:
        for each in running:
            each.stop()


def idle(postgres: PrivatePostgres, data: Path, folder: Path, count: int, seconds: float) -> Idle:
    """Real nodes, left alone."""
    assert postgres.pid is not None
    with serving(data, folder, count):
        time.sleep(seconds / 2)
        before, spent = counted(postgres.dsn), cpu(postgres.pid)
        time.sleep(seconds)
        after, spent = counted(postgres.dsn), cpu(postgres.pid) - spent
    moved = [(b - a) / seconds for a, b in zip(before, after, strict=True)]
    return Idle(count, int(after[2]), moved[0], moved[1] / 1000, spent / seconds * 1000)


def counted(dsn: str) -> list[float]:
    async def ask() -> list[float]:
        conn = await asyncpg.connect(dsn)
        try:
            return [float(value) for value in await conn.fetchrow(COUNTED)]
        finally:
            await conn.close()

    return asyncio.run(ask())


async def beats(calls: Calls, postgres: int, counts: Sequence[int], times: int) -> dict[int, tuple[float, float]]:
    """The sign of life of one node among so many, which also counts them: CPU ms of PostgreSQL, and blocks."""
    costs = {}
    for count in counts:
        async with calls.database.acquire() as conn:
            await conn.execute("TRUNCATE node")
            made = [(uuid4(), f"node:{n}", 1, True) for n in range(count)]
            await conn.copy_records_to_table("node", records=made, columns=["node_id", "host", "schema", "serves"])
            await conn.execute("VACUUM ANALYZE node")

        async def beat(n: int, among: int = count, made: Any = made) -> None:
            node = nodes.Node(*made[n % among])
            await calls.database.run(lambda conn: nodes.beat(conn, node))

        spent = cpu(postgres)
        await calls.measure("beat", times, beat)
        costs[count] = (cpu(postgres) - spent) * 1000 / times, calls.costs["beat"].blocks
    async with calls.database.acquire() as conn:
        await conn.execute("TRUNCATE node")
    return costs


async def told(postgres: PrivatePostgres, listeners: int, times: int) -> tuple[float, float]:
    """One notification to so many sessions that listen: ms until the last one has it, CPU ms of PostgreSQL."""
    assert postgres.pid is not None
    speaker = await asyncpg.connect(postgres.dsn)
    waiting = [await asyncpg.connect(postgres.dsn) for _ in range(listeners)]
    heard: asyncio.Queue[None] = asyncio.Queue()
    try:
        for each in waiting:
            await each.add_listener(CHANNEL, lambda *_: heard.put_nowait(None))
        spent, began = cpu(postgres.pid), time.monotonic()
        for _ in range(times):
            await speaker.execute("SELECT pg_notify($1, 'x')", CHANNEL)
            for _ in range(listeners):
                await heard.get()
        return (time.monotonic() - began) * 1000 / times, (cpu(postgres.pid) - spent) * 1000 / times
    finally:
        for each in (speaker, *waiting):
            await each.close()


def worked(postgres: PrivatePostgres, data: Path, folder: Path, curves: int, seconds: float) -> list[Work]:
    """What one node does beside the laid records."""
    assert postgres.pid is not None
    database, done, dice = postgres.pid, [], random.Random(1)
    with serving(data, folder, 1) as (registry,):
        subject = Subject(registry, QUICK)
        for kind in ("tag", "blob"):
            subject.paths[kind] = folder / f"{kind}.paths"
            with subject.paths[kind].open("w") as paths:
                for name, c in (heaps.laid(dice.randrange(curves)) for _ in range(READ)):
                    what = "manifests/latest" if kind == "tag" else f"blobs/{heaps.hashed('b', c * heaps.OWN)}"
                    paths.write(f"/v2/{name}/{what}\n")
        reads = {"c": 16, "seconds": seconds, "accept": "*/*"}
        for name, work, given in (
            ("manifest HEAD by tag", "head", reads | {"path": subject.paths["tag"]}),
            ("manifest GET by tag", "wrk", {}),
            ("blob HEAD", "head", reads | {"path": subject.paths["blob"]}),
            ("small artifact pushed", "push", {"repo": "bench/small", "c": 16, "seconds": seconds}),
        ):
            before = cpu(registry.process), cpu(database), time.monotonic()
            count = subject.wrk("tag", 16) * QUICK.seconds if work == "wrk" else subject.load(work, **given)["count"]
            took = time.monotonic() - before[2]
            spent = cpu(registry.process) - before[0], cpu(database) - before[1]
            done.append(Work(name, count / took, spent[0] * 1000 / count, spent[1] * 1000 / count))
    return done
