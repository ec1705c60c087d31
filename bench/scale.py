"""What grows with the number of blobs, and how: bytes of rows, the cost of calls beside them, nodes beside each other.

    python bench/scale.py                    30,000, 300,000 and 3 million blobs; writes the tables of docs/scale.md
    python bench/scale.py --blobs 10000000   another largest amount, with a tenth and a hundredth of it
    python bench/scale.py --quick            50,000 blobs, to see that it runs

About 15 minutes on two cores, 20 GB of disk. PostgreSQL is real and private. heaps.py makes the records (laid rows are
clones of curves that were pushed), calls.py asks them, nodes are in fleet.py; sizing.py says what the figures come to
for other amounts. Needs `make tools` (wrk, go).
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
    "max_wal_size": "8GB",
    "max_connections": "600",
    "autovacuum": "off",
}
"""Vacuum runs when we say so, so that it does not read beside what is counted."""
SIZES = """SELECT t.name, sum(pg_table_size(c.oid))::bigint AS heap, max(x.sizes) AS indexes
FROM unnest($1::text[]) AS t(name)
JOIN pg_class c ON c.relkind = 'r' AND (c.oid = t.name::regclass
  OR c.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = t.name::regclass))
CROSS JOIN LATERAL (SELECT array_agg(pg_relation_size(indexrelid)) AS sizes FROM pg_index WHERE indrelid = c.oid) AS x
GROUP BY 1"""
LARGEST = "artifact_blob_ref"


DOC = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- figures: bench/scale.py writes them -->\n", "<!-- end of figures -->\n"


def say(text: str) -> None:
    print(f"scale: {text}", file=sys.stderr, flush=True)


async def beside(
    database: Database, conn: Sequence[Any], postgres: int, amounts: Sequence[int], times: int
) -> list[sizing.Beside]:
    """Every call beside every amount of records, and at the end of each what rows take."""
    calls = Calls(database, 0)
    await calls.sample()
    statements, laid, found = await heaps.prepare(conn[0]), 0, []
    for amount in amounts:
        curves = amount // heaps.OWN // heaps.IN_WELL * heaps.IN_WELL
        began, spent = time.monotonic(), cpu(postgres)
        await heaps.lay(conn, statements, laid, curves)
        laid = curves
        say(f"{amount:,} blobs laid in {time.monotonic() - began:.0f} s, {cpu(postgres) - spent:.0f} s of CPU")
        rows = {}
        for row in await conn[0].fetch(SIZES, list(heaps.TABLES)):
            count = await conn[0].fetchval(f"SELECT count(*) FROM {row['name']}", timeout=600)
            rows[row["name"]] = sizing.Rows(count, row["heap"], row["indexes"])
        calls = Calls(database, curves)
        await calls.reads(times)
        await calls.writes(times)
        collected = await calls.collect(20 * times)
        found.append(sizing.Beside(amount, curves, calls.costs, collected, rows))
        say(f"{amount:,} blobs measured, {time.monotonic() - began:.0f} s in all")
    return found


async def frozen(conn: Any) -> float:
    """GB a second that a vacuum against wraparound goes through, of the largest table with its indexes."""
    began = time.monotonic()
    await conn.execute(f"VACUUM (FREEZE, DISABLE_PAGE_SKIPPING, INDEX_CLEANUP ON) {LARGEST}", timeout=1800)
    size: int = await conn.fetchval("SELECT pg_total_relation_size($1::regclass)", LARGEST)
    return size / 1e9 / (time.monotonic() - began)


async def of_records(
    postgres: PrivatePostgres, amounts: Sequence[int], times: int
) -> tuple[list[sizing.Beside], float, dict[int, tuple[float, float]]]:
    assert postgres.pid is not None
    database = await Database.open(postgres.dsn, size=1)
    await migrate(database)
    conn = [await asyncpg.connect(postgres.dsn) for _ in range(2)]
    try:
        found = await beside(database, conn, postgres.pid, amounts, times)
        freeze = await frozen(conn[0])
        return found, freeze, await fleet.beats(Calls(database, 1), postgres.pid, (10, 100, 1000), 5 * times)
    finally:
        for each in (*conn, database):
            await each.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blobs", type=int, default=3_000_000, help="the most")
    parser.add_argument("--quick", action="store_true", help="a glance at the least; nothing is written")
    options = parser.parse_args()
    most, times, seconds = (50_000, 20, 2.0) if options.quick else (options.blobs, 100, 8.0)
    amounts = [most] if options.quick else [most // 100, most // 10, most]
    subprocess.run(["go", "build", "-o", str(TOOLS / "load"), "."], cwd=Path(__file__).parent / "load", check=True)
    with tempfile.TemporaryDirectory(prefix="dfr-scale-") as name:
        folder, data = Path(name), Path(name) / "data"
        folder.chmod(0o755)  # the private PostgreSQL runs as another user when this one is root
        with PrivatePostgres.start(data, settings=SETTINGS) as postgres:
            besides, freeze, beats = asyncio.run(of_records(postgres, amounts, times))
            say("one node")
            worked = fleet.worked(postgres, data, folder, besides[-1].curves, seconds)
            say("nodes that nobody asks")
            counts = (1, 2) if options.quick else (1, 2, 4, 8)
            idle = [fleet.idle(postgres, data, folder, count, seconds) for count in counts]
            say("notifications")
            told = {count: asyncio.run(fleet.told(postgres, count, 2 * times)) for count in (1, 10, 100, 400)}
    command = " ".join(("python bench/scale.py", *sys.argv[1:]))
    figures = "\n".join(
        (
            f"`{command}` on {datetime.now(UTC):%Y-%m-%d}: {machine()}.\n",
            sizing.of_amounts(besides[-1], freeze, worked),
            sizing.of_rows(besides[-1]),
            sizing.of_calls(besides),
            sizing.of_work(worked),
            sizing.of_nodes(idle, beats, told),
        )
    )
    print(figures)
    if not options.quick:
        before, after = DOC.read_text().split(BEGIN)[0], DOC.read_text().split(END)[1]
        DOC.write_text(f"{before}{BEGIN}{figures}{END}{after}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
