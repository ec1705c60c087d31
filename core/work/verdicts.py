"""Verdicts: what the bytes of each catalogued version say of the claims of its config, told behind its push.

Layers are opened only in a process with limits (core/sandbox.py): one that breaks it ends as a bad version with the
reason, and the worker goes on. A version whose bytes are not all here stays pending.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final, NamedTuple

from asyncpg import Record

from dataforge_registry.drivers.base import Driver, NotFound

from ..curves.errors import CurveError
from ..curves.schema import parse_manifest
from ..oci.digest import Digest, blob_key
from ..records.database import Connection, Database
from ..records.events import Event
from ..sandbox import Sandbox, SandboxRefused
from .task import Task, Wanted

JUDGE: Final = "curve.judge"
BATCH: Final = 100
TOGETHER: Final = 20
"""Verdicts of one transaction."""
SMALL: Final = 64 << 10
"""Bytes of a blob that is kept for the other versions of its transaction (curves of a frame share their index), and
hashed without a thread of its own."""
MOST_BYTES: Final = 512 << 20
"""Of the layers of one version; a larger one stays pending, with a finding that says so."""

SELECT_PENDING = """SELECT a.id, a.manifest FROM curve_version v JOIN artifact a ON a.id = v.id
WHERE v.id = ANY($1::bigint[]) AND v.verdict = 'pending' ORDER BY a.id LIMIT $2"""
SELECT_BLOBS = """SELECT q.id AS artifact_id, b.* FROM unnest($1::bigint[]) AS q(id) CROSS JOIN LATERAL (
  SELECT link_id FROM artifact_blob_ref WHERE artifact_id = q.id AND link_id IS NOT NULL OFFSET 0) AS f
CROSS JOIN LATERAL (SELECT blob_id FROM repository_blob WHERE id = f.link_id OFFSET 0) AS l
CROSS JOIN LATERAL (SELECT digest, size, generation, key, content FROM artifact_blob
  WHERE id = l.blob_id AND state = 'live' OFFSET 0) AS b"""
UPDATE_VERSIONS = """UPDATE curve_version v SET verdict = q.verdict, findings = q.findings
FROM unnest($1::bigint[], $2::text[], $3::jsonb[]) AS q(id, verdict, findings) WHERE v.id = q.id"""
UPDATE_CURVES = """UPDATE curve c SET verdict = (SELECT verdict FROM curve_version WHERE id = c.latest_version_id)
WHERE c.latest_version_id = ANY ($1::bigint[]) AND c.id = ANY (ARRAY(
  SELECT v.curve_id FROM unnest($1::bigint[]) AS q(id)
  CROSS JOIN LATERAL (SELECT curve_id FROM curve_version WHERE id = q.id OFFSET 0) AS v))"""
UPDATE_SEGMENTS = """UPDATE segment s SET verified = true FROM unnest($1::bytea[], $2::text[]) AS q(content, digest)
WHERE s.content_id = q.content AND s.blob_digest = q.digest AND NOT s.verified"""

HOT: Final = (SELECT_PENDING, SELECT_BLOBS, UPDATE_VERSIONS, UPDATE_CURVES, UPDATE_SEGMENTS)


def judgements(events: Sequence[Event]) -> Iterable[Wanted]:
    """The route of `artifact.pushed`: one task for each BATCH of versions that the pushes brought to the catalogue."""
    ids = sorted({event.artifact_id for event in events if event.artifact_id and event.payload.get("catalogued")})
    if ids:
        yield wanted(ids)


def wanted(versions: Sequence[int]) -> Wanted:
    """The tasks that judge versions."""
    return Wanted(
        JUDGE, [{"versions": versions[at : at + BATCH]} for at in range(0, len(versions), BATCH)], trigger="event"
    )


class Verdict(NamedTuple):
    """Of one version: good, bad or still pending, why, and its segments (content id in hex, digest) that are right."""

    version: int
    verdict: str
    findings: list[str]
    verified: Sequence[tuple[str, str]] = ()


class JudgeVersions:
    """The handler: judges the versions of its task that are still pending. Judging again says the same."""

    def __init__(self, database: Database, driver: Driver, sandbox: Sandbox) -> None:
        self._database = database
        self._driver = driver
        self._sandbox = sandbox

    async def __call__(self, task: Task) -> None:
        """Versions purged meanwhile have no verdict."""
        wanted = task.payload["versions"]
        for at in range(0, len(wanted), TOGETHER):
            async with self._database.acquire() as conn:
                rows = await conn.fetch(SELECT_PENDING, wanted[at : at + TOGETHER], TOGETHER)
                blobs = await conn.fetch(SELECT_BLOBS, [row["id"] for row in rows])
            held: dict[int, dict[str, Record]] = {row["id"]: {} for row in rows}
            for blob in blobs:
                held[blob["artifact_id"]][blob["digest"]] = blob
            known: dict[str, bytes] = {}
            verdicts = [await self._verdict(row["id"], row["manifest"], held[row["id"]], known) for row in rows]
            for told in verdicts:
                if told.verdict != "good":
                    await task.log(f"version {told.version}: {'; '.join(told.findings)}", "warning")
            await self._database.run(partial(record, verdicts=verdicts))

    async def _verdict(
        self, version: int, manifest: bytes, held: dict[str, Record], known: dict[str, bytes]
    ) -> Verdict:
        """held: its blobs that are live; known: content of small ones that was read before, by digest."""
        claimed = parse_manifest(manifest)
        assert claimed.config is not None  # a curve without one is not catalogued
        wanted = [claimed.config, *claimed.layers]
        if any(part.digest not in held for part in wanted):
            return Verdict(version, "pending", ["not inspected: not all of its layers are in this repository"])
        if sum(row["size"] for row in held.values()) > MOST_BYTES:
            return Verdict(version, "pending", [f"not inspected: its layers have more than {MOST_BYTES} bytes"])
        try:
            contents = {digest: known.get(digest) or await self._bytes(row) for digest, row in held.items()}
        except NotFound as error:
            return Verdict(version, "pending", [f"not inspected: {error}"])
        known |= {digest: content for digest, content in contents.items() if len(content) <= SMALL}
        from ..curves.checks.judging import judge  # brings pyarrow: not before the first curve

        try:
            result, _ = await self._sandbox.run(judge, None, [manifest, *(contents[part.digest] for part in wanted)])
        except SandboxRefused as error:
            return Verdict(version, "bad", [f"not inspected: {error}"])
        except CurveError as error:
            return Verdict(version, "bad", [str(error)])
        return Verdict(version, "bad" if result["findings"] else "good", result["findings"], result["verified"])

    async def _bytes(self, row: Record) -> bytes:
        """A blob's bytes, seen to be its own; NotFound where they are lost."""
        digest, content = Digest(row["digest"]), row["content"]
        if content is None:
            async with aclosing(await self._driver.open(row["key"] or blob_key(digest, row["generation"]))) as body:
                content = b"".join([piece async for piece in body])
        if len(content) <= SMALL:
            found = Digest.of(content, digest.algorithm)
        else:
            found = await asyncio.to_thread(Digest.of, content, digest.algorithm)
        if found != digest:
            raise NotFound(f"the bytes stored for {digest} are others")
        return bytes(content)


async def record(conn: Connection, verdicts: Sequence[Verdict]) -> None:
    """Keep what was found, and which segments may be named by others."""
    versions, words = [told.version for told in verdicts], [told.verdict for told in verdicts]
    await conn.execute(UPDATE_VERSIONS, versions, words, [json.dumps(told.findings) for told in verdicts])
    await conn.execute(UPDATE_CURVES, versions)
    pairs = sorted({(bytes.fromhex(content), blob) for told in verdicts for content, blob in told.verified})
    await conn.execute(UPDATE_SEGMENTS, [content for content, _ in pairs], [blob for _, blob in pairs])
