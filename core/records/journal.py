"""The audit trail as a journal: rows of access_log in the order of log_id, and up to where none can come any more."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from .database import Connection, Database

COLUMNS: Final = (
    "log_id, op_time, username, project_id, repo_name, repo_tag, operation, resource_type, resource, result, "
    "address, request_id"
)
GIVEN = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM access_log_id"
LAST = "SELECT max(log_id) FROM access_log"
RUNNING = """SELECT pg_snapshot_xmin(s)::text::bigint AS oldest, pg_snapshot_xmax(s)::text::bigint AS next
FROM pg_current_snapshot() AS s"""
READ = f"SELECT {COLUMNS} FROM access_log WHERE log_id > $1 AND log_id <= $2 ORDER BY log_id LIMIT $3"
READ_TIMES = f"""SELECT {COLUMNS} FROM access_log WHERE (op_time, log_id) > ($1, $2) AND op_time < $3
ORDER BY op_time, log_id LIMIT $4"""
PAGE: Final = 2000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Entry(NamedTuple):
    """One row: who did what to what, when and from where."""

    log_id: int
    op_time: datetime
    username: str
    project_id: int | None
    repo_name: str
    repo_tag: str
    operation: str
    resource_type: str
    resource: str
    result: bool
    address: str
    request_id: str


class Horizon:
    """Up to which log_id the journal is whole. A row's transaction has its number before the row has its log_id, so
    once every transaction that ran when a log_id was the last one given has ended, none below it can appear."""

    def __init__(self) -> None:
        self._settled = 0
        self._waiting: tuple[int, int] | None = None

    async def settled(self, conn: Connection) -> int:
        """The last log_id below which nothing changes. It follows the journal by one call."""
        if self._waiting is not None:
            last, after = self._waiting
            if (await _running(conn))[0] >= after:
                self._settled, self._waiting = last, None
        if self._waiting is None:
            last = await conn.fetchval(GIVEN)  # before the snapshot: in one statement the snapshot would be older
            self._waiting = last, (await _running(conn))[1]
        return self._settled


async def _running(conn: Connection) -> tuple[int, int]:
    """The oldest transaction that runs, and the next that will."""
    row = await conn.fetchrow(RUNNING)
    assert row is not None
    return row["oldest"], row["next"]


async def read(conn: Connection, after: int, through: int, limit: int = PAGE) -> list[Entry]:
    """The rows after a log_id, up to another, in order."""
    return [Entry(*row) for row in await conn.fetch(READ, after, through, limit)]


async def between(database: Database, start: datetime, stop: datetime) -> AsyncIterator[Sequence[Entry]]:
    """Pages of the rows of [start, stop), by time."""
    at, log_id = start, -1
    while True:
        async with database.acquire() as conn:
            found = [Entry(*row) for row in await conn.fetch(READ_TIMES, at, log_id, stop, PAGE)]
        if found:
            yield found
        if len(found) < PAGE:
            return
        at, log_id = found[-1].op_time, found[-1].log_id


def micros(moment: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def canonical(fields: Sequence[Any]) -> bytes:
    """Fields as bytes, each as `<length>:<UTF-8>,` (netstrings); None is `-`, a time its microseconds since 1970, a
    truth `1` or `0`. No two sequences are alike."""
    parts = []
    for field in fields:
        match field:
            case None:
                parts.append(b"-")
                continue
            case str():
                raw = field.encode()
            case bool():
                raw = b"1" if field else b"0"
            case int():
                raw = b"%d" % field
            case datetime():
                raw = b"%d" % micros(field)
            case _:
                raw = bytes(field)
        parts.append(b"%d:%s," % (len(raw), raw))
    return b"".join(parts)
