"""What tests of a failover wait for."""

import asyncio
import time

import asyncpg

from ..replicas import Node
from .pushers import Acknowledged

OWED = "SELECT count(*) FROM replication_task WHERE status IN ('pending', 'running')"


async def ask(url: str, statement: str) -> object:
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


def pushed(noted: Acknowledged, more: int) -> None:
    """Return when so many more were acknowledged."""
    before, deadline = len(noted.tags), time.monotonic() + 60
    while len(noted.tags) <= before + more:
        assert time.monotonic() < deadline, noted.refusals[-3:]
        time.sleep(0.02)


def worked_off(node: Node) -> None:
    """Return when workers have done all that was to do, by the database of a server."""
    deadline = time.monotonic() + 60
    while asyncio.run(ask(node.url, OWED)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
