"""Blobs whose bytes lie in the tree of another registry: schema.sql section 7, blob_adopt and gc_delete_held."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from ..access import Principal
from ..oci.digest import Digest
from . import settings
from .calls import fetchval
from .database import Connection, Database

TREES = "adopted_trees"
SELECT_ADOPT = "SELECT blob_adopt($1, $2, $3, $4, $5)"
SELECT_REPLAY = "SELECT tag_replay($1, $2, $3, $4, $5)"
HELD = "SELECT count(*)::int FROM gc_delete WHERE next_try = 'infinity'"
RELEASE = "UPDATE gc_delete SET next_try = clock_timestamp() WHERE next_try = 'infinity'"

Answer = Literal["adopted", "linked", "absent"]
Replay = Literal["replayed", "told", "moved", "numbered"]


async def adopt(
    database: Database, repository_id: int, digest: Digest, size: int, key: str | None, lease: timedelta
) -> Answer:
    """Let a repository serve a blob that lies at key (None: in another store), or that is here already. absent: its
    bytes have to be pushed. NameUnknown, QuotaExceeded."""
    answer: Answer = await fetchval(database, SELECT_ADOPT, repository_id, digest, size, key, lease)
    return answer


async def replay(
    database: Database, repository_id: int, tag: str, past: Sequence[tuple[str, datetime]], by: str
) -> Replay:
    """Let the history of a tag that `by` made here begin with what it named elsewhere, the oldest first. moved: it
    names something else than the last of these; told: its history does not begin with that push, or it was replayed;
    numbered: it is the number of a curve's version, which none but one may ever have."""
    digests, times = zip(*past, strict=True)
    answer: Replay = await fetchval(database, SELECT_REPLAY, repository_id, tag, digests, times, by)
    return answer


async def keep_trees(conn: Connection, by: Principal) -> None:
    """From now on objects at adopted keys are not deleted, though nothing needs them."""
    if await settings.text(conn, TREES) != "kept":
        await settings.write(conn, by, TREES, "kept", "adopted objects are kept")


async def release_trees(conn: Connection, by: Principal) -> int:
    """The old registry is not needed any more: they are deleted as all others. How many waited for that."""
    await settings.write(conn, by, TREES, "ours", "adopted objects may be deleted")
    waiting = int(await conn.fetchval(HELD))
    await conn.execute(RELEASE)
    return waiting
