"""Checkpoints of the audit trail, what purges took, and the public keys that signed both (core/sealing.py)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from .database import Connection, Database

_CHECKPOINT: Final = (
    "number, after_id, last_id, row_count, total, first_time, last_time, chain, hints, made_at, kid, signature"
)
_PURGE: Final = "number, last_id, total, chain, before, made_at, username, kid, signature"
INSERT = f"""INSERT INTO audit_checkpoint ({_CHECKPOINT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT DO NOTHING RETURNING number"""
LAST = """SELECT number, last_id, total, chain, made_at FROM audit_checkpoint ORDER BY number DESC LIMIT 1"""
AFTER = f"SELECT {_CHECKPOINT} FROM audit_checkpoint WHERE number > $1 ORDER BY number LIMIT $2"
PURGES = f"SELECT {_PURGE} FROM audit_purge ORDER BY number"
LAST_PURGE = f"SELECT {_PURGE} FROM audit_purge ORDER BY number DESC LIMIT 1"
INSERT_PURGE = f"INSERT INTO audit_purge ({_PURGE}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
FORGET = "DELETE FROM audit_checkpoint WHERE number <= $1"
OLD = f"""SELECT {_CHECKPOINT} FROM audit_checkpoint WHERE number < coalesce(
  (SELECT min(number) FROM audit_checkpoint WHERE last_time >= $1), 9223372036854775807) ORDER BY number DESC LIMIT 1"""
KEYS = "SELECT kid, sealed FROM audit_key"
KEEP_KEY = """INSERT INTO audit_key (kid, sealed) VALUES ($1, $2) ON CONFLICT (kid) DO NOTHING"""
RESEAL_KEY = "UPDATE audit_key SET sealed = $2 WHERE kid = $1"
NOW = "SELECT clock_timestamp()"
PAGE: Final = 20


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A row of audit_checkpoint."""

    number: int
    after_id: int
    last_id: int
    row_count: int
    total: int
    first_time: datetime
    last_time: datetime
    chain: bytes
    hints: bytes
    made_at: datetime
    kid: str = ""
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Purge:
    """A row of audit_purge."""

    number: int
    last_id: int
    total: int
    chain: bytes
    before: datetime
    made_at: datetime
    username: str
    kid: str = ""
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Tip:
    """Where the chain has come to; `made_at` is None before its first checkpoint."""

    number: int = 0
    last_id: int = 0
    total: int = 0
    chain: bytes = bytes(32)
    made_at: datetime | None = None


async def tip(conn: Connection) -> Tip:
    """The last checkpoint, or the purge that took it."""
    last = await conn.fetchrow(LAST)
    if last is not None:
        return Tip(*last)
    purged = await last_purge(conn)
    return base(purged)


def base(purged: Purge | None) -> Tip:
    """Where the chain begins: at its birth, or behind the last purge."""
    return Tip() if purged is None else Tip(purged.number, purged.last_id, purged.total, purged.chain, purged.made_at)


async def add(conn: Connection, checkpoint: Checkpoint) -> bool:
    """False: another was faster."""
    values = [getattr(checkpoint, name) for name in _CHECKPOINT.split(", ")]
    return await conn.fetchval(INSERT, *values) is not None


async def each(database: Database, after: int) -> AsyncIterator[Checkpoint]:
    """All after a number, in order."""
    while True:
        async with database.acquire() as conn:
            rows = await conn.fetch(AFTER, after, PAGE)
        for row in rows:
            yield Checkpoint(*row)
        if len(rows) < PAGE:
            return
        after = rows[-1]["number"]


async def purges(conn: Connection) -> list[Purge]:
    """All, in order."""
    return [Purge(*row) for row in await conn.fetch(PURGES)]


async def last_purge(conn: Connection) -> Purge | None:
    """The latest; None: there was none."""
    row = await conn.fetchrow(LAST_PURGE)
    return None if row is None else Purge(*row)


async def last_before(conn: Connection, moment: datetime) -> Checkpoint | None:
    """The last of those from the beginning on whose rows are all older than a moment."""
    row = await conn.fetchrow(OLD, moment)
    return None if row is None else Checkpoint(*row)


async def replace(conn: Connection, purge: Purge) -> None:
    """The purge stands for its checkpoints from now on."""
    await conn.execute(INSERT_PURGE, *(getattr(purge, name) for name in _PURGE.split(", ")))
    await conn.execute(FORGET, purge.number)


async def keys(conn: Connection) -> dict[str, bytes]:
    """Key id -> sealed public key."""
    return {row["kid"]: row["sealed"] for row in await conn.fetch(KEYS)}


async def keep_key(conn: Connection, kid: str, sealed: bytes) -> None:
    """Keep a public key, if it is new."""
    await conn.execute(KEEP_KEY, kid, sealed)


async def reseal_key(conn: Connection, kid: str, sealed: bytes) -> None:
    """Keep the same key, sealed anew."""
    await conn.execute(RESEAL_KEY, kid, sealed)


async def now(conn: Connection) -> datetime:
    """The database's clock."""
    found: datetime = await conn.fetchval(NOW)
    return found
