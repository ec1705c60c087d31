"""What a process takes on: so many requests and uploads at once, and less when its memory runs short.

Refused is by 503 and Retry-After, before anything was read of a body: all clients try that again. An upload is a
request with a body of more than LARGE bytes, or of unknown length. Health and metrics always pass.
"""

import errno
from collections.abc import Awaitable

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from ..middleware import QUIET, Exchange, answer
from .load import LARGE, Load, later, told
from .memory import Level

SENDING = frozenset(("PUT", "PATCH", "POST"))
EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
log = structlog.get_logger("load")


class Gate:
    """Plain ASGI. In `scope["state"]` it leaves the `load`, for those who know how large an answer will be."""

    def __init__(self, app: ASGIApp, load: Load) -> None:
        self._app, self._load = app, load

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Let one request through, now or soon, or refuse it."""
        if scope["type"] != "http" or scope["path"].startswith(QUIET):
            return self._app(scope, receive, send)
        upload = scope["method"] in SENDING and _large(scope)
        return self._admitted(upload, scope, receive, send)

    async def _admitted(self, upload: bool, scope: Scope, receive: Receive, send: Send) -> None:
        level = self._load.memory.level
        if level and (upload or level == Level.REFUSE):
            await self._refuse("memory_shed" if level == Level.SHED else "memory_refuse", send)
            return
        lane = self._load.uploads if upload else self._load.requests
        if not lane.enter() and not await lane.wait():
            await self._refuse("uploads" if upload else "requests", send)
            return
        scope["state"]["load"] = self._load
        try:
            await self._app(scope, receive, send)
        except (MemoryError, OSError) as error:
            if isinstance(error, OSError) and error.errno not in EXHAUSTED:
                raise
            exchange: Exchange = scope["state"]["exchange"]
            if exchange.status:
                raise
            log.error("the system has no more to give", error=str(error) or type(error).__name__)
            await self._refuse("exhausted", send)
        finally:
            lane.leave()

    async def _refuse(self, reason: str, send: Send) -> None:
        self._load.refusals.count(reason)
        await answer(send, 503, "UNAVAILABLE", told(reason), [(b"retry-after", later().encode())])


def _large(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return len(value) > 18 or (value.isdigit() and int(value) > LARGE)
        if name == b"transfer-encoding":
            return True
    return False
