"""Accounts as administrators see them, by id: lists, profiles, who is an administrator. Never a secret in it."""

from dataclasses import dataclass
from datetime import datetime

from ..access import Principal
from ..oci.errors import InUse, NotFound
from . import audit
from .accounts import ONE_BY_ONE
from .database import Connection
from .listing import Asked, Column, Listing

_COLUMNS = "account_id, username, email, realname, comment, admin, admin_in_auth, disabled, creation_time, update_time"

GET = f"SELECT {_COLUMNS} FROM account WHERE account_id = $1 AND NOT deleted"

BY_NAME = "SELECT account_id, username FROM account WHERE lower(username) = lower($1) AND NOT deleted"

SET_PROFILE = """
UPDATE account SET email = $2, realname = $3, comment = $4, update_time = now() WHERE account_id = $1
"""

SET_ADMIN = """
UPDATE account SET admin = $2, token_epoch = token_epoch + 1, update_time = now() WHERE account_id = $1
"""

OTHER_ADMIN = """
SELECT EXISTS (SELECT FROM account WHERE admin AND NOT disabled AND NOT deleted AND account_id <> $1)
"""

SET_CLI_SECRET = """
UPDATE account SET cli_secret = $2, token_epoch = token_epoch + 1, update_time = now() WHERE account_id = $1
"""

DELETE = """
WITH member AS (DELETE FROM project_member WHERE entity_type = 'u' AND entity_id = $1),
  grouped AS (DELETE FROM user_group_member WHERE account_id = $1),
  browsing AS (DELETE FROM session WHERE account_id = $1),
  refreshing AS (DELETE FROM refresh_token WHERE account_id = $1),
  known AS (DELETE FROM account_identity WHERE account_id = $1)
UPDATE account SET deleted = true, admin = false, admin_in_auth = false, password = NULL, cli_secret = NULL,
  email = NULL, token_epoch = token_epoch + 1, update_time = now()
WHERE account_id = $1
"""

ADMINISTERS = """
SELECT EXISTS (SELECT FROM project_member m JOIN project p USING (project_id)
  WHERE m.role_id = 1 AND NOT p.deleted AND (m.entity_type = 'u' AND m.entity_id = $1
    OR m.entity_type = 'g' AND m.entity_id IN (SELECT group_id FROM user_group_member WHERE account_id = $1)))
"""

LISTING = Listing(
    _COLUMNS,
    "FROM account WHERE NOT deleted",
    {
        "user_id": Column("account_id", "number"),
        "username": Column("username"),
        "email": Column("coalesce(email, '')"),
        "realname": Column("realname"),
        "comment": Column("comment"),
        "sysadmin_flag": Column("admin", "flag"),
        "creation_time": Column("creation_time", "time"),
        "update_time": Column("update_time", "time"),
    },
    "account_id",
    "account_id",
)


@dataclass(frozen=True)
class User:
    """An account without what signs it in."""

    id: int
    username: str
    email: str | None
    realname: str
    comment: str
    admin: bool
    admin_in_auth: bool
    disabled: bool
    creation_time: datetime
    update_time: datetime


async def page(conn: Connection, asked: Asked) -> tuple[list[User], int]:
    """A page of all users, and how many there are."""
    rows, total = await LISTING.page(conn, asked)
    return [User(*row) for row in rows], total


async def get(conn: Connection, user_id: int) -> User:
    """A user, NotFound where there is none."""
    row = await conn.fetchrow(GET, user_id)
    if row is None:
        raise NotFound("there is no such user")
    return User(*row)


async def named(conn: Connection, username: str) -> tuple[int, str] | None:
    """Id and name of the user of a whole name, whatever its case. Parts of names find nobody."""
    row = await conn.fetchrow(BY_NAME, username)
    return None if row is None else (row[0], row[1])


async def administers(conn: Connection, who: Principal) -> bool:
    """Whether somebody is an administrator of any project."""
    return who.kind == "account" and bool(await conn.fetchval(ADMINISTERS, who.id))


async def set_profile(
    conn: Connection, by: Principal, user: User, email: str, realname: str, comment: str, **where: str
) -> None:
    """Change what a user says of himself."""
    await conn.execute(SET_PROFILE, user.id, email or None, realname, comment)
    await audit.record(conn, by, "update", "account", user.username, project_id=None, **where)


async def set_admin(conn: Connection, by: Principal, user: User, admin: bool, **where: str) -> None:
    """Make a user an administrator, or no longer; his tokens and sessions end. InUse where no other would be left."""
    if not admin:
        await _another(conn, user)
    await conn.execute(SET_ADMIN, user.id, admin)
    await audit.record(
        conn, by, "sysadmin" if admin else "no sysadmin", "account", user.username, project_id=None, **where
    )


async def set_cli_secret(conn: Connection, by: Principal, user: User, kept: str | None, **where: str) -> None:
    """Replace the secret of a user's command line (what `issued.kept` gave) or, with None, revoke it. All tokens end,
    since some were had for the old one."""
    await conn.execute(SET_CLI_SECRET, user.id, kept)
    operation = "revoke cli secret" if kept is None else "cli secret"
    await audit.record(conn, by, operation, "account", user.username, project_id=None, **where)


async def delete(conn: Connection, by: Principal, user: User, **where: str) -> None:
    """End an account, its memberships and sessions; the name can be made again. InUse for the last administrator."""
    if user.admin:
        await _another(conn, user)
    await conn.execute(DELETE, user.id)
    await audit.record(conn, by, "delete", "account", user.username, project_id=None, **where)


async def _another(conn: Connection, user: User) -> None:
    await conn.execute(ONE_BY_ONE)
    if not await conn.fetchval(OTHER_ADMIN, user.id):
        raise InUse(f"{user.username} is the last administrator; make another one first")
