"""Which server processes run: a row each, touched every few seconds, removed by the others where it is silent."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from .database import Connection

BEAT = """
WITH mine AS (
  INSERT INTO node (node_id, host) VALUES ($1, $2) ON CONFLICT (node_id) DO UPDATE SET seen_at = now()),
gone AS (
  DELETE FROM node WHERE node_id = ANY(ARRAY(
    SELECT node_id FROM node WHERE node_id <> $1 AND seen_at < now() - $3::interval FOR UPDATE SKIP LOCKED)))
SELECT 1 + count(*)::int FROM node WHERE node_id <> $1 AND seen_at >= now() - $3::interval
"""

LEAVE = "DELETE FROM node WHERE node_id = $1"


@dataclass(frozen=True, slots=True)
class Node:
    """This process: an id of its own for each start, and where it runs."""

    id: UUID
    host: str


async def beat(conn: Connection, node: Node, silence: timedelta) -> int:
    """Say that it runs; how many do, itself included. Those silent for so long are forgotten."""
    found: int = await conn.fetchval(BEAT, node.id, node.host, silence)
    return found


async def leave(conn: Connection, node: Node) -> None:
    """It runs no more."""
    await conn.execute(LEAVE, node.id)
