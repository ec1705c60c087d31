"""What grows with the number of blobs: rows, bytes of the database, and the time of a push and of a pull beside them.

    python bench/scale.py                    10,000 to 3,000,000 blobs, about 10 minutes
    python bench/scale.py --blobs 300000

One server on files. Between the measures the records of ever more artifacts are laid, in rows as pushes leave them: a
manifest of 600 bytes under a tag, with a config and two layers, in repositories of 1,000. The same pushes and pulls are
measured beside each amount. docs/scale.md draws the line on to 10^9.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
from measures import QUICK, Scale, rate, seed
from registries import Registry, ours

from dataforge_registry.core.records.embedded import PrivatePostgres

EACH, MANIFEST = 1000, 600
TABLES = (
    "artifact_blob", "repository_blob", "project_blob", "artifact", "artifact_blob_ref", "tag", "tag_history",
)  # fmt: skip
NAMES = "'scale/r' || lpad(n::text, 9, '0')"
LAY = (
    f"""INSERT INTO repository (name, project_id)
        SELECT {NAMES}, project_id FROM generate_series($1::bigint / {EACH}, ($2::bigint - 1) / {EACH}) n, project
        WHERE project.name = 'scale'""",
    """CREATE TEMP TABLE laid AS
       SELECT n, k, 'sha256:' || encode(sha256((n * 4 + k)::text::bytea), 'hex') AS digest
       FROM generate_series($1::bigint, $2::bigint - 1) n, generate_series(0, 3) k""",
    """INSERT INTO artifact_blob (digest, size, state, keep_until)
       SELECT digest, 20000, 'live', now() FROM laid WHERE k < 3""",
    f"""CREATE TEMP TABLE homed AS
        SELECT laid.n, k, digest, r.repository_id, r.project_id, r.name, b.id AS blob_id
        FROM laid JOIN repository r ON r.name = 'scale/r' || lpad((laid.n / {EACH})::text, 9, '0')
        LEFT JOIN artifact_blob b USING (digest)""",
    """INSERT INTO repository_blob (repository_id, project_id, blob_id, keep_until)
       SELECT repository_id, project_id, blob_id, now() FROM homed WHERE k < 3""",
    "INSERT INTO project_blob (project_id, blob_id, size) SELECT project_id, blob_id, 20000 FROM homed WHERE k < 3",
    f"""INSERT INTO artifact (type, media_type, manifest_media_type, project_id, repository_id, repository_name, digest,
          size, manifest, keep_until)
        SELECT 'IMAGE', 'application/vnd.oci.image.config.v1+json', 'application/vnd.oci.image.manifest.v1+json',
          project_id, repository_id, name, digest, {MANIFEST},
          decode(repeat(md5(digest), {MANIFEST} / 16), 'hex'), now()
        FROM homed WHERE k = 3""",
    """INSERT INTO artifact_blob_ref (artifact_id, repository_id, digest, blob_digest, link_id)
       SELECT a.id, a.repository_id, a.digest, b.digest, l.id
       FROM homed m JOIN artifact a ON a.repository_id = m.repository_id AND a.digest = m.digest
       JOIN homed b ON b.n = m.n AND b.k < 3
       JOIN repository_blob l ON l.repository_id = b.repository_id AND l.blob_id = b.blob_id WHERE m.k = 3""",
    """INSERT INTO tag (repository_id, artifact_id, name)
       SELECT a.repository_id, a.id, 't' || m.n FROM homed m
       JOIN artifact a ON a.repository_id = m.repository_id AND a.digest = m.digest WHERE m.k = 3""",
    """INSERT INTO tag_history (repository_id, name, to_digest, username)
       SELECT repository_id, 't' || n, digest, 'scale' FROM homed WHERE k = 3""",
    "DROP TABLE laid, homed",
)
STEP = 100_000
"""Artifacts that are laid in one transaction."""


async def lay(conn: Any, start: int, stop: int) -> None:
    """The records of artifacts [start, stop), with statistics as autovacuum would leave them."""
    await conn.execute("SELECT repository_make('scale', 'scale/first', true, 'bench', '', '')")
    for first in range(start, stop, STEP):
        span = (first, min(stop, first + STEP))
        async with conn.transaction():
            await conn.execute("SET LOCAL session_replication_role = replica")  # no look-up of each foreign key
            for statement in LAY:
                await conn.execute(statement, *(span if "$1" in statement else ()))
    for table in TABLES:
        await conn.execute(f"VACUUM ANALYZE {table}")


async def sizes(conn: Any) -> dict[str, tuple[int, int]]:
    """Rows, and bytes with indexes, of each table."""
    return {
        table: (
            await conn.fetchval(f"SELECT count(*) FROM {table}"),
            await conn.fetchval("SELECT pg_total_relation_size($1::regclass)", table),
        )
        for table in TABLES
    }


def on(folder: Path, work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def connected(dsn: str) -> Any:
        conn = await asyncpg.connect(dsn)
        try:
            return await work(conn)
        finally:
            await conn.close()

    with PrivatePostgres.start(folder) as postgres:
        return asyncio.run(connected(postgres.dsn))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blobs", type=int, default=3_000_000, help="the most")
    most = parser.parse_args().blobs
    amounts = [amount for amount in (10_000, 100_000, 1_000_000, 3_000_000, 10_000_000) if amount < most] + [most]
    with tempfile.TemporaryDirectory(prefix="dfr-scale-") as name:
        folder = Path(name) / "r"
        Path(name).chmod(0o755)
        registry = Registry(ours("granian", 1), folder)
        try:
            subject = seed(registry, Scale(4, 300, QUICK.big, 1000), Path(name))
            print("| blobs | artifacts | database, GB | push p50 / p99, ms | pushes /s | manifest GET /s | HEAD /s |")
            print("|---|---|---|---|---|---|---|")
            laid = 0
            for amount in amounts:
                stop = amount // 3
                on(folder, lambda conn, first=laid, last=stop: lay(conn, first, last))
                laid = stop
                pushed = subject.load("push", repo="bench/small", c=16, seconds=8)
                one = subject.load("push", repo="bench/one", c=1, seconds=4)
                size = on(folder, lambda conn: conn.fetchval("SELECT pg_database_size(current_database())"))
                reads = (subject.wrk("tag", 16), subject.head("blob", 16))
                print(
                    f"| {amount:,} | {stop:,} | {size / 1e9:.2f} | {one['p50']:.1f} / {one['p99']:.1f}"
                    f" | {rate(pushed):.0f} | {reads[0]:,.0f} | {reads[1]:,.0f} |",
                    flush=True,
                )
            print("\n| table | rows | bytes a row, indexes included |\n|---|---|---|")
            for table, (rows, size) in on(folder, sizes).items():
                print(f"| {table} | {rows:,} | {size / rows:.0f} |")
        finally:
            registry.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
