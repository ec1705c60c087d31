"""/health: is the process alive, can it serve, and how is each part. Same shape as Harbor's.

/health/live    200 while the process answers at all: restart it when not
/health/ready   200 while database and store can be used, 503 else or while draining: send no requests when not
/health         each component with its state; 200 or 503 as ready
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..core.records.database import Database
from ..core.records.schema import check_schema
from ..drivers.base import Driver

PATIENCE_SECONDS = 5.0
FRESH_SECONDS = 1.0
"""How long a finding is given again: probes must not become load."""


class Health:
    """The three pages over one database and one driver."""

    def __init__(self, database: Database, driver: Driver) -> None:
        self._checks: dict[str, Callable[[], Awaitable[Any]]] = {
            "database": lambda: check_schema(database),
            "storage": driver.check,
        }
        self._lock = asyncio.Lock()
        self._finding: tuple[float, dict[str, bool]] | None = None
        self._log = structlog.get_logger("health")

    async def live(self, _: Request) -> Response:
        """GET /health/live."""
        return JSONResponse({"status": "healthy"})

    async def ready(self, _: Request) -> Response:
        """GET /health/ready."""
        healthy = all((await self.components()).values())
        return JSONResponse({"status": _word(healthy)}, 200 if healthy else 503)

    async def report(self, _: Request) -> Response:
        """GET /health."""
        parts = await self.components()
        healthy = all(parts.values())
        document = {
            "status": _word(healthy),
            "components": [{"name": name, "status": _word(good)} for name, good in parts.items()],
        }
        return JSONResponse(document, 200 if healthy else 503)

    async def components(self) -> dict[str, bool]:
        """Each component and whether it can be used; a reason goes to the log, not to whoever asks."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._finding is None or now - self._finding[0] >= FRESH_SECONDS:
                states = await asyncio.gather(*(self._check(name) for name in self._checks))
                self._finding = (asyncio.get_running_loop().time(), dict(zip(self._checks, states, strict=True)))
            return self._finding[1]

    async def _check(self, name: str) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._checks[name]()
        except Exception as error:
            self._log.warning("unhealthy", component=name, reason=str(error) or type(error).__name__)
            return False
        return True


def _word(healthy: bool) -> str:
    return "healthy" if healthy else "unhealthy"
