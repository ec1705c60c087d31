"""Whom an OIDC provider calls which account: found by issuer and subject alone, with what it said of him last."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from ..access import Principal
from ..oci.errors import QueryInvalid
from . import accounts, audit
from .accounts import AccountError
from .database import Connection

OIDC = 3
"""The type of groups that a provider names."""

FIND = """
SELECT a.account_id, a.username, a.token_epoch, a.disabled
FROM account_identity i JOIN account a USING (account_id) WHERE i.issuer = $1 AND i.subject = $2 AND NOT a.deleted
"""

LINK = "INSERT INTO account_identity (account_id, issuer, subject, stands_until) VALUES ($1, $2, $3, now())"

OF_ACCOUNT = """
SELECT issuer, subject, creation_time, update_time FROM account_identity WHERE account_id = $1
"""

HEARD = """
UPDATE account_identity SET refresh_token = $2, asked_at = now(), update_time = now(), stands_until = $3
WHERE account_id = $1
"""

PROFILE = """
UPDATE account SET email = coalesce($2, email), realname = coalesce($3, realname), update_time = now()
WHERE account_id = $1 AND (email, realname) IS DISTINCT FROM (coalesce($2, email), coalesce($3, realname))
"""

ADMIN = """
UPDATE account SET admin_in_auth = $2, update_time = now() WHERE account_id = $1 AND admin_in_auth <> $2
RETURNING account_id
"""

FILTERED = "SELECT name FROM unnest($1::text[]) AS g (name) WHERE $2 = '' OR name ~ $2 ORDER BY name"

MAKE_GROUPS = """
INSERT INTO user_group (name, group_type) SELECT name, 3 FROM unnest($1::text[]) AS g (name) ORDER BY name
ON CONFLICT (name) DO NOTHING RETURNING name
"""

JOIN = """
INSERT INTO user_group_member (group_id, account_id, in_auth)
SELECT group_id, $1, true FROM user_group WHERE name = ANY($2::text[]) AND group_type = 3
ON CONFLICT (account_id, group_id) DO NOTHING RETURNING group_id
"""

LEAVE = """
DELETE FROM user_group_member m WHERE m.account_id = $1 AND m.in_auth AND m.group_id NOT IN (
  SELECT group_id FROM user_group WHERE name = ANY($2::text[]) AND group_type = 3)
RETURNING m.group_id
"""

ASK = """
UPDATE account_identity i SET asked_at = CASE WHEN old.before = '-infinity' THEN old.before ELSE now() END FROM (
  SELECT account_id, asked_at AS before FROM account_identity
  WHERE account_id = $1 AND asked_at < now() - interval '5 minutes' FOR UPDATE) AS old
WHERE i.account_id = old.account_id
RETURNING i.issuer, i.subject, i.refresh_token, i.stands_until > now(), old.before = '-infinity'
"""

ASK_AGAIN = """
UPDATE account_identity SET asked_at = now() - interval '5 minutes' + $2::interval WHERE account_id = $1
"""

LAPSE = "UPDATE account_identity SET asked_at = '-infinity' WHERE account_id = $1"

DISOWN = """
WITH refused AS (
  UPDATE account_identity SET asked_at = '-infinity', refresh_token = NULL, stands_until = now(), update_time = now()
  WHERE account_id = $1 RETURNING account_id)
UPDATE account SET token_epoch = token_epoch + 1, admin_in_auth = false, update_time = now()
WHERE account_id = $1 RETURNING username
"""

SEALED = "SELECT account_id, refresh_token FROM account_identity WHERE refresh_token IS NOT NULL"

RESEAL = "UPDATE account_identity SET refresh_token = $2 WHERE account_id = $1 AND refresh_token = $3"

USE = "INSERT INTO used_once (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING RETURNING 1"

HOT = (FIND, OF_ACCOUNT, ASK, USE)


@dataclass(frozen=True)
class Person:
    """What a provider says of somebody. `groups` are those that count."""

    issuer: str
    subject: str
    username: str
    email: str | None
    realname: str | None
    groups: tuple[str, ...]
    admin: bool


@dataclass(frozen=True)
class Meta:
    """An account's identity, as its owner may see it."""

    issuer: str
    subject: str
    creation_time: datetime
    update_time: datetime


@dataclass(frozen=True)
class Asked:
    """Whom to ask the provider about: `refresh_token` sealed, `stands` without an answer, `disowned` before."""

    issuer: str
    subject: str
    refresh_token: bytes | None
    stands: bool
    disowned: bool


async def find(conn: Connection, issuer: str, subject: str) -> tuple[Principal, bool] | None:
    """The account of an identity, and whether it is disabled."""
    row = await conn.fetchrow(FIND, issuer, subject)
    return None if row is None else (Principal("account", row[0], row[1], row[2]), row[3])


async def meta(conn: Connection, account_id: int) -> Meta | None:
    """An account's identity, None for one that signs in here."""
    row = await conn.fetchrow(OF_ACCOUNT, account_id)
    return None if row is None else Meta(*row)


async def onboard(conn: Connection, person: Person, username: str, **where: str) -> Principal:
    """Make the account of an identity that has none. AccountError where the name is taken, whoever has it, or cannot
    be."""
    who = Principal("account", 0, username)
    said: dict[str, str] = {"realname": person.realname or "", "comment": "from OIDC", **where}
    made = await accounts.create(conn, who, username, None, admin=False, email=person.email, **said)
    try:
        await conn.execute(LINK, made, person.issuer, person.subject)
    except asyncpg.UniqueViolationError:
        raise AccountError("this identity has an account already; sign in again") from None
    return Principal("account", made, username)


async def heard(
    conn: Connection, who: Principal, person: Person, refresh_token: bytes | None, until: datetime, **where: str
) -> None:
    """Keep what the provider said of an account: groups and administrator from the next request on."""
    await conn.execute(HEARD, who.id, refresh_token, until)
    await conn.execute(PROFILE, who.id, person.email, person.realname)
    if await conn.fetchval(ADMIN, who.id, person.admin) is not None:
        operation = "sysadmin" if person.admin else "no sysadmin"
        await audit.record(conn, who, operation, "account", f"{who.name} by OIDC group", project_id=None, **where)
    for (name,) in await conn.fetch(MAKE_GROUPS, person.groups):
        await audit.record(conn, who, "create", "group", name, project_id=None, **where)
    left = await conn.fetch(LEAVE, who.id, person.groups)
    joined = await conn.fetch(JOIN, who.id, person.groups)
    if left or joined:
        said = f"{who.name} in {len(person.groups)} OIDC groups"
        await audit.record(conn, who, "update", "account", said, project_id=None, **where)


async def filtered(conn: Connection, names: Sequence[str], pattern: str) -> tuple[str, ...]:
    """The names that a regular expression finds (PostgreSQL's, which walks a text once); all with "". QueryInvalid for
    what is none."""
    try:
        return tuple(row[0] for row in await conn.fetch(FILTERED, list(names), pattern))
    except asyncpg.InvalidRegularExpressionError as error:
        raise QueryInvalid(f"the group filter is no regular expression: {error}") from None


async def ask(conn: Connection, account_id: int) -> Asked | None:
    """Whom to ask about, for the one caller who is to do it now; None where that was done within five minutes."""
    row = await conn.fetchrow(ASK, account_id)
    return None if row is None else Asked(*row)


async def ask_again(conn: Connection, account_id: int, after: timedelta) -> None:
    """The provider could not be asked: somebody should again."""
    await conn.execute(ASK_AGAIN, account_id, after)


async def lapse(conn: Connection, account_id: int) -> None:
    """Nobody can be asked, and the last answer is too old: the secret ends until the next login with a browser."""
    await conn.execute(LAPSE, account_id)


async def disown(conn: Connection, account_id: int) -> None:
    """The provider no longer knows the account: its sessions and tokens end, and its secret with the next use."""
    name = await conn.fetchval(DISOWN, account_id)
    who = Principal("account", account_id, name or "")
    await audit.record(conn, who, "disown", "account", who.name, project_id=None)


async def sealed(conn: Connection) -> list[tuple[int, bytes]]:
    """All refresh tokens as they are kept."""
    return [(row[0], row[1]) for row in await conn.fetch(SEALED)]


async def reseal(conn: Connection, account_id: int, new: bytes, old: bytes) -> None:
    """Keep one sealed anew."""
    await conn.execute(RESEAL, account_id, new, old)


async def use(conn: Connection, text: str, until: datetime) -> bool:
    """Whether this was not used before; it can never be again, until it would be refused anyhow (`until`)."""
    return await conn.fetchval(USE, hashlib.sha256(text.encode()).digest(), until) is not None
