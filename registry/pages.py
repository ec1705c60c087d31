"""What monitoring asks of a process: /health and /metrics."""

from starlette.applications import Starlette
from starlette.routing import Route

from .health import Health
from .metrics import Metrics


def pages(health: Health, metrics: Metrics | None) -> Starlette:
    """The pages of a process; `metrics` None: without /metrics."""
    routes = [
        Route("/health", health.report),
        Route("/health/live", health.live),
        Route("/health/ready", health.ready),
    ]
    if metrics is not None:
        routes.append(Route("/metrics", metrics.page))
    return Starlette(routes=routes)
