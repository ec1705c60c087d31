"""Fifteen questions to a catalogue of 1,392 wells, 345,000 curves and 829,000 versions, by our own functions.

    python bench/catalogue.py                  in a private PostgreSQL that is gone afterwards
    python bench/catalogue.py --keep FOLDER    there, filled the first time and asked again from then on

Names, depths and statistics are made up after real logs: two fifths of the curves are of a known family, a tenth are
nearly empty, values and depths follow the family. Best of many calls each, in ms: what the server says that it planned
and ran (EXPLAIN ANALYZE, in the mode of the call), the question alone over and over, as curves.md measured it, and the
whole call, with the rights of who asks before it and the rows that the answer shows behind it.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import inf
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console
from rich.table import Table

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.records import catalog_search, catalog_versions, catalog_wells
from dataforge_registry.core.records.catalog import Asker
from dataforge_registry.core.records.catalog_search import Search
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.embedded import PrivatePostgres
from dataforge_registry.core.records.schema import migrate
from dataforge_registry.core.search import parse_query

WELLS, CURVES, PROJECTS = 1392, 345_000, 12
ROUNDS, RUNS = 10, 5
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON)"
Asked = tuple[str, Sequence[Any]]
"""A statement and its arguments."""
MADE = f"""
SET session_replication_role = replica; SET synchronous_commit = off; SELECT setseed(0.4);
INSERT INTO project (name, metadata) SELECT 'p' || n, '{{"public": "true"}}' FROM generate_series(1, {PROJECTS}) n;
INSERT INTO well (project_id, name, name_norm, uwi, uwi_norm)
  SELECT n % {PROJECTS} + 1, n / 9 || '/' || n % 9 || '-' || n || ' A', 'w' || n || 'a', 'U' || n, 'u' || n
  FROM generate_series(1, {WELLS}) n;
INSERT INTO well_slug SELECT project_id, 'w' || id, id FROM well;
CREATE TEMP TABLE kind (n int, mnemonic text, family text, unit text, low float8, high float8);
INSERT INTO kind VALUES (0, 'GR', 'gamma_ray', 'gAPI', 5, 160), (1, 'RHOB', 'bulk_density', 'g/cm3', 1.8, 2.9),
  (2, 'NPHI', 'neutron_porosity', 'v/v', 0, 0.5), (3, 'RT', 'resistivity_deep', 'ohm.m', 0.2, 900),
  (4, 'DT', 'sonic_compressional', 'us/ft', 45, 170), (5, 'CALI', 'caliper', 'in', 6, 20),
  (6, 'SP', 'spontaneous_potential', 'mV', -90, 80), (7, 'PEF', 'photoelectric_factor', 'b/e', 1, 12),
  (8, 'DTS', 'sonic_shear', 'us/ft', 80, 300), (9, 'DRHO', 'density_correction', 'g/cm3', -0.2, 0.3);
CREATE TEMP TABLE made AS
  SELECT g AS id, g % {WELLS} + 1 AS well_id, (g % {WELLS} + 1) % {PROJECTS} + 1 AS project_id, g / {WELLS} AS nth,
    coalesce(k.mnemonic, 'X' || g / {WELLS} * 7 % 1900) AS mnemonic, k.family,
    CASE WHEN k.family = 'gamma_ray' AND random() < 0.1 THEN 'API' ELSE coalesce(k.unit, 'u' || g % 190) END AS unit,
    coalesce(k.low, 0) AS low, coalesce(k.high, 1000) AS high,
    round((random() * 4000)::numeric, 1) AS top, round((50 + random() * random() * 2500)::numeric, 1) AS length,
    (ARRAY[0.1524, 0.1, 0.5, 0.05, NULL, 0.1524])[1 + floor(random() * 6)::int] AS step,
    CASE WHEN random() < 0.1 THEN 0.9 + random() / 10 ELSE random() * random() END AS nulls,
    CASE WHEN random() < 0.02 THEN 3 WHEN random() < 0.3 THEN 1 ELSE 0 END AS severity,
    floor(random() * 3.8)::int AS more, random() AS luck
  FROM generate_series(0, {CURVES} - 1) g LEFT JOIN kind k ON k.n = g / {WELLS} % 25;
UPDATE made SET id = id + 1;
ANALYZE made;
INSERT INTO repository (repository_id, name, project_id) OVERRIDING SYSTEM VALUE
  SELECT id, 'p' || project_id || '/w' || well_id || '/f' || nth / 20 || '/c' || id, project_id FROM made;
CREATE TEMP TABLE version AS
  SELECT row_number() OVER (ORDER BY v, m.id) AS id, m.id AS curve_id, v,
    timestamptz '2020-01-01' + (v + random()) * interval '300 days' AS pushed, random() AS luck
  FROM made m CROSS JOIN generate_series(1, 1 + m.more) v;
ANALYZE version;
INSERT INTO artifact (id, type, media_type, manifest_media_type, project_id, repository_id, repository_name, digest,
    size, manifest, keep_until) OVERRIDING SYSTEM VALUE
  SELECT v.id, 'CURVE', 'c', 'm', m.project_id, m.id, 'r', 'sha256:' || encode(sha256(v.id::text::bytea), 'hex'), 1, '',
    now() FROM version v JOIN made m ON m.id = v.curve_id;
INSERT INTO curve_version (id, curve_id, project_id, version, values_id, index_id, dtype, width, samples, index_kind,
    index_unit, first_index, last_index, idx_range, step, null_fraction, family, unit, unit_canonical, vmin, vmax,
    vmean, vstd, p01, p05, p50, p95, p99, created, pushed, changed, author, operation, verdict, qc_severity)
  SELECT v.id, m.id, m.project_id, v.v, sha256((m.id % 270000 || '.' || v.v)::bytea), sha256(m.well_id::text::bytea),
    'float32', 1, m.length / coalesce(m.step, 0.2), 'MD', 'm', m.top::text, (m.top + m.length)::text,
    numrange(m.top, m.top + m.length, '[]'), m.step, m.nulls, m.family, m.unit, m.unit, m.low,
    m.low + (m.high - m.low) * (0.5 + v.luck * v.luck * 1.8), (m.low + m.high) / 2, (m.high - m.low) / 6, m.low, m.low,
    m.low + (m.high - m.low) * m.luck, m.high, m.high, v.pushed, v.pushed, v.pushed, 'a' || m.id % 40,
    CASE WHEN v.v = 1 THEN 'import' ELSE 'despike' END, 'good', m.severity
  FROM version v JOIN made m ON m.id = v.curve_id;
ANALYZE curve_version;
INSERT INTO curve (id, project_id, well_id, frame, frame_norm, frame_slug, mnemonic, mnemonic_norm, latest_version_id,
    family, unit, unit_canonical, index_kind, samples, null_fraction, idx_range, step, vmin, vmax, p50, pushed, verdict,
    qc_severity)
  SELECT m.id, m.project_id, m.well_id, 'F' || nth / 20, 'f' || nth / 20, 'f' || nth / 20, m.mnemonic,
    lower(m.mnemonic), v.id, v.family, v.unit, v.unit_canonical, v.index_kind, v.samples, v.null_fraction, v.idx_range,
    v.step, v.vmin, v.vmax, v.p50, v.pushed, v.verdict, v.qc_severity
  FROM made m JOIN version l ON l.curve_id = m.id AND l.v = 1 + m.more JOIN curve_version v ON v.id = l.id;
INSERT INTO tag (repository_id, artifact_id, name) SELECT id, latest_version_id, 'latest' FROM curve;
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the filled database here")
    keep = parser.parse_args().keep
    with tempfile.TemporaryDirectory(prefix="dfr-bench-") as folder:
        Path(folder).chmod(0o755)  # the private PostgreSQL runs as another user when this one is root
        with PrivatePostgres.start(keep or Path(folder) / "data", durable=False) as postgres:
            asyncio.run(run(postgres.dsn))
    return 0


async def run(dsn: str) -> None:
    """Make the catalogue in a database that has none, and ask."""
    database = await Listening.open(dsn, size=2, statement_timeout=600)
    try:
        await migrate(database)
        if not await database.run(lambda conn: conn.fetchval("SELECT count(*) FROM well")):
            await fill(database)
        await report(database)
    finally:
        await database.close()


async def fill(database: Database) -> None:
    """The catalogue, and statistics about it."""
    start = time.perf_counter()
    async with database.direct() as conn:
        await conn.execute(MADE)
        await conn.execute("VACUUM ANALYZE")
        versions = await conn.fetchval("SELECT count(*) FROM curve_version")
        size = await conn.fetchval("SELECT pg_database_size(current_database())")
    took = time.perf_counter() - start
    print(f"{WELLS:,} wells, {CURVES:,} curves, {versions:,} versions, {size >> 20} MB, made in {took:.0f} s")


class Listening(Database):
    """A database that knows the last question asked of it."""

    asked: Asked = ("", ())

    async def ask(self, statement: str, *args: Any, patience: float, behind: bool = False) -> list[asyncpg.Record]:
        self.asked = statement, args
        return await super().ask(statement, *args, patience=patience, behind=behind)


@dataclass
class Question:
    """What is asked, the call, and what curves.md measured, in ms; kept: the question within a call that is one
    statement, whose plan is made once a connection. The best of all runs, in ms; pages: of the buffers, of one run."""

    said: str
    ask: Callable[[], Awaitable[list[object]]]
    expected: float
    kept: Asked | None = None
    rows: int = 0
    pages: int = 0
    plan: float = inf
    run: float = inf
    question: float = inf
    call: float = inf

    async def time(self, database: Listening) -> None:
        """The call, the question and what the server says of it, each a few times more."""
        for _ in range(RUNS):
            took, rows = await timed(self.ask)
            self.call, self.rows = min(self.call, took), len(rows)
        statement, args = self.kept or database.asked
        for _ in range(RUNS):
            took, _ = await timed(lambda: self._alone(database, statement, args))
            self.question = min(self.question, took)
        for _ in range(RUNS):
            ((told,),) = await database.ask(f"{EXPLAIN} {statement}", *args, patience=60)
            (said,) = json.loads(told)
            self.plan = 0.0 if self.kept else min(self.plan, said["Planning Time"])
            self.run, self.pages = min(self.run, said["Execution Time"]), said["Plan"]["Shared Hit Blocks"]

    async def _alone(self, database: Database, statement: str, args: Sequence[Any]) -> list[asyncpg.Record]:
        if not self.kept:
            return await database.ask(statement, *args, patience=60)
        async with database.acquire() as conn:
            return await conn.fetch(statement, *args)


async def timed(ask: Callable[[], Awaitable[list[Any]]]) -> tuple[float, list[Any]]:
    """Milliseconds, and the answer."""
    start = time.perf_counter()
    answer = await ask()
    return (time.perf_counter() - start) * 1e3, answer


async def report(database: Listening) -> None:
    """The table."""
    asked, trip = await questions(database), inf
    for _ in range(ROUNDS):  # so that a busy moment of the machine is not all of one question
        for question in asked:
            await question.time(database)
        for _ in range(RUNS):
            trip = min(trip, (await timed(lambda: database.ask("SELECT 1", patience=60)))[0])
    table = Table("#", "question", "rows", "pages", "plan", "run", "question", "curves.md", "times", "call", title="ms")
    for number, one in enumerate(asked, 1):
        took = (f"{ms:.2f}" for ms in (one.plan, one.run, one.question))
        times = f"{one.question / one.expected:.1f}"
        table.add_row(
            str(number), one.said, f"{one.rows}", f"{one.pages}", *took, f"{one.expected:g}", times, f"{one.call:.2f}"
        )
    table.caption = f"of each question {trip:.2f} is the round trip of a statement that asks nothing"
    Console(width=120).print(table)


async def questions(database: Database) -> list[Question]:
    """The fifteen, in the order of curves.md section 4."""
    everybody = Asker(SYSTEM)
    one = Asker(SYSTEM, "p3")
    values = await database.run(lambda conn: conn.fetchval("SELECT values_id FROM curve_version LIMIT 1"))

    def search(q: str, asker: Asker = everybody, **more: object) -> Callable[[], Awaitable[list[object]]]:
        return lambda: catalog_search.search(database, asker, Search(parse_query(q), **more))  # type: ignore[arg-type]

    def counts(q: str, name: str) -> Callable[[], Awaitable[list[object]]]:
        return lambda: catalog_search.counts(database, everybody, Search(parse_query(q)), name, 2000)

    families = ["gamma_ray", "bulk_density", "neutron_porosity", "resistivity_deep"]
    inside = (Decimal(2000), Decimal(2500))
    since = datetime(2022, 12, 1, tzinfo=UTC)
    return [
        Question("GR of one well, latest", search("well=w700a,mnemonic=GR"), 0.6),
        Question(
            "four families over 2000-2500 m",
            lambda: catalog_wells.wells(database, one, families=families, covering=inside),
            1.4,
        ),
        Question("well by sloppy name", lambda: catalog_wells.wells(database, one, name="W-710 a"), 0.4),
        Question("mnemonic prefix RHO", search("mnemonic=RHO*"), 0.4),
        Question("overlapping 3000-3010 m", search("", overlap=(Decimal(3000), Decimal(3010))), 0.5),
        Question("GR with max > 300 anywhere", search("family=gamma_ray,max=[300~]", limit=1000), 24),
        Question("units used for a family", counts("family=gamma_ray", "unit"), 6.4),
        Question("same values anywhere", search(f"values_id=sha256:{values.hex()}", everything=True), 0.2),
        Question(
            "version history of a curve",
            lambda: catalog_versions.versions(database, Asker(SYSTEM, "p6"), "p6/w701/f0/c701", None, 100),
            0.2,
            (f"SELECT id, version FROM ({catalog_versions.history('$1', '$2', '$3')}) AS v", (701, 2**63 - 1, 100)),
        ),
        Question(
            "what changed since a date", lambda: catalog_versions.changes(database, everybody, since, 0, 100), 0.2
        ),
        Question("QC errors per well, all", counts("severity=[3~]", "well"), 246),
        Question("curves > 90 % null, all", search("null_fraction=[0.9~]", limit=1000), 74),
        Question("sonic of 0.1524 m, > 10,000", search("family=sonic_compressional,step=0.1524,samples=[10000~]"), 6.6),
        Question("coverage of a project", lambda: catalog_wells.coverage(database, one, "", 200, ranges=False), 2.0),
        Question(
            "distribution of GR p50",
            lambda: catalog_search.histogram(database, everybody, Search(parse_query("family=gamma_ray")), "p50", 20),
            32,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
