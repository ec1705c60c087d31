"""Which processes run, and which schema their code knows: a row each, touched every few seconds, removed by the others
where it is silent."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from .database import Connection

BEAT = """
WITH mine AS (
  INSERT INTO node (node_id, host, schema, serves) VALUES ($1, $2, $4, $5)
  ON CONFLICT (node_id) DO UPDATE SET seen_at = now()),
gone AS (
  DELETE FROM node WHERE node_id = ANY(ARRAY(
    SELECT node_id FROM node WHERE node_id <> $1 AND seen_at < now() - $3::interval FOR UPDATE SKIP LOCKED)))
SELECT 1 + count(*)::int FROM node WHERE node_id <> $1 AND serves AND seen_at >= now() - $3::interval
"""

SELECT_OLDER = """
SELECT host, schema FROM node WHERE schema < $1 AND seen_at >= now() - $2::interval ORDER BY schema, host LIMIT 1
"""
SILENCE = timedelta(seconds=20)
"""Who gave no sign of life for so long does not run."""

LEAVE = "DELETE FROM node WHERE node_id = $1"


@dataclass(frozen=True, slots=True)
class Node:
    """This process: an id of its own for each start, where it runs, the newest migration it knows, whether it answers
    requests."""

    id: UUID
    host: str
    schema: int
    serves: bool = True


async def beat(conn: Connection, node: Node, silence: timedelta = SILENCE) -> int:
    """Say that it runs; how many serve, itself included. Those silent for so long are forgotten."""
    found: int = await conn.fetchval(BEAT, node.id, node.host, silence, node.schema, node.serves)
    return found


async def older(conn: Connection, schema: int) -> tuple[str, int] | None:
    """A process that runs code of an older schema: where, and which."""
    row = await conn.fetchrow(SELECT_OLDER, schema, SILENCE)
    return None if row is None else (row["host"], row["schema"])


async def leave(conn: Connection, node: Node) -> None:
    """It runs no more."""
    await conn.execute(LEAVE, node.id)
