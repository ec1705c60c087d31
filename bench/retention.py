"""A retention policy over a million tags of one project: time, statements, and the longest that anything is locked.

    python bench/retention.py            1,000,000 tags in 1,000 repositories, the latest 900 of each stay
    python bench/retention.py --tags 50000 --repositories 50 --keep 500

Records alone, in a private PostgreSQL that is gone afterwards. A batch is one transaction: the longest one is the
longest that a push into one of its repositories can wait for it. The choice locks no row that a push touches.
"""

import argparse
import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import msgspec

from dataforge_registry.core.policies.retention import Rule, keeps
from dataforge_registry.core.records import retention
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.embedded import PrivatePostgres
from dataforge_registry.core.records.retention_choice import choose
from dataforge_registry.core.records.schema import migrate
from dataforge_registry.core.work.queue import start
from dataforge_registry.core.work.retention import BATCH
from dataforge_registry.core.work.task import Wanted

FILL = (
    "SET LOCAL session_replication_role = replica",
    "INSERT INTO project (name) VALUES ('p')",
    """INSERT INTO repository (name, project_id) SELECT 'p/well-' || n, (SELECT project_id FROM project)
    FROM generate_series(1, {repositories}) n""",
    """INSERT INTO artifact (type, media_type, manifest_media_type, project_id, repository_id, repository_name, digest,
      size, manifest, push_time, keep_until)
    SELECT 'CURVE', '', '', r.project_id, r.repository_id, r.name, 'sha256:' || encode(sha256(g::text::bytea), 'hex'),
      800, decode(repeat('7b7d', 400), 'hex'), now() - interval '1 minute' * g, now() - interval '2 days'
    FROM generate_series(1, {tags}) g JOIN repository r ON r.repository_id = g % {repositories} + 1""",
    """INSERT INTO tag (repository_id, artifact_id, name, push_time)
    SELECT repository_id, id, 'v' || id, push_time FROM artifact""",
)
EVERY = {"decoration": "matches", "pattern": "**"}


async def filled(dsn: str, tags: int, repositories: int, keep: int) -> None:
    """Fill and measure."""
    database = await Database.open(dsn, size=2, statement_timeout=3600)
    await migrate(database)
    began = time.perf_counter()
    async with database.transaction() as conn:
        for statement in FILL:
            await conn.execute(statement.format(tags=tags, repositories=repositories))
    async with database.acquire() as conn:
        await conn.execute("ANALYZE")
    print(f"{tags} tags in {repositories} repositories, made in {time.perf_counter() - began:.0f} s", flush=True)
    await measured(database, keep)
    await database.close()


async def measured(database: Database, keep: int) -> None:
    """Pick, then remove, and print what each took."""
    rule = {"template": "latestPushedK", "params": {"latestPushedK": keep}, "tag_selectors": [EVERY]}
    async with database.transaction() as conn:
        execution = await start(conn, Wanted(retention.KIND, [{}], 1))
    began = time.perf_counter()
    async with database.transaction() as conn:
        project = await conn.fetchval("SELECT project_id FROM project")
        picked = await choose(conn, project, execution, keeps([msgspec.convert(rule, Rule)]))
    print(f"choice: {time.perf_counter() - began:.1f} s, one statement, {picked} artifacts picked", flush=True)
    batches: list[float] = []
    removed, taken, began = 0, 1, time.perf_counter()
    while taken:
        at = time.perf_counter()
        taken, gone = await retention.remove(database, execution, False, BATCH, False, timedelta(hours=1), "retention")
        batches.append(time.perf_counter() - at)
        removed += gone
    took = time.perf_counter() - began
    batches.sort()
    print(
        f"removal: {removed} in {took:.1f} s ({removed / took:.0f}/s), {len(batches)} statements of up to {BATCH}; "
        f"locks held: median {batches[len(batches) // 2] * 1000:.0f} ms, longest {batches[-1] * 1000:.0f} ms"
    )


def main(tags: int, repositories: int, keep: int) -> None:
    """In a PostgreSQL of its own."""
    with tempfile.TemporaryDirectory(prefix="dfr-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL's user is another than root
        with PrivatePostgres.start(Path(folder)) as server:
            asyncio.run(filled(server.dsn, tags, repositories, keep))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tags", type=int, default=1_000_000)
    parser.add_argument("--repositories", type=int, default=1000)
    parser.add_argument("--keep", type=int, default=900, help="how many of each repository stay")
    given = parser.parse_args()
    main(given.tags, given.repositories, given.keep)
