"""A proxy before an S3 server that is stricter than it, and that fails on command.

Strict: every body must have the SHA-256 that its request was signed with; a multipart must be completed with the parts
that were sent, each with the ETag it was answered with, in ascending order, and none but the last below 5 MiB. What
breaks a rule is noted in `broken` and answered 400.
"""

import asyncio
import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

import aiohttp
from aiohttp import web

LEAST: Final = 5 * 1024 * 1024
UNSIGNED: Final = "UNSIGNED-PAYLOAD"
HOP: Final = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass
class Part:
    """What was answered for one part of a multipart."""

    etag: str
    size: int


@dataclass
class Proxy:
    """`faults`: what happens to the next requests, first to last: a status (answered without asking the store), `reset`
    (the connection ends before an answer), `lost` (it ends after the store has done its work), `cut` (in the middle of
    the answer's body), or a number of seconds as `slow:N`. `only`: faults meet these methods only."""

    target: str
    faults: list[str] = field(default_factory=list)
    only: str = "GET HEAD PUT POST DELETE"
    broken: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    parts: dict[str, dict[int, Part]] = field(default_factory=lambda: defaultdict(dict))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One request, through or not."""
        self.requests.append(f"{request.method} {request.path_qs}")
        fault = self.faults.pop(0) if self.faults and request.method in self.only else ""
        body = await request.read()
        rule = self._rule(request, body)
        if rule:
            self.broken.append(rule)
            return web.Response(status=400, text=f"<Error><Code>BadRequest</Code><Message>{rule}</Message></Error>")
        if fault.isdigit():
            return _error(int(fault))
        if fault == "reset":
            _end(request)
        if fault.startswith("slow:"):
            await asyncio.sleep(float(fault[5:]))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        url = f"{self.target}{request.raw_path}"
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, _raw(url), data=BytesIO(body), headers=headers, skip_auto_headers=("Content-Type",)
            ) as answer,
        ):
            content = await answer.read()
            self._note(request, answer, content, len(body))
            if fault == "lost":
                _end(request)
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
            length = int(answer.headers.get("Content-Length", len(content)))
            response = web.StreamResponse(status=answer.status, headers=kept)
            response.content_length = length
            await response.prepare(request)
            if fault == "cut":
                await response.write(content[: len(content) // 2])
                _end(request)
            if request.method != "HEAD":
                await response.write(content)
            await response.write_eof()
            return response

    def _rule(self, request: web.Request, body: bytes) -> str:
        """What the request breaks, or nothing."""
        said = request.headers.get("x-amz-content-sha256", "")
        if len(said) == 64 and hashlib.sha256(body).hexdigest() != said:
            return f"{request.method} {request.path_qs}: the body is not the one that was signed"
        upload = request.query.get("uploadId")
        if request.method != "POST" or upload is None:
            return ""
        listed = re.findall(rb"<Part>.*?</Part>", body, re.DOTALL)
        numbers = [int(re.search(rb"<PartNumber>(\d+)", part)[1]) for part in listed]  # type: ignore[index]
        etags = [
            re.search(rb"<ETag>(.*?)</ETag>", part)[1].decode().strip('"').replace("&quot;", "") for part in listed
        ]  # type: ignore[index]
        sent = self.parts[upload]
        if numbers != sorted(set(numbers)):
            return f"parts out of order: {numbers}"
        if any(number not in sent or sent[number].etag != etag for number, etag in zip(numbers, etags, strict=True)):
            return f"parts that were not sent, or other ones: {numbers}"
        if any(sent[number].size < LEAST for number in numbers[:-1]):
            return "a part below 5 MiB is not the last"
        return ""

    def _note(self, request: web.Request, answer: aiohttp.ClientResponse, content: bytes, size: int) -> None:
        upload, number = request.query.get("uploadId"), request.query.get("partNumber")
        if request.method != "PUT" or upload is None or number is None or answer.status != 200:
            return
        etag = answer.headers.get("ETag", "")
        copied = re.search(rb"<ETag>(.*?)</ETag>", content)
        if copied:
            etag = copied[1].decode().replace("&quot;", "").replace("&#34;", "")
            span = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("x-amz-copy-source-range", ""))
            size = int(span[2]) - int(span[1]) + 1 if span else LEAST
        self.parts[upload][int(number)] = Part(etag.strip('"'), size)


def _error(status: int) -> web.Response:
    code = "SlowDown" if status == 503 else "InternalError"
    return web.Response(status=status, text=f"<Error><Code>{code}</Code><Message>on command</Message></Error>")


def _end(request: web.Request) -> None:
    """End the connection as it is."""
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("on command")


def _raw(url: str) -> "aiohttp.client.StrOrURL":
    from yarl import URL

    return URL(url, encoded=True)


@asynccontextmanager
async def proxied(target: str, port: int) -> AsyncIterator[Proxy]:
    """A proxy on a port of 127.0.0.1, before a store."""
    proxy = Proxy(target)
    application = web.Application(client_max_size=1 << 30)
    application.router.add_route("*", "/{path:.*}", proxy.handle)
    runner = web.AppRunner(application, access_log=None, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield proxy
    finally:
        await runner.cleanup()
