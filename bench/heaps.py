"""Records in bulk: clones of curves that were really pushed, so that a row has the bytes that pushes give it.

A laid curve is a repository of five versions: a config each, five segments, of which every edit brings one anew, and a
depth index that the 40 curves of its well share. That is 14 blobs of its own, 35 references, 6 tags, 10 moves of tags.
Ids and digests are made from the curve's number, so digests come in no order, as pushed ones do.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

VERSIONS, SEGMENTS, IN_WELL = 5, 5, 40
OWN = VERSIONS + SEGMENTS + VERSIONS - 1
"""Blobs of a curve: configs, the segments of its first version, one for each edit."""
LINKS, TAGS, PROJECTS = OWN + 1, VERSIONS + 1, 12
STEP = 20_000
"""Curves that are laid in one transaction."""
BASE = 1_000_000
"""Ids of laid rows are above it, those of the pushed sample below."""

BLOB = f"'sha256:' || encode(sha256(('b' || c * {OWN} + k)::bytea), 'hex')"
INDEX = f"'sha256:' || encode(sha256(('i' || c / {IN_WELL})::bytea), 'hex')"
ARTIFACT = f"'sha256:' || encode(sha256(('a' || c * {VERSIONS} + v)::bytea), 'hex')"
NAME = f"'scale-' || c / {IN_WELL} % {PROJECTS} || '/w' || c / {IN_WELL} || '/run-1/gr-' || c % {IN_WELL}"
PROJECT = f"{BASE} + c / {IN_WELL} % {PROJECTS}"
REPOSITORY, VERSION = f"{BASE} + c", f"{BASE} + c * {VERSIONS} + v"
WELL, SLUG, CURVE = f"{BASE} + c / {IN_WELL}", f"'w' || c / {IN_WELL}", f"'gr' || c % {IN_WELL}"
INDEX_ID, LINK = f"{BASE // 2} + c / {IN_WELL}", f"{BASE} + c * {LINKS} + k"
CURVES = "generate_series($1::bigint, $2::bigint - 1) AS c"
WELLS = f"(SELECT w * {IN_WELL} AS c FROM generate_series($1::bigint / {IN_WELL}, ($2::bigint - 1) / {IN_WELL}) w) AS g"
BLOBS = f"{CURVES}, generate_series(0, {OWN - 1}) AS k"
OF_VERSIONS = f"{CURVES}, generate_series(0, {VERSIONS - 1}) AS v"
BLOB_ID = f"CASE WHEN k = {OWN} THEN {BASE // 2} + c / {IN_WELL} ELSE {BASE} + c * {OWN} + k END"
# Its config, the segments that edits so far replaced, those of the first version that stay, the index.
NAMED = f"""{OF_VERSIONS}, LATERAL (SELECT v AS k UNION ALL SELECT {OWN}
  UNION ALL SELECT p + CASE WHEN p < v THEN {VERSIONS + SEGMENTS} ELSE {VERSIONS} END
  FROM generate_series(0, {SEGMENTS - 1}) p) AS k"""


class Clone(NamedTuple):
    """Rows of a table: `given` says what of the sample's row is replaced, `left` what its defaults fill."""

    table: str
    rows: str
    given: Mapping[str, str]
    sample: str = ""
    left: Sequence[str] = ()


HELD = {"keep_until": "now() + interval '1 day'"}
CLONES = (
    Clone("project", WELLS, {"project_id": PROJECT, "name": f"'scale-' || c / {IN_WELL} % {PROJECTS}"}),
    Clone("well", WELLS, {"id": WELL, "project_id": PROJECT, "name": "'W ' || c", "name_norm": SLUG}),
    Clone("well_slug", WELLS, {"project_id": PROJECT, "slug": SLUG, "well_id": WELL}),
    Clone("artifact_blob", WELLS, {"id": INDEX_ID, "digest": INDEX, "content": "NULL", **HELD}),
    Clone("project_blob", WELLS, {"project_id": PROJECT, "blob_id": INDEX_ID}),
    Clone("repository", CURVES, {"repository_id": REPOSITORY, "name": NAME, "project_id": PROJECT}, "name LIKE '%/gr'"),
    Clone("artifact_blob", BLOBS, {"id": BLOB_ID, "digest": BLOB, "content": "NULL", **HELD}),
    Clone("project_blob", BLOBS, {"project_id": PROJECT, "blob_id": BLOB_ID}),
    Clone(
        "repository_blob",
        f"{CURVES}, generate_series(0, {OWN}) AS k",
        {"id": LINK, "repository_id": REPOSITORY, "project_id": PROJECT, "blob_id": BLOB_ID, **HELD},
    ),
    Clone(
        "artifact",
        OF_VERSIONS,
        {
            "id": VERSION,
            "project_id": PROJECT,
            "repository_id": REPOSITORY,
            "repository_name": NAME,
            "digest": ARTIFACT,
            **HELD,
        },
        "type = 'CURVE'",
    ),
    Clone(
        "artifact_blob_ref",
        NAMED,
        {
            "artifact_id": VERSION,
            "repository_id": REPOSITORY,
            "digest": ARTIFACT,
            "blob_digest": f"CASE WHEN k = {OWN} THEN {INDEX} ELSE {BLOB} END",
            "link_id": LINK,
        },
    ),
    Clone(
        "tag",
        f"{CURVES}, generate_series(0, {TAGS - 1}) AS t",
        {
            "id": f"{BASE} + c * {TAGS} + t",
            "repository_id": REPOSITORY,
            "artifact_id": f"{BASE} + c * {VERSIONS} + least(t, {VERSIONS - 1})",
            "name": f"CASE t WHEN {VERSIONS} THEN 'latest' ELSE 'v' || t + 1 END",
        },
        "name = 'latest'",
    ),
    Clone(
        "tag_history",
        f"{OF_VERSIONS}, generate_series(0, 1) AS t",
        {
            "repository_id": REPOSITORY,
            "name": "CASE t WHEN 0 THEN 'latest' ELSE 'v' || v + 1 END",
            "to_digest": ARTIFACT,
        },
        "from_digest IS NOT NULL",
        ["id"],
    ),
    Clone(
        "access_log",
        OF_VERSIONS,
        {"project_id": PROJECT, "repo_name": NAME, "resource": ARTIFACT},
        "operation = 'push'",
        ["log_id", "op_time"],
    ),
    Clone(
        "curve",
        CURVES,
        {
            "id": REPOSITORY,
            "project_id": PROJECT,
            "well_id": WELL,
            "mnemonic_norm": CURVE,
            "latest_version_id": f"{BASE} + c * {VERSIONS} + {VERSIONS - 1}",
        },
    ),
    Clone(
        "curve_version",
        OF_VERSIONS,
        {
            "id": VERSION,
            "curve_id": REPOSITORY,
            "project_id": PROJECT,
            "version": "v + 1",
            "values_id": f"sha256(('v' || c * {VERSIONS} + v)::bytea)",
            "index_id": f"sha256(('x' || c / {IN_WELL})::bytea)",
        },
    ),
    Clone(
        "segment",
        f"{CURVES}, generate_series({VERSIONS}, {OWN - 1}) AS k",
        {"content_id": f"sha256(('s' || c * {OWN} + k)::bytea)", "blob_digest": BLOB},
    ),
)
TABLES = tuple(dict.fromkeys(clone.table for clone in CLONES))
SEQUENCES = ("artifact_blob", "repository_blob", "artifact", "tag", "repository", "project", "well")
PUSHED = 100 * BASE * BASE
"""Ids of rows that are pushed beside them are above this."""
COLUMNS = """SELECT attname FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
  AND attname <> ALL ($2::text[])"""


def laid(c: int) -> tuple[str, int]:
    """The repository of the c-th curve, and c."""
    well = c // IN_WELL
    return f"scale-{well % PROJECTS}/w{well}/run-1/gr-{c % IN_WELL}", c


def hashed(kind: str, number: int) -> str:
    """The digest of the number-th artifact ("a") or blob ("b")."""
    return f"sha256:{hashlib.sha256(f'{kind}{number}'.encode()).hexdigest()}"


async def prepare(conn: Any) -> list[str]:
    """The statements that clone what is there, which was pushed a moment ago."""
    statements = []
    for table in SEQUENCES:
        column = await conn.fetchval(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum = 1", table
        )
        await conn.execute(f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), {PUSHED})")
    await conn.execute("CREATE SCHEMA sample")
    for clone in CLONES:
        columns = [row["attname"] for row in await conn.fetch(COLUMNS, clone.table, list(clone.left))]
        await conn.execute(
            f"CREATE TABLE IF NOT EXISTS sample.{clone.table} AS SELECT * FROM {clone.table}"
            f" WHERE {clone.sample or 'true'} ORDER BY 1 DESC LIMIT 1"
        )
        values = ", ".join(clone.given.get(column, f"s.{column}") for column in columns)
        names = ", ".join(f'"{column}"' for column in columns)
        statements.append(
            f"INSERT INTO {clone.table} ({names}) OVERRIDING SYSTEM VALUE SELECT {values}"
            f" FROM {clone.rows}, sample.{clone.table} s {'ON CONFLICT DO NOTHING' if clone.table == 'project' else ''}"
        )
    return statements


async def lay(connections: Sequence[Any], statements: Sequence[str], start: int, stop: int) -> None:
    """The records of curves [start, stop), which are whole wells, vacuumed as autovacuum would leave them."""
    projects, *others = statements
    await connections[0].execute(projects, start, stop, timeout=600)
    firsts = iter(range(start, stop, STEP))

    async def steps(conn: Any) -> None:
        for first in firsts:
            async with conn.transaction():
                # no look-up of each foreign key; nothing waits for the disk
                await conn.execute("SET LOCAL session_replication_role = replica; SET LOCAL synchronous_commit = off")
                for statement in others:
                    await conn.execute(statement, first, min(stop, first + STEP), timeout=1800)

    await asyncio.gather(*map(steps, connections))
    for table in TABLES:
        await connections[0].execute(f"VACUUM ANALYZE {table}", timeout=1800)
