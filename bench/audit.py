"""Pages of a long audit trail, its sealing and its check: python bench/audit.py [--rows 10000000] [--pages 200]

A private PostgreSQL with default settings. With --directory DIR it stays there, and is measured again without being
filled. Rows lie in the months they say, sealed as the worker does; then pages are read one after another.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
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

DAYS = 60
MONTHS = f"""INSERT INTO access_log (username, operation, op_time)
SELECT 'setup', 'create', now() - n * interval '1 day' FROM generate_series(0, {DAYS}) AS n"""
FILL = f"""INSERT INTO access_log (username, project_id, repo_name, repo_tag, operation, resource, resource_type,
  address, request_id, result, op_time)
SELECT 'user' || n % 200, n % 50, 'project' || n % 50 || '/well' || n % 1000 || '/run1/gr', 'v' || n % 9,
  CASE WHEN n % 50000 = 7 THEN 'delete' WHEN n % 10 = 0 THEN 'push' ELSE 'pull' END,
  'sha256:' || repeat('0', 57) || lpad(n::text, 7, '0'),
  CASE WHEN n % 100000 = 57 THEN 'robot' ELSE 'artifact' END, '192.0.2.7', 'r' || n, n % 20000 <> 3,
  now() - interval '{DAYS} days' + n * interval '{DAYS} days' / $2
FROM generate_series($1::int, $1 + $3 - 1) AS n"""
THERE = "SELECT last_value FROM access_log_id"
CHUNK = 200_000


def told(what: str, times: list[float]) -> None:
    times.sort()
    p50, p99 = (1000 * times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.99))
    print(f"{what:44} p50 {p50:7.2f} ms   p99 {p99:7.2f} ms", flush=True)


async def fill(database: Database, rows: int) -> None:
    async with database.acquire() as conn:
        if await conn.fetchval(THERE) > rows:
            return
        await conn.execute(MONTHS)
    await ensure_partitions(database)
    began = time.perf_counter()
    for start in range(0, rows, CHUNK):
        async with database.acquire() as conn:
            await conn.execute(FILL, start, rows, min(CHUNK, rows - start))
    async with database.acquire() as conn:
        await conn.execute("VACUUM ANALYZE access_log")
    print(f"{rows} rows written: {rows / (time.perf_counter() - began):.0f} rows/s", flush=True)


async def seal(database: Database, vault: Vault) -> None:
    sealer = Sealer(database, Signer(KeyRing(database, vault, "i", "s"), vault), every=timedelta(0))
    began, idle, rows = time.perf_counter(), 0, 0
    while idle < 3:
        done = await sealer.step()
        rows, idle = rows + done, 0 if done else idle + 1
    print(f"{rows} rows sealed: {rows / (time.perf_counter() - began):.0f} rows/s", flush=True)


async def measure(database: Database, rows: int, count: int) -> None:
    async def pages(what: str, ask: Callable[[int], Asked], projects: list[int] | None = None) -> None:
        times = []
        for n in range(count):
            asked = ask(n)
            began = time.perf_counter()
            found, _ = await trail.page(database, asked, projects)
            times.append(time.perf_counter() - began)
            assert found, what
        told(what, times)

    def moment() -> datetime:
        return datetime.now(UTC) - timedelta(days=random.uniform(1, DAYS - 1))

    def day() -> str:
        start = moment()
        return f"op_time=[{start:%Y-%m-%dT%H:%M:%S}~{start + timedelta(days=1):%Y-%m-%dT%H:%M:%S}]"

    def user() -> str:
        return f"username=user{random.randrange(200)}"

    for _ in range(20):
        await trail.page(database, Asked(1, 100), None)
    await pages("newest page of 100", lambda _: Asked(1, 100))
    await pages("newest page, sort=-op_time", lambda _: Asked(1, 100, "-op_time"))
    await pages("any page of 100", lambda _: Asked(random.randint(1, rows // 100), 100))
    await pages("of one project, newest", lambda _: Asked(1, 100), [7])
    await pages("of one project, its first 100 pages", lambda n: Asked(n % 100 + 1, 100), [7])
    await pages("of five projects, newest", lambda _: Asked(1, 100), [1, 7, 13, 20, 45])
    await pages("of one user, newest", lambda _: Asked(1, 100, q=user()))
    await pages("a common operation, newest", lambda _: Asked(1, 100, q="operation=push"))
    await pages("a rare operation, newest", lambda _: Asked(1, 100, q="operation=delete"))
    await pages("refused, newest", lambda _: Asked(1, 100, q="operation_result=false"))
    await pages("a rare kind of resource, newest", lambda _: Asked(1, 100, q="resource_type=robot"))
    await pages("of one day", lambda _: Asked(1, 100, q=day()))
    await pages("of one day and user", lambda _: Asked(1, 100, q=f"{day()},{user()}"))
    await pages("of one day and project", lambda _: Asked(1, 100, q=day()), [7])
    await pages("before any moment (keyset)", lambda _: Asked(1, 100, q=f"op_time=[~{moment():%Y-%m-%dT%H:%M:%S}]"))
    await pages(
        "before any moment, of one project (keyset)",
        lambda _: Asked(1, 100, q=f"op_time=[~{moment():%Y-%m-%dT%H:%M:%S}]"),
        [7],
    )
    await pages("below any number (keyset)", lambda _: Asked(1, 100, q=f"id=[~{random.randint(200, rows)}]"))


async def run(url: str, rows: int, count: int, checked: bool) -> None:
    database = await Database.open(url, size=4, statement_timeout=600)
    await migrate(database)
    await fill(database, rows)
    vault = Vault("a master secret for a benchmark, long enough")
    await seal(database, vault)
    await measure(database, rows, count)
    if checked:
        began = time.perf_counter()
        done = await check(database, vault)
        wrong = [each for each in done.findings if "older than rows" not in each]  # written now, of many days
        print(
            f"{done.rows} rows checked, {wrong or 'as sealed'}: {done.rows / (time.perf_counter() - began):.0f} rows/s"
        )
    await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--directory", type=Path, help="where the database stays; else it goes")
    parser.add_argument("--no-check", action="store_true")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = given.directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
        postgres = stack.enter_context(PrivatePostgres.start(folder))
        asyncio.run(run(postgres.dsn, given.rows, given.pages, not given.no_check))


if __name__ == "__main__":
    main()
