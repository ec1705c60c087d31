"""Sending readers of blobs to the store itself (307), where that is worth a request more and the reader can follow."""

from dataclasses import dataclass

from ...core.reading import BlobReading
from ...core.records.lookup import FoundBlob
from .answer import Answer, Request

STREAMED = "redirect"
"""The query parameter by which a reader that cannot follow asks for the bytes from here: `?redirect=false`."""


@dataclass(frozen=True)
class Redirects:
    """Whether and when: answers of `least` bytes and more, by links of `seconds`, to all but the User-Agents in which
    one of `except_agents` is part."""

    enabled: bool = False
    least: int = 1 << 20
    seconds: int = 1200
    except_agents: tuple[str, ...] = ()

    async def answer(
        self, request: Request, reading: BlobReading, found: FoundBlob, length: int, headers: dict[str, str]
    ) -> Answer | None:
        """The 307 for an answer of `length` bytes; None where it is sent from here. A reader's Range goes along: it
        asks the store as it asked us."""
        if not self.enabled or length < self.least or self._stays(request):
            return None
        link = await reading.url(found, self.seconds)
        if link is None or (link.startswith("http:") and request.scope["scheme"] == "https"):
            return None  # clients refuse to leave TLS (regctl), and should
        told = {name: value for name, value in headers.items() if name in ("docker-content-digest", "etag")}
        return Answer(307, told | {"location": link, "cache-control": "private, no-store"})

    def _stays(self, request: Request) -> bool:
        agent = request.headers.get("user-agent", "")
        return request.one(STREAMED) == "false" or any(name in agent for name in self.except_agents)
