"""What grows with the number of blobs, and how: bytes of rows, the cost of calls beside them, nodes beside each other.

    python bench/scale.py                    100,000, 1 and 10 million blobs: 15 minutes, 15 GB of disk
    python bench/scale.py --quick            100,000 blobs: a minute
    python bench/scale.py --blobs 1000000    another largest amount, with a tenth and a hundredth of it

Writes the tables of docs/scale.md to stdout. PostgreSQL is real and private. What makes the records is in heaps.py (the
laid rows are clones of curves that were pushed), what asks them in calls.py, nodes are in fleet.py, what follows for
other amounts in sizing.py. Needs `make tools` (wrk, go).
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import fleet
import heaps
import sizing
from calls import Calls
from registries import TOOLS, cpu
from report import machine

from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.embedded import PrivatePostgres
from dataforge_registry.core.records.schema import migrate

SETTINGS = {
    "shared_buffers": "2GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "16GB",
    "max_connections": "600",
    "autovacuum": "off",
}
"""Vacuum runs when we say so, so that it does not read beside what is counted."""
SIZES = """SELECT t.name, sum(pg_table_size(c.oid))::bigint AS heap, sum(pg_indexes_size(c.oid))::bigint AS indexes
FROM unnest($1::text[]) AS t(name) JOIN pg_class c ON c.relkind = 'r' AND (c.oid = t.name::regclass
  OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = t.name::regclass)) GROUP BY 1"""
LARGEST = "artifact_blob_ref"


def say(text: str) -> None:
    print(f"scale: {text}", file=sys.stderr, flush=True)


async def beside(
    database: Database, conn: Any, postgres: int, amounts: Sequence[int], times: int
) -> list[sizing.Beside]:
    """Every call beside every amount of records, and at the end of each what rows take."""
    calls = Calls(database, 0)
    await calls.sample()
    statements, laid, found = await heaps.prepare(conn), 0, []
    for amount in amounts:
        curves = amount // heaps.OWN // heaps.IN_WELL * heaps.IN_WELL
        began, spent = time.monotonic(), cpu(postgres)
        await heaps.lay(conn, statements, laid, curves)
        laid = curves
        say(f"{amount:,} blobs laid in {time.monotonic() - began:.0f} s, {cpu(postgres) - spent:.0f} s of CPU")
        calls = Calls(database, curves)
        await calls.reads(times)
        await calls.writes(times)
        collected = await calls.collect(20 * times)
        rows = {}
        for row in await conn.fetch(SIZES, list(heaps.TABLES)):
            count = await conn.fetchval(f"SELECT count(*) FROM {row['name']}", timeout=600)
            rows[row["name"]] = sizing.Rows(count, row["heap"], row["indexes"])
        found.append(sizing.Beside(amount, curves, calls.costs, collected, rows))
        say(f"{amount:,} blobs measured, {time.monotonic() - began:.0f} s in all")
    return found


async def frozen(conn: Any) -> float:
    """GB a second that a vacuum against wraparound goes through, of the largest table with its indexes."""
    began = time.monotonic()
    await conn.execute(f"VACUUM (FREEZE, DISABLE_PAGE_SKIPPING, INDEX_CLEANUP ON) {LARGEST}", timeout=1800)
    return (
        int(await conn.fetchval("SELECT pg_total_relation_size($1::regclass)", LARGEST))
        / 1e9
        / (time.monotonic() - began)
    )


async def of_records(dsn: str, postgres: int, amounts: Sequence[int], times: int) -> tuple[list[sizing.Beside], float]:
    database, conn = await Database.open(dsn, size=1), await asyncpg.connect(dsn)
    try:
        await migrate(database)
        return await beside(database, conn, postgres, amounts, times), await frozen(conn)
    finally:
        await conn.close()
        await database.close()


async def of_beats(dsn: str, counts: Sequence[int], times: int) -> dict[int, Any]:
    database = await Database.open(dsn, size=1)
    try:
        return await fleet.beats(Calls(database, 1), counts, times)
    finally:
        await database.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blobs", type=int, default=10_000_000, help="the most")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    most, times, seconds = (100_000, 20, 2.0) if options.quick else (options.blobs, 200, 8.0)
    amounts = [most] if options.quick else [most // 100, most // 10, most]
    subprocess.run(["go", "build", "-o", str(TOOLS / "load"), "."], cwd=Path(__file__).parent / "load", check=True)
    with tempfile.TemporaryDirectory(prefix="dfr-scale-") as name:
        folder, data = Path(name), Path(name) / "data"
        folder.chmod(0o755)  # the private PostgreSQL runs as another user when this one is root
        with PrivatePostgres.start(data, settings=SETTINGS) as postgres:
            besides, freeze = asyncio.run(of_records(postgres.dsn, postgres.pid or 0, amounts, times))
            say("one node")
            worked = fleet.worked(postgres, data, folder, besides[-1].curves, seconds)
            say("nodes that nobody asks")
            idle = [
                fleet.idle(postgres, data, folder, count, seconds)
                for count in ((1, 2) if options.quick else (1, 2, 4, 8))
            ]
            say("signs of life, notifications")
            beats = asyncio.run(of_beats(postgres.dsn, (10, 100, 1000), times))
            told = {count: asyncio.run(fleet.told(postgres, count, times)) for count in (1, 10, 100, 400)}
    print(f"`python bench/scale.py {' '.join(sys.argv[1:])}` on {datetime.now(UTC):%Y-%m-%d}: {machine()}.\n")
    print(sizing.of_rows(besides[-1]))
    print(sizing.of_calls(besides))
    print(sizing.of_work(worked))
    print(sizing.of_nodes(idle, beats, told))
    print(sizing.of_amounts(besides[-1], freeze, worked))
    return 0


if __name__ == "__main__":
    sys.exit(main())
