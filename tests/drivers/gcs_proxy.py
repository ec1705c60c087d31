"""A proxy before a store that speaks Google's JSON API: what the emulators let pass is noted and answered 400."""

import json
import re
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from aiohttp import web

from .proxy import Proxy

SOURCES: Final = 32
"""Most objects of a compose."""


@dataclass
class GcsProxy(Proxy):
    """`halves`: how many calls the next rewrites each take; each but the first must name the token of the one before.
    `token`: what requests must be authorised by, if anything."""

    halves: int = 1
    token: str = ""
    rewrites: dict[str, int] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """See Proxy.handle."""
        if "/rewriteTo/" in request.path and self.halves > 1:
            token = request.query.get("rewriteToken", "")
            done = self.rewrites.pop(token, 0) + 1
            if done < self.halves:
                token = uuid4().hex
                self.rewrites[token] = done
                return web.json_response({"kind": "storage#rewriteResponse", "done": False, "rewriteToken": token})
        return await super().handle(request)

    def rule(self, request: web.Request, body: bytes) -> str:
        """See Proxy.rule."""
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return "a request without its token"
        if request.path.endswith("/compose"):
            sources = json.loads(body)["sourceObjects"]
            self.copied += len(sources)
            return "" if 0 < len(sources) <= SOURCES else f"a compose of {len(sources)} objects"
        if request.path.startswith("/upload/"):
            whole = int(request.headers.get("Content-Length", -1)) == len(body)
            named = request.query.get("uploadType") == "media" and request.query.get("name")
            return "" if whole and named else "an upload that is not of one whole object"
        if "bytes=" in request.headers.get("Range", "") and not re.fullmatch(
            r"bytes=\d+-\d*", request.headers["Range"]
        ):
            return f"a range of its own: {request.headers['Range']}"
        return ""

    def error(self, status: int, said: str) -> web.Response:
        """See Proxy.error."""
        return web.json_response({"error": {"code": status, "message": said}}, status=status)
