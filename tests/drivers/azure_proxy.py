"""A proxy before an Azure Blob server that holds the driver to the service's rules, which an emulator may let pass.

Ids of blocks at a name are of one length; a list names blocks that were staged there and not dropped since, once each;
a block that is copied names its range; a copy is one that is done when it is answered; no answer is read on but of the
same object.
"""

import re
from base64 import b64decode
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from aiohttp import web

from .proxy import Proxy

CODES: Final = {400: "InvalidInput", 500: "OperationTimedOut", 503: "ServerBusy"}


@dataclass
class AzureProxy(Proxy):
    """`blocks`: those staged at each name; `refused`: the codes of what the store said no to."""

    blocks: dict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    refused: list[str] = field(default_factory=list)

    def rule(self, request: web.Request, body: bytes) -> str:
        """See Proxy.rule."""
        if request.method != "PUT":
            return ""
        kind, source = request.query.get("comp"), request.headers.get("x-ms-copy-source", "")
        if kind == "block":
            block = b64decode(request.query["blockid"], validate=True)
            if len({len(each) for each in (*self.blocks[request.path], block)}) > 1 or len(block) > 64:
                return f"ids of more than one length, or too long: {block!r}"
            if source and not re.fullmatch(r"bytes=\d+-\d+", request.headers.get("x-ms-source-range", "")):
                return "a copy of a block without its range"
            return "a copied block with a body" if source and body else ""
        if kind == "blocklist":
            listed = [b64decode(each) for each in re.findall(rb"<Latest>(.*?)</Latest>", body)]
            return "" if len(set(listed)) == len(listed) == body.count(b"<Latest>") else f"not a list: {body!r}"
        if source and request.headers.get("x-ms-requires-sync", "").lower() != "true":
            return "a copy that may end after its answer"
        return ""

    def note(self, request: web.Request, answer: aiohttp.ClientResponse, content: bytes, size: int) -> None:
        """See Proxy.note."""
        if answer.status >= 400:
            self.refused.append(answer.headers.get("x-ms-error-code", ""))
        if request.method != "PUT" or answer.status != 201:
            return
        if request.query.get("comp") == "block":
            self.blocks[request.path].add(b64decode(request.query["blockid"]))
            self.copied += "x-ms-copy-source" in request.headers
        else:
            self.blocks[request.path].clear()

    def error(self, status: int, said: str) -> web.Response:
        """See Proxy.error."""
        code = CODES.get(status, "InternalError")
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{said}</Message></Error>"
        return web.Response(status=status, text=text, content_type="application/xml", headers={"x-ms-error-code": code})
