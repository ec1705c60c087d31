"""Signing in with a name and a password: one cost and one answer for every failure, brakes against guessing.

argon2 is meant to be slow, and some clients send the password with every request: a verification is remembered for five
minutes under a keyed hash of name and password. It counts only while the account's row shows the same password
version, which is read each time.
"""

import asyncio
import hashlib
import hmac
import os

from cachetools import TTLCache

from .access import Principal
from .oci.errors import TooManyRequests, Unauthorized
from .passwords import Passwords
from .records import accounts, brakes
from .records.accounts import Account
from .records.database import Database

REMEMBERED = 300
"""Seconds a verification is remembered."""
AT_ONCE = 2
QUEUE = 1000
"""Sign-ins that may wait for their turn; more are asked to come back."""
_MAX_NAME, _MAX_PASSWORD = 255, 1024


class SignIn:
    """Who a name and password belong to."""

    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database, self._passwords = database, passwords
        self._secret = os.urandom(32)
        self._verified: TTLCache[bytes, tuple[int, int]] = TTLCache(10_000, REMEMBERED)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def password(self, username: str, password: str, address: str) -> Principal:
        """The account, or Unauthorized, alike for an unknown name, a wrong password and a disabled account;
        TooManyRequests with Retry-After (seconds) where this name from this address, or the address, failed too often.
        """
        if not username or len(username) > _MAX_NAME or len(password) > _MAX_PASSWORD or "\0" in username + password:
            raise Unauthorized(_REFUSED)
        key = self._key(username, password)
        async with self._database.acquire() as conn:
            account = await accounts.find(conn, username)
        if account and self._remembers(key, account):
            return account.principal
        if self._waiting >= QUEUE:
            raise TooManyRequests("too many people sign in at this moment; try again", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            async with self._turn:
                return await self._verify(key, username, password, address)
        finally:
            self._waiting -= 1

    async def _verify(self, key: bytes, username: str, password: str, address: str) -> Principal:
        # Read again in turn: whoever waited sees the failures, and the success, of those before
        async with self._database.acquire() as conn:
            account = await accounts.find(conn, username)
            if account and self._remembers(key, account):
                return account.principal
            wait = await brakes.waiting(conn, username, address)
        if wait:
            message = f"too many failed sign-ins; try again in {wait} seconds"
            raise TooManyRequests(message, headers={"Retry-After": str(wait)})
        right = await self._passwords.verify(account.password if account else None, password)
        if account is None or account.disabled or not right:
            await self._database.run(lambda conn: brakes.failed(conn, username, address))
            raise Unauthorized(_REFUSED)
        self._verified[key] = account.id, account.password_version
        await self._welcome(account, username, password, address)
        return account.principal

    async def _welcome(self, account: Account, username: str, password: str, address: str) -> None:
        known = account.password
        newer = await self._passwords.hash(password) if known and self._passwords.outdated(known) else None
        async with self._database.transaction() as conn:
            await brakes.forgive(conn, username, address)
            if newer:
                await accounts.rehash(conn, account, newer)

    def _key(self, username: str, password: str) -> bytes:
        # NUL is in neither, so no other pair gives the same text
        text = f"{username.lower()}\0{password}".encode(errors="surrogatepass")
        return hmac.digest(self._secret, text, hashlib.sha256)

    def _remembers(self, key: bytes, account: Account) -> bool:
        return not account.disabled and self._verified.get(key) == (account.id, account.password_version)


_REFUSED = "the user name or password is wrong"
