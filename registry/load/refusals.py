"""What was refused and why: counted for Prometheus, and in the log when it begins and when it is over."""

from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter

REASONS: Final = {
    "rate_principal": "an account or robot asks more often than limits.rate.principal allows",
    "rate_address": "an address asks more often than limits.rate.address allows",
    "requests": "limits.requests are under way, and more wait than limits.queue or limits.wait allow",
    "uploads": "limits.uploads are under way, and more wait than limits.queue or limits.wait allow",
    "memory_shed": "memory runs short: no uploads and large reads",
    "memory_refuse": "memory is nearly used up: nothing but health",
    "exhausted": "the system refuses memory or open files",
}
QUIET_SECONDS: Final = 10.0
"""Without a refusal for so long, it is over."""


class Refusals:
    """Counts by reason; `tell` writes what changed, and is called now and then."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter = Counter(
            "dfr_refused_requests", "Requests refused for load, by reason.", ("reason",), registry=registry
        )
        self._counters = {reason: counter.labels(reason) for reason in REASONS}
        self._seen = dict.fromkeys(REASONS, 0)
        self._begun: dict[str, tuple[int, float]] = {}
        self._told = dict(self._seen)
        self._log = structlog.get_logger("load")

    def count(self, reason: str) -> None:
        """One refusal."""
        self._counters[reason].inc()
        self._seen[reason] += 1

    def tell(self, now: float) -> None:
        """Log which reasons began to refuse since the last call, and which have not for QUIET_SECONDS."""
        for reason, seen in self._seen.items():
            if seen > self._told[reason]:
                if reason not in self._begun:
                    self._log.warning("refusing requests", reason=reason, because=REASONS[reason])
                self._begun[reason] = self._begun.get(reason, (self._told[reason], now))[0], now
                self._told[reason] = seen
            elif reason in self._begun and now - self._begun[reason][1] >= QUIET_SECONDS:
                before, _ = self._begun.pop(reason)
                self._log.info("refusing no more", reason=reason, refused=seen - before)
