"""The requests in flight: what a stopping server waits for, and what it cancels at its deadline."""

import asyncio
from typing import Any

EARLY_ANSWER = "dataforge.early_answer"
"""ASGI extension: an answer may be sent whole while the request's body is still coming in, and more of it be read."""
NOT_READY = b'{"status":"unhealthy","draining":true}'


class InFlight:
    """Wraps the whole application. `draining` makes `/health/ready` answer 503; `state` is the lifespan's
    state, `extensions` what the engine offers."""

    def __init__(self, app: Any, state: dict[str, Any], *extensions: str) -> None:
        self._app = app
        self._state = state
        self._extensions: dict[str, Any] = {name: {} for name in extensions}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._empty = asyncio.Event()
        self._empty.set()
        self.draining = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(f"not served: {scope['type']}")
        scope["state"] = self._state.copy()
        scope["extensions"] = {**scope.get("extensions", {}), **self._extensions}
        if self.draining and scope["path"] == "/health/ready":
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(NOT_READY)).encode())]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else NOT_READY})
            return
        task = asyncio.current_task()
        assert task is not None, "ASGI calls run in tasks"
        self._tasks.add(task)
        self._empty.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self._tasks.discard(task)
            if not self._tasks:
                self._empty.set()

    async def wait(self, seconds: float) -> bool:
        """Wait until none is left; False if some still run after that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    def cancel(self) -> int:
        """Cancel what still runs; returns how many."""
        running = list(self._tasks)
        for task in running:
            task.cancel()
        return len(running)
