"""Logins of browsers: a row each, found by the SHA-256 of the cookie, gone where the account's epoch moves on."""

import hashlib
import secrets
from datetime import timedelta

from ..access import Principal
from . import audit
from .database import Connection

CREATE = """
INSERT INTO session (session_hash, account_id, token_epoch, expires_at) VALUES ($1, $2, $3, now() + $4::interval)
"""

FIND = """
SELECT a.account_id, a.username, a.token_epoch,
  s.expires_at < least(now() + $2::interval / 2, s.creation_time + $3::interval),
  EXISTS (SELECT FROM account_identity i WHERE i.account_id = a.account_id
    AND i.refresh_token IS NOT NULL AND i.asked_at < now() - interval '5 minutes')
FROM session s JOIN account a ON a.account_id = s.account_id
WHERE s.session_hash = $1 AND s.expires_at > now()
  AND a.token_epoch = s.token_epoch AND NOT a.disabled AND NOT a.deleted
"""

RENEW = """
UPDATE session SET expires_at = least(now() + $2::interval, creation_time + $3::interval) WHERE session_hash = $1
"""

END = "DELETE FROM session WHERE session_hash = $1 RETURNING account_id"

HOT = (FIND,)


async def begin(conn: Connection, account: Principal, idle: timedelta, **where: str) -> str:
    """A new session, good for `idle`: 256 random bits, seen this once."""
    token = secrets.token_urlsafe(32)
    await conn.execute(CREATE, _hash(token), account.id, account.epoch, idle)
    await audit.record(conn, account, "login", "session", account.name, project_id=None, **where)
    return token


async def find(conn: Connection, token: str, idle: timedelta, longest: timedelta) -> tuple[Principal, bool] | None:
    """Whose session it is, and whether his OIDC provider should be asked about him; None where it is unknown or over.
    Use keeps it alive for `idle` more, at most `longest` from its beginning; that is written once in half of `idle`."""
    row = await conn.fetchrow(FIND, _hash(token), idle, longest)
    if row is None:
        return None
    account_id, name, epoch, old, stale = row
    if old:
        await conn.execute(RENEW, _hash(token), idle, longest)
    return Principal("account", account_id, name, epoch), stale


async def end(conn: Connection, token: str) -> bool:
    """End a session at once; whether there was one."""
    return await conn.fetchval(END, _hash(token)) is not None


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
