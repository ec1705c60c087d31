"""Prometheus metrics of the HTTP side. No label names a repository, a digest or a user: their number has no bound.

With several workers (PROMETHEUS_MULTIPROC_DIR is set by `server.serve` before they start) each worker's page shows the
sum of all.
"""

import asyncio
import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.requests import Request
from starlette.responses import Response

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Metrics:
    """One application's metrics: `count` its requests, serve `page`. Others may add their own to `registry`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("method", "endpoint", "status")
        self.requests = Counter("dfr_http_requests", "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "dfr_http_request_seconds",
            "Time from the head of a request to the end of its answer.",
            ("method", "endpoint"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.received = Counter("dfr_http_received_bytes", "Bytes of request bodies.", registry=self.registry)
        self.sent = Counter("dfr_http_sent_bytes", "Bytes of answers' bodies.", registry=self.registry)
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            ProcessCollector(registry=self.registry)
            PlatformCollector(registry=self.registry)
            GCCollector(registry=self.registry)
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def count(self, method: str, endpoint: str, status: int, seconds: float, received: int, sent: int) -> None:
        """One request: `endpoint` is its route's name, bytes are those of the bodies."""
        key = (method if method in METHODS else "other", endpoint, status)
        series = self._series.get(key)  # prometheus_client takes 2 us to find one by its labels, a dict 0.1
        if series is None:
            series = (self.requests.labels(key[0], endpoint, str(status)), self.seconds.labels(key[0], endpoint))
            self._series[key] = series
        series[0].inc()
        series[1].observe(seconds)
        if received:
            self.received.inc(received)
        if sent:
            self.sent.inc(sent)

    def render(self) -> bytes:
        """The metrics as text, all workers' where there are several."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
        return generate_latest(everybody)

    async def page(self, _: Request) -> Response:
        """GET /metrics."""
        return Response(await asyncio.to_thread(self.render), headers={"content-type": CONTENT_TYPE_LATEST})
