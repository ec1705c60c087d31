"""Processes that run: each counts those that gave a sign of life, and forgets the others."""

from uuid import uuid4

import pytest

from dataforge_registry.core.records import nodes
from dataforge_registry.core.records.database import Database


@pytest.mark.asyncio
async def test_who_is_silent_counts_no_more_and_comes_back_with_his_next_beat(database: Database) -> None:
    one, two, three = (nodes.Node(uuid4(), f"host:{n}", 1) for n in range(3))

    async def beat(node: nodes.Node) -> int:
        return await database.run(lambda conn: nodes.beat(conn, node))

    assert [await beat(node) for node in (one, two, three, one)] == [1, 2, 3, 3]
    async with database.acquire() as conn:
        await conn.execute("UPDATE node SET seen_at = now() - interval '1 hour' WHERE node_id = $1", two.id)
        assert await beat(one) == 2
        assert await conn.fetchval("SELECT count(*) FROM node") == 2
        assert await beat(two) == 3
        await nodes.leave(conn, three)
    assert await beat(one) == 2
