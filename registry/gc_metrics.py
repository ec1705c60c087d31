"""What gc has done since the process started, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter

from ..core.work.gc import Tally


class GcMetrics:
    """Counters of one process's collector and delete worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._links = Counter("dfr_gc_links", "Links dropped.", registry=registry)
        self._artifacts = Counter("dfr_gc_artifacts", "Deleted artifacts purged.", registry=registry)
        self._untagged = Counter("dfr_gc_untagged", "Untagged artifacts deleted by policy.", registry=registry)
        self._condemned = Counter("dfr_gc_condemned_blobs", "Blobs condemned: nobody links them.", registry=registry)
        self._gone = Counter("dfr_gc_blobs", "Blobs gone for good.", registry=registry)
        self._freed = Counter("dfr_gc_freed_bytes", "Bytes of blobs that are gone.", registry=registry)
        self._objects = Counter("dfr_gc_objects", "Objects deleted from the store.", registry=registry)

    def collected(self, tally: Tally) -> None:
        """A batch of the collector."""
        self._links.inc(tally.links)
        self._artifacts.inc(tally.artifacts)
        self._untagged.inc(tally.untagged)
        self._condemned.inc(tally.condemned)
        self._gone.inc(tally.gone)
        self._freed.inc(tally.freed_bytes)

    def deleted(self, objects: int) -> None:
        """A batch of the delete worker."""
        self._objects.inc(objects)
