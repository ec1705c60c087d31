"""What a process sees of the registry's state, for Prometheus: work left undone, connections, failures of the store.

Asked for each PAUSE seconds and not for each scrape. The backlog is the whole registry's: every process says the same.
"""

import asyncio
import logging
from collections import Counter as Tally
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from ..core.oci.errors import Unavailable
from ..core.records.backlog import backlog
from ..core.records.database import Database
from ..core.storage_errors import failures

log = logging.getLogger(__name__)
PAUSE: Final = 15.0


class StateMetrics:
    """Gauges of one process; `run` keeps them fresh."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, mode: str = "mostrecent") -> Gauge:
            return Gauge(name, text, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]

        self._tasks = gauge("dfr_tasks", "Tasks that wait or run (up to 1000).")
        self._task_age = gauge("dfr_task_age_seconds", "The longest that a task has waited, or run without a sign.")
        self._events = gauge("dfr_events", "Events that no task was made of yet (up to 1000).")
        self._event_age = gauge("dfr_event_age_seconds", "The age of the oldest of them.")
        self._unsealed = gauge("dfr_audit_unsealed_seconds", "The age of the oldest row of the audit trail not sealed.")
        self._fullest = gauge("dfr_quota_fullest_ratio", "What the fullest project uses of its storage quota.")
        self._used = gauge("dfr_database_connections_used", "Connections of the pool in use.", "livesum")
        self._most = gauge("dfr_database_connections_limit", "Connections that the pool may have.", "livesum")
        self._failures = Counter("dfr_storage_errors", "Failures of the store.", ("kind",), registry=registry)
        for kind in ("failed", "full", "lost"):
            self._failures.labels(kind)
        self._told: Tally[str] = Tally()

    async def run(self, database: Database) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                await self.look(database)
            except Unavailable as error:
                log.debug("metrics: %s", error)
            await asyncio.sleep(PAUSE)

    async def look(self, database: Database) -> None:
        """Set all of them. Unavailable."""
        for kind, count in failures.items():
            self._failures.labels(kind).inc(count - self._told[kind])
            self._told[kind] = count
        used, most = database.connections
        self._used.set(used)
        self._most.set(most)
        found = await backlog(database)
        self._tasks.set(found.tasks)
        self._task_age.set(found.task_age)
        self._events.set(found.events)
        self._event_age.set(found.event_age)
        self._unsealed.set(found.unsealed_age)
        self._fullest.set(found.fullest)
