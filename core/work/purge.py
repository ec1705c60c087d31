"""Purging the audit trail: whole checkpoints whose rows are all older than a moment, from the beginning on.

First a signed record takes the place of the checkpoints, then the rows go: months by dropping their partition, the rest
of the last one row by row. What a stop leaves is removed by the next run.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self

import asyncpg

from ..access import Principal
from ..records import audit, checkpoints
from ..records.checkpoints import Checkpoint, Purge
from ..records.database import Connection, Database
from ..records.partitions import dated
from ..sealing import Signer, purge_text
from .queue import start
from .task import Task, Wanted

PURGE: Final = "audit.purge"
BATCH: Final = 5000
PATIENCE: Final = "1s"
"""How long to wait for transactions that use access_log: new ones wait behind us meanwhile."""
LEAST: Final = frozenset(("create", "delete", "pull"))
"""Harbor's words for all there is."""

_LAST_OF = "SELECT max(log_id) FROM {}"
REMOVE = """DELETE FROM access_log a USING (
  SELECT op_time, log_id FROM access_log WHERE log_id <= $1 ORDER BY log_id LIMIT $2) AS q
WHERE a.op_time = q.op_time AND a.log_id = q.log_id"""


@dataclass(frozen=True, slots=True)
class PurgeParameters:
    """As Harbor's: rows older than so many hours; count only. Kinds cannot be chosen, since a chain with holes proves
    nothing: include_event_types, or include_operations, names all or is left out. ValueError says what cannot be."""

    audit_retention_hour: int = 24 * 365
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not 1 <= self.audit_retention_hour <= 24 * 36500:
            raise ValueError(f"audit_retention_hour: 1 to {24 * 36500}, not {self.audit_retention_hour}")

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> Self:
        """Of a task, a schedule or an execution."""
        return cls(**{each.name: payload[each.name] for each in fields(cls) if each.name in payload})

    @staticmethod
    def check_kinds(asked: Mapping[str, Any]) -> None:
        """ValueError where a request names some kinds of rows alone."""
        for name in ("include_event_types", "include_operations"):
            chosen = {word.strip().partition("_")[0] for word in str(asked.get(name) or "").split(",")} - {""}
            if chosen and not chosen >= LEAST:
                raise ValueError(f"{name}: rows of some kinds alone cannot be purged; name create,delete,pull or none")


async def start_purge(conn: Connection, parameters: PurgeParameters, username: str, trigger: str = "manual") -> int:
    """A run for the next worker; the execution's id."""
    return await start(conn, Wanted(PURGE, [asdict(parameters)], trigger=trigger, username=username))


@dataclass(frozen=True, slots=True)
class RunPurge:
    """The handler of PURGE."""

    database: Database
    signer: Signer | None

    async def __call__(self, task: Task) -> None:
        """Unavailable fails the attempt, and the next one goes on."""
        parameters = PurgeParameters.read(task.payload)
        async with self.database.acquire() as conn:
            before = await checkpoints.now(conn) - timedelta(hours=parameters.audit_retention_hour)
        rows = await purge(self.database, self.signer, before, parameters.dry_run)
        what = "rows would be purged" if parameters.dry_run else "rows were purged"
        await task.set_attributes(**asdict(parameters), purged=rows)
        await task.log(f"{rows} {what}: sealed, and older than {before:%Y-%m-%d %H:%M:%S} UTC")


async def purge(database: Database, signer: Signer | None, before: datetime, dry_run: bool = False) -> int:
    """Purge what is older; returns how many rows that were, or would be. Rows of a checkpoint go together, so those of
    up to a minute stay that are older too."""
    async with database.acquire() as conn:
        last = await checkpoints.last_before(conn, before)
        base = checkpoints.base(await checkpoints.last_purge(conn))
    if last is not None and not dry_run:
        await _record(database, signer, last, before)
    if not dry_run:
        await _remove(database, last.last_id if last else base.last_id, before)
    return last.total - base.total if last else 0


async def _record(database: Database, signer: Signer | None, last: Checkpoint, before: datetime) -> None:
    by = Principal("system", name="purge")
    async with database.acquire() as conn:
        now = await checkpoints.now(conn)
    purged = Purge(last.number, last.last_id, last.total, last.chain, before, now, by.name)
    sealed = None
    if signer is not None:
        kid, signature, sealed = await signer.sign(purge_text(purged))
        purged = replace(purged, kid=kid, signature=signature)
    async with database.transaction() as conn:
        if sealed is not None:
            await checkpoints.keep_key(conn, purged.kid, sealed)
        await checkpoints.replace(conn, purged)
        await audit.record(conn, by, "delete", "audit_log", f"rows to {last.last_id}, before {before.isoformat()}")


async def _remove(database: Database, last_id: int, before: datetime) -> None:
    async with database.acquire() as conn:
        partitions = await dated(conn)
    for name, stop in sorted(partitions.items()):
        if stop <= before.astimezone(UTC):
            await _drop(database, name, last_id)
    while True:
        async with database.acquire() as conn:
            removed = await conn.execute(REMOVE, last_id, BATCH)
        if int(removed.split()[-1]) < BATCH:
            return


async def _drop(database: Database, name: str, last_id: int) -> None:
    try:
        async with database.transaction() as conn:
            await conn.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            if (await conn.fetchval(_LAST_OF.format(name)) or 0) <= last_id:
                await conn.execute(f"DROP TABLE {name}")
    except (asyncpg.LockNotAvailableError, asyncpg.UndefinedTableError):
        return  # busy, so its rows go one by one and it is dropped next time; or another run was faster
