"""What an administrator sets while the registry runs: rows that the next request of every server reads."""

import json
from enum import StrEnum

from ..access import Principal
from . import audit
from .database import Connection

READ = "SELECT value #>> '{}' FROM setting WHERE name = $1"
WRITE = """INSERT INTO setting (name, value) VALUES ($1, $2::jsonb)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, update_time = now()"""
READ_ALL = "SELECT name, value #>> '{}' FROM setting WHERE name = ANY($1::text[])"
MODE = "mode"

HOT = (READ,)


class Mode(StrEnum):
    """What may be changed now. no-push: everything but pushes. read-only: nothing but settings, sign-ins and gc."""

    NORMAL = "normal"
    NO_PUSH = "no-push"
    READ_ONLY = "read-only"


async def text(conn: Connection, name: str) -> str | None:
    """A setting; None: it was never set."""
    found: str | None = await conn.fetchval(READ, name)
    return found


async def set_text(conn: Connection, name: str, value: str) -> None:
    """From now on. The caller writes down who did it."""
    await conn.execute(WRITE, name, json.dumps(value))


async def mode(conn: Connection) -> Mode:
    """The mode of this moment."""
    return Mode(await conn.fetchval(READ, MODE) or Mode.NORMAL)


async def set_mode(conn: Connection, by: Principal, mode: Mode, **where: str) -> None:
    """From now on."""
    await conn.execute(WRITE, MODE, json.dumps(mode))
    await audit.record(conn, by, "update", "configuration", f"mode {mode}", project_id=None, **where)


async def read(conn: Connection, *names: str) -> dict[str, str]:
    """The settings of these names that somebody set: texts as they are, anything else as JSON."""
    return {row[0]: row[1] for row in await conn.fetch(READ_ALL, names)}


async def write(conn: Connection, by: Principal, name: str, value: object, said: str, **where: str) -> None:
    """Set one from now on. `said` is what the audit trail keeps of it: never a secret."""
    await conn.execute(WRITE, name, json.dumps(value))
    await audit.record(conn, by, "update", "configuration", said, project_id=None, **where)
