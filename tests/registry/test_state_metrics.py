"""What /metrics tells of the registry's state, on a real database."""

from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from dataforge_registry.core.oci.errors import Unavailable
from dataforge_registry.core.records.backlog import backlog
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.storage_errors import storage_errors
from dataforge_registry.drivers.base import DriverError, NoSpace
from dataforge_registry.registry.state_metrics import StateMetrics

pytestmark = pytest.mark.asyncio
FILL = """
WITH e AS (INSERT INTO execution (kind, trigger) VALUES ('x', 'MANUAL') RETURNING id)
INSERT INTO task (execution_id, kind, status, update_time) SELECT e.id, 'x', s.status, now() - s.age
FROM e, (VALUES ('success', interval '9h'), ('pending', interval '1h'), ('running', interval '1s')) s(status, age)
"""


async def test_an_idle_registry_has_nothing_to_tell(database: Database) -> None:
    assert await backlog(database) == (0, 0, 0, 0, 0, 0)


async def test_what_waits_is_told_with_its_age(database: Database) -> None:
    async with database.acquire() as conn:
        await conn.execute(FILL)
        await conn.execute("INSERT INTO event (kind, op_time) VALUES ('x', now() - interval '2 hours')")
        await conn.execute(
            "INSERT INTO access_log (username, operation, op_time) VALUES ('a', 'push', now() - interval '3 hours')"
        )
        for name, limit, used in (("full", 100, 95), ("empty", 100, 0), ("unlimited", -1, 10**9)):
            await conn.execute(
                "INSERT INTO project (name, storage_limit, storage_used) VALUES ($1, $2, $3)", name, limit, used
            )
    found = await backlog(database)
    assert (found.tasks, found.events, found.fullest) == (2, 1, 0.95)
    ages = (found.task_age, found.event_age, found.unsealed_age)
    assert [round(age // timedelta(hours=1).total_seconds()) for age in ages] == [1, 2, 3]

    registry = CollectorRegistry()
    await StateMetrics(registry).look(database)
    assert registry.get_sample_value("dfr_tasks") == 2
    assert registry.get_sample_value("dfr_quota_fullest_ratio") == 0.95
    assert registry.get_sample_value("dfr_database_connections_limit") == 10


async def test_failures_of_the_store_are_counted_once(database: Database) -> None:
    registry = CollectorRegistry()
    metrics = StateMetrics(registry)
    await metrics.look(database)

    def told() -> list[float | None]:
        return [registry.get_sample_value("dfr_storage_errors_total", {"kind": kind}) for kind in ("failed", "full")]

    before = told()
    for error in (DriverError("away"), NoSpace("full"), NoSpace("full")):
        with pytest.raises(Unavailable), storage_errors():
            raise error
    for _ in range(2):
        await metrics.look(database)
        assert told() == [(before[0] or 0) + 1, (before[1] or 0) + 2]
