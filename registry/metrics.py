"""Prometheus metrics of the HTTP side. No label names a repository, a digest or a user: their number has no bound.

With several workers (PROMETHEUS_MULTIPROC_DIR is set by `server.serve` before they start) each worker's page shows the
sum of all.
"""

import asyncio
import os
import time

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
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .middleware import body_size

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Metrics:
    """One application's metrics: make one, wrap the application by `MetricsMiddleware`, serve `page`. Others may add
    their own to `registry`."""

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


class MetricsMiddleware:
    """Plain ASGI: counts and times requests. `endpoint` is what the application left in `scope["state"]["endpoint"]`,
    else `other`."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, received, sent = 0, 0, 0

        async def counted_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal status, sent
            status = message.get("status", status)
            sent += body_size(message)
            await send(message)

        state = scope.setdefault("state", {})
        started = time.perf_counter()
        try:
            await self._app(scope, counted_receive, counted_send)
        finally:
            method = scope["method"] if scope["method"] in METHODS else "other"
            endpoint = str(state.get("endpoint", "other"))
            requests, seconds = self._labelled(method, endpoint, status)
            requests.inc()
            seconds.observe(time.perf_counter() - started)
            if received:
                self._metrics.received.inc(received)
            if sent:
                self._metrics.sent.inc(sent)

    def _labelled(self, method: str, endpoint: str, status: int) -> tuple[Counter, Histogram]:
        """The two series of a request; prometheus_client takes 2 us to find one by its labels, a dict 0.1."""
        key = (method, endpoint, status)
        if key not in self._series:
            self._series[key] = (
                self._metrics.requests.labels(method, endpoint, str(status)),
                self._metrics.seconds.labels(method, endpoint),
            )
        return self._series[key]
