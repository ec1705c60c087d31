"""A proxy before an S3 server that is stricter than it, and that fails on command.

Strict: every body must have the SHA-256 that its request was signed with; a multipart must be completed with the parts
that were sent, each with the ETag it was answered with, in ascending order, and none but the last below 5 MiB. What
breaks a rule is noted in `broken` and answered 400.
"""

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from aiohttp import web

from .proxy import Proxy

LEAST: Final = 5 * 1024 * 1024
UNSIGNED: Final = "UNSIGNED-PAYLOAD"


@dataclass
class Part:
    """What was answered for one part of a multipart."""

    etag: str
    size: int


@dataclass
class S3Proxy(Proxy):
    """`parts`: what was answered for the parts of each multipart; `classes`: the class of storage asked for at each
    name."""

    classes: dict[str, str] = field(default_factory=dict)
    parts: dict[str, dict[int, Part]] = field(default_factory=lambda: defaultdict(dict))

    def rule(self, request: web.Request, body: bytes) -> str:
        """What the request breaks, or nothing."""
        said = request.headers.get("x-amz-content-sha256", "")
        if len(said) == 64 and hashlib.sha256(body).hexdigest() != said:
            return f"{request.method} {request.path_qs}: the body is not the one that was signed"
        upload = request.query.get("uploadId")
        if upload is None and request.method in ("PUT", "POST"):
            self.classes[request.path] = request.headers.get("x-amz-storage-class", "")
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

    def note(self, request: web.Request, answer: aiohttp.ClientResponse, content: bytes, size: int) -> None:
        upload, number = request.query.get("uploadId"), request.query.get("partNumber")
        if request.method != "PUT" or upload is None or number is None or answer.status != 200:
            return
        etag = answer.headers.get("ETag", "")
        copied = re.search(rb"<ETag>(.*?)</ETag>", content)
        if copied:
            self.copied += 1
            etag = copied[1].decode().replace("&quot;", "").replace("&#34;", "")
            span = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("x-amz-copy-source-range", ""))
            size = int(span[2]) - int(span[1]) + 1 if span else LEAST
        self.parts[upload][int(number)] = Part(etag.strip('"'), size)

    def error(self, status: int, said: str) -> web.Response:
        """See Proxy.error."""
        code = {400: "BadRequest", 503: "SlowDown"}.get(status, "InternalError")
        return web.Response(status=status, text=f"<Error><Code>{code}</Code><Message>{said}</Message></Error>")
