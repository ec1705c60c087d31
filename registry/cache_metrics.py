"""What the cache of blobs on a local disk does, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter


class CacheMetrics:
    """Counters of one process. The hit rate is `dfr_blob_cache_reads_total{result="hit"}` by all of them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        reads = Counter(
            "dfr_blob_cache_reads", "Reads of blobs, by where they came from.", ("result",), registry=registry
        )
        self._reads = {result: reads.labels(result) for result in ("hit", "miss")}
        self._sent = Counter("dfr_blob_cache_hit_bytes", "Bytes asked for that the cache had.", registry=registry)
        self._filled = Counter("dfr_blob_cache_filled_bytes", "Bytes fetched into the cache.", registry=registry)
        faults = Counter(
            "dfr_blob_cache_faults",
            "Copies that were damaged, and fills and look-ups that failed.",
            ("fault",),
            registry=registry,
        )
        self._faults = {fault: faults.labels(fault) for fault in ("damaged", "failed")}

    def note(self, what: str, size: int) -> None:
        """See drivers.cached.Note."""
        if what in self._reads:
            self._reads[what].inc()
        elif what in self._faults:
            self._faults[what].inc()
        if what == "hit":
            self._sent.inc(size)
        elif what == "filled":
            self._filled.inc(size)
