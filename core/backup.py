"""Backups: the records of one moment as files, the list of the blobs they promise and, if wanted, those blobs.

Nothing stands still meanwhile. What a snapshot promises stays in the store for `gc.undo` after it at least, since
nothing that was linked goes sooner: a backup, and the copying of its blobs, must be done within that time.

DIR/backup.json      what this is; written last, so a folder without it is no backup
DIR/tables/*.copy    rows, as PostgreSQL's COPY has them
DIR/blobs.jsonl      each blob that was promised: digest, size, key
DIR/store/           the blobs, by the keys of the store (with blobs)
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg

from dataforge_registry.drivers.base import Driver, NotFound
from dataforge_registry.drivers.filesystem import FilesystemDriver

from .oci.digest import Digest, blob_key
from .records import snapshot
from .records.database import Database
from .records.snapshot import Held, Table

FORMAT: Final = 1
AT_ONCE: Final = 8
Tell = Callable[[int], None]


class BackupError(Exception):
    """Why a backup cannot be made or used, in one line."""


@dataclass
class Report:
    """rows and blobs (and their bytes) of the backup; `missing`: blobs that are not where the records say."""

    rows: int = 0
    blobs: int = 0
    size: int = 0
    copied: int = 0
    missing: list[str] = field(default_factory=list)


async def backup(
    database: Database, driver: Driver, folder: Path, undo: timedelta, *, blobs: bool, tell: Tell = lambda _: None
) -> Report:
    """Write a backup into a folder; blobs that an earlier one left there are not copied again. BackupError."""
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    head = folder / "backup.json"
    head.unlink(missing_ok=True)
    async with database.direct() as frozen, frozen.transaction(isolation="repeatable_read", readonly=True):
        taken = await snapshot.now(frozen)
        tables = await snapshot.write(frozen, folder / "tables")
        promised = await snapshot.held(frozen)
        numbers = await snapshot.sequences(frozen)
    report = Report(sum(table.rows for table in tables), len(promised), sum(each.size for each in promised))
    lines = (json.dumps(asdict(each) | {"key": key_of(each)}) for each in promised)
    (folder / "blobs.jsonl").write_text("".join(f"{line}\n" for line in lines))
    if blobs:
        await _copy(promised, driver, FilesystemDriver(str(folder / "store")), report, tell)
        async with database.acquire() as conn:
            if await snapshot.now(conn) - taken > undo:
                raise BackupError(
                    "copying took longer than gc.undo: blobs may have gone meanwhile; make gc.undo longer"
                )
    made: dict[str, Any] = {
        "format": FORMAT,
        "taken_at": taken.isoformat(),
        "good_until": None if blobs else (taken + undo).isoformat(),
        "tables": [asdict(table) for table in tables],
        "sequences": numbers,
        "blobs": report.blobs,
        "bytes": report.size,
    }
    draft = folder / "backup.json.part"
    draft.write_text(json.dumps(made, indent=1))
    draft.replace(head)
    return report


async def restore(database: Database, driver: Driver, folder: Path, tell: Tell = lambda _: None) -> Report:
    """Fill an empty database, copy blobs that the backup brings and the store lacks, and look for each of the others.
    BackupError, and nothing was changed."""
    try:
        head = json.loads((folder / "backup.json").read_text())
        if head["format"] != FORMAT:
            raise BackupError(f"{folder} was written by another version (format {head['format']})")
        tables = [Table(**each) for each in head["tables"]]
        numbers: dict[str, int] = head["sequences"]
    except FileNotFoundError:
        raise BackupError(f"{folder} holds no whole backup: there is no backup.json") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{folder}/backup.json cannot be read: {error}") from None
    try:
        async with database.direct() as conn, conn.transaction():
            if wrong := await snapshot.fill(conn, folder / "tables", tables):
                raise BackupError(wrong)
            await snapshot.set_sequences(conn, numbers)
            promised = await snapshot.held(conn)
    except (OSError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise BackupError(f"{folder} cannot be restored: {' '.join(str(error).split())}") from None
    report = Report(sum(table.rows for table in tables), len(promised), sum(each.size for each in promised))
    store = folder / "store"
    await _copy(promised, FilesystemDriver(str(store)) if store.is_dir() else None, driver, report, tell)
    return report


def key_of(blob: Held) -> str:
    """Where it lies."""
    return blob.key or blob_key(Digest(blob.digest), blob.generation)


async def _copy(blobs: list[Held], source: Driver | None, target: Driver, report: Report, tell: Tell) -> None:
    """What the target lacks, from the source, if there is one."""

    async def one(blob: Held) -> None:
        key = key_of(blob)
        if blob.inline or await _holds(target, key, blob.size):
            return
        if source is None or not await _holds(source, key, blob.size):
            report.missing.append(blob.digest)
            return
        await target.put(key, await source.open(key), blob.size)
        report.copied += 1

    for start in range(0, len(blobs), AT_ONCE):
        await asyncio.gather(*(one(blob) for blob in blobs[start : start + AT_ONCE]))
        tell(start)


async def _holds(driver: Driver, key: str, size: int) -> bool:
    try:
        return (await driver.stat(key)).size == size
    except NotFound:
        return False
