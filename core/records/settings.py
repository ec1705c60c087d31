"""What an administrator sets while the registry runs: rows that the next request of every server reads."""

import json
from enum import StrEnum

from ..access import Principal
from . import audit
from .database import Connection

READ = "SELECT value #>> '{}' FROM setting WHERE name = $1"
WRITE = """INSERT INTO setting (name, value) VALUES ($1, $2::jsonb)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, update_time = now()"""
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
