"""The load of a process, looked at twice a second: memory measured, gauges set, changes logged."""

import asyncio
import time

import structlog
from prometheus_client import CollectorRegistry, Gauge

from .load import Load
from .memory import Level, give_back
from .nodes import Nodes

LOOK_SECONDS = 0.5
GIVE_BACK_SECONDS = 5.0
WORDS = {
    Level.FREE: "memory is there again",
    Level.SHED: "memory runs short: uploads and large reads are refused",
    Level.REFUSE: "memory is nearly used up: all but health is refused",
}
log = structlog.get_logger("load")


class Watch:
    """Looks until cancelled, and tells Prometheus by `registry`."""

    def __init__(self, load: Load, registry: CollectorRegistry) -> None:
        self._lanes = {"requests": load.requests, "uploads": load.uploads}
        self._memory, self._refusals = load.memory, load.refusals
        self._given_back = 0.0

        def gauge(name: str, text: str, mode: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]

        self._inside = gauge("dfr_under_way", "Requests and uploads under way.", "livesum", "kind")
        self._waiting = gauge("dfr_waiting", "Requests and uploads that wait for a place.", "livesum", "kind")
        self._share = gauge("dfr_memory_share", "Part of the memory it may have that is used.", "livemax")
        self._level = gauge("dfr_memory_level", "1: uploads and large reads are refused, 2: all.", "livemax")
        self._live = gauge("dfr_nodes", "Server processes that run on this database.", "livemax")

    async def run(self, nodes: Nodes) -> None:
        """Until cancelled; `nodes` beats elsewhere."""
        while True:
            self.look(nodes.live)
            if self._memory.level and time.monotonic() - self._given_back >= GIVE_BACK_SECONDS:
                await asyncio.to_thread(give_back)
                self._given_back = time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self, live: int) -> None:
        """Measure once and say what changed."""
        before = self._memory.level
        now = self._memory.look()
        if now != before:
            say = log.warning if now > before else log.info
            say(WORDS[now], share=round(self._memory.share, 3), of=self._memory.nearest)
        for kind, lane in self._lanes.items():
            self._inside.labels(kind).set(lane.inside)
            self._waiting.labels(kind).set(lane.waiting)
        self._share.set(self._memory.share)
        self._level.set(now)
        self._live.set(live)
        self._refusals.tell(time.monotonic())
