"""Room for bytes that are about to be read: a push that cannot fit is refused before its body, or cut at the limit.

What holds is decided when the blob is charged (`charge_project`); here a client is only told sooner.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from .access import Rights
from .body import Body
from .oci.digest import Digest
from .oci.errors import QuotaExceeded
from .records import quotas
from .records.calls import quota_exceeded
from .store import Store


@dataclass(frozen=True, slots=True)
class Room:
    """What a project may hold and holds, in bytes, as the request's look-up said; limit None: as much as comes."""

    project_id: int | None = None
    limit: int | None = None
    used: int = 0

    @classmethod
    def of(cls, rights: Rights) -> "Room":
        """The room of the project that rights are about."""
        return cls(rights.project_id, rights.storage_limit, rights.storage_used or 0)

    def bound(self, body: Body, taken: int = 0) -> None:
        """Let a body take what is left beside `taken` bytes of the same blob, and no more: QuotaExceeded at once where
        its length is known, else while it is read."""
        if self.limit is not None:
            body.stop_at(max(0, self.limit - self.used - taken), lambda size: self.refusal(taken + size))

    def refusal(self, asked: int) -> QuotaExceeded:
        """What a push of `asked` bytes that does not fit is told."""
        return quota_exceeded({"limit": self.limit or 0, "used": self.used, "asked": asked})


UNLIMITED = Room()


@asynccontextmanager
async def reserved(store: Store, room: Room, digest: Digest, body: Body, taken: int = 0) -> AsyncIterator[None]:
    """Read the rest of a blob inside, whose first `taken` bytes are here: its room is promised, and given back where it
    does not become a blob. QuotaExceeded before anything is read; a body of unknown length is cut at the limit."""
    if room.limit is None or room.project_id is None:
        yield
        return
    if body.length is None and not await quotas.charged(store.database, room.project_id, digest):
        room.bound(body, taken)
    size = taken + (body.length or 0)
    made = await quotas.reserve(store.database, room.project_id, digest, size)
    try:
        yield
    except BaseException:
        if made:
            store.later(quotas.release(store.database, room.project_id, digest))
        raise
