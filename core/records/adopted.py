"""Blobs whose bytes lie in the tree of another registry: schema.sql section 7, blob_adopt and gc_delete_held."""

from datetime import timedelta
from typing import Literal

from ..access import Principal
from ..oci.digest import Digest
from . import settings
from .calls import fetchval
from .database import Connection, Database

TREES = "adopted_trees"
SELECT_ADOPT = "SELECT blob_adopt($1, $2, $3, $4, $5)"
HELD = "SELECT count(*)::int FROM gc_delete WHERE next_try = 'infinity'"
RELEASE = "UPDATE gc_delete SET next_try = clock_timestamp() WHERE next_try = 'infinity'"

Answer = Literal["adopted", "linked", "absent"]


async def adopt(
    database: Database, repository_id: int, digest: Digest, size: int, key: str | None, lease: timedelta
) -> Answer:
    """Let a repository serve a blob that lies at key (None: in another store), or that is here already. absent: its
    bytes have to be pushed. NameUnknown, QuotaExceeded."""
    answer: Answer = await fetchval(database, SELECT_ADOPT, repository_id, digest, size, key, lease)
    return answer


async def keep_trees(conn: Connection, by: Principal) -> None:
    """From now on objects at adopted keys are not deleted, though nothing needs them."""
    await settings.write(conn, by, TREES, "kept", "adopted objects are kept")


async def release_trees(conn: Connection, by: Principal) -> int:
    """The old registry is not needed any more: they are deleted as all others. How many waited for that."""
    await settings.write(conn, by, TREES, "ours", "adopted objects may be deleted")
    waiting = int(await conn.fetchval(HELD))
    await conn.execute(RELEASE)
    return waiting
