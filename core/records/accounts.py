"""Accounts and what they may claim. A change of an account reaches its next request: nothing here is cached."""

import re
from dataclasses import dataclass
from typing import Any

from ..access import Principal, Rights
from . import audit
from .database import Connection

USERNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,254}")

RIGHTS = """
SELECT valid, admin, project_id, public, sparse, roles, grants, storage_limit, storage_used
FROM rights($1, $2, $3, $4)
"""
COLUMNS = 9

FIND = """
SELECT account_id, username, password, password_version, token_epoch, admin, disabled
FROM account WHERE lower(username) = lower($1) AND NOT deleted
"""

LIST = """
SELECT account_id, username, password, password_version, token_epoch, admin, disabled
FROM account WHERE NOT deleted ORDER BY lower(username)
"""

CREATE = """
INSERT INTO account (username, password, admin, email, realname, comment) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (lower(username)) WHERE NOT deleted DO NOTHING RETURNING account_id
"""

DISABLE = """
UPDATE account SET disabled = $2, token_epoch = token_epoch + 1, update_time = now()
WHERE lower(username) = lower($1) AND NOT deleted RETURNING account_id
"""

CHANGE_PASSWORD = """
UPDATE account SET password = $2, password_version = password_version + 1, token_epoch = token_epoch + 1,
                   update_time = now()
WHERE lower(username) = lower($1) AND NOT deleted RETURNING account_id
"""

HAS_ADMIN = "SELECT EXISTS (SELECT FROM account WHERE admin)"

ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('dataforge-registry first administrator', 0))"


class AccountError(Exception):
    """An account that exists, does not exist, or has a name that cannot be; the message says which."""


@dataclass(frozen=True, slots=True)
class Account:
    """A row of account: who can sign in. `password` is a PHC string, None where the account signs in elsewhere."""

    id: int
    username: str
    password: str | None
    password_version: int
    epoch: int
    admin: bool
    disabled: bool

    @property
    def principal(self) -> Principal:
        """The account as the one who asks."""
        return Principal("account", self.id, self.username, self.epoch)


async def rights(conn: Connection, principal: Principal, project: str) -> Rights:
    """What the principal may claim now in a project, by name. "" asks only whether the principal still holds."""
    row = await conn.fetchrow(RIGHTS, principal.kind, principal.id, principal.epoch, project)
    assert row is not None
    return rights_of(row)


def rights_of(row: Any) -> Rights:
    """The first columns of a row, which are those of rights() in its order."""
    valid, admin, project_id, public, sparse, roles, grants, limit, used = row[:COLUMNS]
    return Rights(valid, admin, project_id, public, sparse, tuple(roles), tuple(grants), limit, used)


async def find(conn: Connection, username: str) -> Account | None:
    """The account of a name, whatever its case; None if there is none."""
    row = await conn.fetchrow(FIND, username)
    return None if row is None else Account(*row)


async def list_accounts(conn: Connection) -> list[Account]:
    """All accounts, by name."""
    return [Account(*row) for row in await conn.fetch(LIST)]


async def create(
    conn: Connection,
    by: Principal,
    username: str,
    password: str | None,
    *,
    admin: bool = False,
    email: str | None = None,
    realname: str = "",
    comment: str = "",
    **where: str,
) -> int:
    """Make an account; `password` is its PHC string. AccountError where the name is taken or cannot be."""
    if not USERNAME.fullmatch(username):
        raise AccountError("a user name has 1 to 255 of A-Z a-z 0-9 . _ @ + -, and starts with a letter or digit")
    account_id: int | None = await conn.fetchval(CREATE, username, password, admin, email, realname, comment)
    if account_id is None:
        raise AccountError(f"there is a user {username} already")
    await audit.record(conn, by, "create", "account", username, project_id=None, **where)
    return account_id


async def disable(conn: Connection, by: Principal, username: str, disabled: bool = True) -> None:
    """Shut an account out, or let it in again. Its tokens end either way. AccountError where there is none."""
    if await conn.fetchval(DISABLE, username, disabled) is None:
        raise AccountError(f"there is no user {username}")
    await audit.record(conn, by, "disable" if disabled else "enable", "account", username)


async def change_password(conn: Connection, by: Principal, username: str, password: str, **where: str) -> None:
    """Replace the password (a PHC string). Cached sign-ins and all tokens end. AccountError where there is none."""
    if await conn.fetchval(CHANGE_PASSWORD, username, password) is None:
        raise AccountError(f"there is no user {username}")
    await audit.record(conn, by, "password", "account", username, project_id=None, **where)


async def lacks_admin(conn: Connection) -> bool:
    """Whether no administrator was ever made. Holds a lock to the end of the transaction, so that one caller acts."""
    await conn.execute(ONE_BY_ONE)
    return not await conn.fetchval(HAS_ADMIN)
