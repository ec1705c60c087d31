"""Pages of a long audit trail, its sealing and its check: python bench/audit.py [--rows 10000000] [--pages 300]

A private PostgreSQL with default settings, in --directory. Rows are written at once, sealed as the worker does, then
pages are read one after another at random places; with conditions, first pages.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from dataforge_registry.core.records import trail
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.embedded import PrivatePostgres
from dataforge_registry.core.records.listing import Asked
from dataforge_registry.core.records.partitions import ensure_partitions
from dataforge_registry.core.records.schema import migrate
from dataforge_registry.core.sealing import Signer
from dataforge_registry.core.secrets import Vault
from dataforge_registry.core.signing import KeyRing
from dataforge_registry.core.work.audit_check import check
from dataforge_registry.core.work.sealer import Sealer

FILL = """INSERT INTO access_log (username, project_id, repo_name, repo_tag, operation, resource, address, request_id,
  op_time)
SELECT 'user' || n % 200, n % 50, 'project' || n % 50 || '/well' || n % 1000 || '/run1/gr', 'v' || n % 9,
  CASE WHEN n % 10 = 0 THEN 'push' ELSE 'pull' END, 'sha256:' || repeat('0', 57) || lpad(n::text, 7, '0'),
  '192.0.2.7', 'r' || n,
  now() - interval '60 days' + n * interval '60 days' / $2
FROM generate_series($1::int, $1 + $3 - 1) AS n"""
CHUNK = 200_000


def told(what: str, times: list[float]) -> None:
    times.sort()
    p50, p99 = (1000 * times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.99))
    print(f"{what:44} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms", flush=True)


async def pages(database: Database, asked: Sequence[Asked], projects: list[int] | None = None) -> list[float]:
    times = []
    for each in asked:
        began = time.perf_counter()
        await trail.page(database, each, projects)
        times.append(time.perf_counter() - began)
    return times


async def measure(url: str, rows: int, count: int) -> None:
    database = await Database.open(url, size=4, statement_timeout=600)
    await migrate(database)
    await ensure_partitions(database)
    for start in range(0, rows, CHUNK):
        async with database.acquire() as conn:
            await conn.execute(FILL, start, rows, min(CHUNK, rows - start))
    await ensure_partitions(database)
    async with database.acquire() as conn:
        await conn.execute("VACUUM ANALYZE access_log")
    vault = Vault("a master secret for a benchmark, long enough")
    sealer = Sealer(database, Signer(KeyRing(database, vault, "i", "s"), vault), every=timedelta(0))
    began, idle = time.perf_counter(), 0
    while idle < 3:
        idle = 0 if await sealer.step() else idle + 1
    print(f"{rows} rows sealed: {rows / (time.perf_counter() - began):.0f} rows/s", flush=True)
    last = rows // 100
    await pages(database, [Asked(1, 100)] * 20)
    told("newest page of 100", await pages(database, [Asked(1, 100)] * count))
    told("any page of 100", await pages(database, [Asked(random.randint(1, last), 100) for _ in range(count)]))
    told("of one project, first 100 pages", await pages(database, [Asked(n % 100 + 1, 100) for n in range(count)], [7]))
    asked = [Asked(1, 100, q=f"username=user{random.randrange(200)}") for _ in range(count // 10)]
    told("of one user, whole trail", await pages(database, asked))
    began = time.perf_counter()
    done = await check(database, vault)
    print(
        f"{done.rows} rows checked, {len(done.findings)} findings: "
        f"{done.rows / (time.perf_counter() - began):.0f} rows/s"
    )
    await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--directory", type=Path, default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.directory) as folder:
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        with PrivatePostgres.start(Path(folder)) as postgres:
            asyncio.run(measure(postgres.dsn, given.rows, given.pages))


if __name__ == "__main__":
    main()
