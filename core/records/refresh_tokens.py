"""Refresh tokens: what a client keeps instead of a password. Only their SHA-256 is stored."""

import hashlib
import secrets
from datetime import timedelta

from ..access import Principal
from .database import Connection

PREFIX = "dfrt_"

CREATE = """
INSERT INTO refresh_token (token_hash, account_id, token_epoch, service, client_id, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval)
"""

FIND = """
SELECT a.account_id, a.username, a.token_epoch,
  EXISTS (SELECT FROM account_identity i WHERE i.account_id = a.account_id
    AND i.asked_at < now() - interval '5 minutes') AS stale
FROM refresh_token t JOIN account a USING (account_id)
WHERE t.token_hash = $1 AND t.service = $2 AND t.expires_at > now()
  AND a.token_epoch = t.token_epoch AND NOT a.disabled AND NOT a.deleted
"""


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


async def create(conn: Connection, account: Principal, service: str, client_id: str, lifetime: timedelta) -> str:
    """A new refresh token of an account: 256 random bits behind a prefix. This is the only time it is seen."""
    token = PREFIX + secrets.token_urlsafe(32)
    await conn.execute(CREATE, _hash(token), account.id, account.epoch, service, client_id, lifetime)
    return token


async def find(conn: Connection, token: str, service: str) -> tuple[Principal, bool] | None:
    """Whose refresh token this is, and whether his OIDC provider should be asked about him; None where it is
    unknown, expired or revoked, or its account cannot sign in."""
    row = await conn.fetchrow(FIND, _hash(token), service)
    if row is None:
        return None
    return Principal("account", row["account_id"], row["username"], row["token_epoch"]), row["stale"]
