"""Signing in with a name and a password or secret: one cost and one answer for every failure, brakes against guessing.

argon2 is meant to be slow, and some clients send the password with every request: a verification is remembered for five
minutes under a keyed hash of name and password. It counts only while the row shows the same version, which is read
each time. Secrets made here (core/issued.py) are too long to guess: one hash tells, and a right one passes any brake,
so that nobody who guesses at a robot's name can shut it out.
"""

import asyncio
import hashlib
import hmac
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import NoReturn

from cachetools import TTLCache

from .access import ANONYMOUS, Principal
from .issued import is_issued, matches
from .oci.errors import QueryInvalid, TooManyRequests, Unauthorized
from .passwords import Passwords, WeakPassword, check_password
from .records import audit, brakes, credentials
from .records.credentials import Credential
from .records.database import Connection, Database
from .records.robots import PREFIX
from .secrets import Vault

REMEMBERED = 300
"""Seconds a verification is remembered."""
AT_ONCE = 2
QUEUE = 1000
"""Sign-ins that may wait for their turn; more are asked to come back."""
_MAX_NAME, _MAX_PASSWORD = 255, 1024
Vouch = Callable[[Principal], Awaitable[None]]
"""Asks an account's OIDC provider about it; Unauthorized where it no longer knows it."""


class SignIn:
    """Who a name and password belong to. `elsewhere`: people sign in at an OIDC provider, and only administrators by
    password; else the settings say whether that is so. `vouch` asks the provider."""

    def __init__(
        self,
        database: Database,
        passwords: Passwords,
        vault: Vault,
        vouch: Vouch | None = None,
        elsewhere: bool = False,
    ) -> None:
        self._database, self._passwords, self._vault = database, passwords, vault
        self._vouch, self._elsewhere = vouch, elsewhere
        self._secret_key = os.urandom(32)
        self._verified: TTLCache[bytes, tuple[Principal, int]] = TTLCache(10_000, REMEMBERED)
        self._told: TTLCache[tuple[str, str], bool] = TTLCache(10_000, REMEMBERED)
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def password(self, username: str, password: str, address: str, *, person: bool = False) -> Principal:
        """Whose name and password these are: an account's, with its password or the secret of its command line, or a
        robot's. With `person` only an account's password will do.

        Unauthorized, alike for an unknown name, a wrong password and one that is disabled or expired; TooManyRequests
        with Retry-After (seconds) where this name from this address, or the address, failed too often.
        """
        if not username or len(username) > _MAX_NAME or len(password) > _MAX_PASSWORD or "\0" in username + password:
            raise Unauthorized(_REFUSED)
        if not person and is_issued(password):
            return await self._secret(username, password, address)
        key = self._key(username, password)
        async with self._database.acquire() as conn:
            known = await self._known(conn, username, person)
        if known and self._remembers(key, known):
            return await self._seen(known, address, person)
        if self._waiting >= QUEUE:
            raise TooManyRequests("too many people sign in at this moment; try again", headers={"Retry-After": "2"})
        self._waiting += 1
        try:
            async with self._turn:
                return await self._verify(key, username, password, address, person)
        finally:
            self._waiting -= 1

    async def vouch(self, account: Principal) -> None:
        """Ask the account's OIDC provider about it, where there is one to ask. Unauthorized, Unavailable."""
        if self._vouch is not None:
            await self._vouch(account)

    async def hash(self, password: str) -> str:
        """The PHC string to store of a password or chosen secret; QueryInvalid where it is too weak."""
        try:
            return await self._passwords.hash(check_password(password))
        except WeakPassword as error:
            raise QueryInvalid(str(error)) from None

    async def _secret(self, username: str, secret: str, address: str) -> Principal:
        async with self._database.acquire() as conn:
            known = await credentials.find(conn, username, self._elsewhere)
        right = matches(known.secret if known else None, secret)
        if known is None or not known.usable or not right:
            async with self._database.acquire() as conn:
                await self._braked(conn, username, address)
            return await self._refuse(username, address, known)
        if known.stale:
            await self.vouch(known.principal)
        return await self._seen(known, address)

    async def _verify(self, key: bytes, username: str, password: str, address: str, person: bool) -> Principal:
        # Read again in turn: whoever waited sees the failures, and the success, of those before
        async with self._database.acquire() as conn:
            known = await self._known(conn, username, person)
            if known and self._remembers(key, known):
                return known.principal
            await self._braked(conn, username, address)
        right = await self._passwords.verify(known.password if known else None, password)
        if known is None or not known.usable or not right:
            return await self._refuse(username, address, known)
        self._verified[key] = known.principal, known.version
        await self._welcome(known, username, password, address, person)
        return known.principal

    async def _welcome(self, known: Credential, username: str, password: str, address: str, person: bool) -> None:
        stored = known.password
        newer = await self._passwords.hash(password) if stored and self._passwords.outdated(stored) else None
        async with self._database.transaction() as conn:
            await brakes.forgive(conn, self._hidden(username), address)
            await credentials.used(conn, known)
            if not person:
                await self._tell(conn, known, address)
            if newer:
                await credentials.rehash(conn, known, newer)

    async def _seen(self, known: Credential, address: str, person: bool = False) -> Principal:
        told = person or (known.principal.key, address) in self._told
        if known.idle or not told:
            async with self._database.transaction() as conn:
                await credentials.used(conn, known)
                if not told:
                    await self._tell(conn, known, address)
        return known.principal

    async def _tell(self, conn: Connection, known: Credential, address: str) -> None:
        """A row of the audit trail: for whoever sends a password with each request, one in REMEMBERED seconds. A
        session has its own, each time (records/sessions.py)."""
        who = known.principal
        await audit.record(conn, who, "login", who.kind, who.name, address=address)
        self._told[who.key, address] = True

    async def _refuse(self, username: str, address: str, known: Credential | None) -> NoReturn:
        # A name that nobody has may be a password typed into the wrong field: it is not written down.
        who = known.principal if known else ANONYMOUS

        async def count(conn: Connection) -> None:
            await brakes.failed(conn, self._hidden(username), address)
            kind = who.kind if known else "account"
            await audit.refused(conn, who, "login", kind, who.name, address)

        await self._database.run(count)
        raise Unauthorized(_REFUSED)

    async def _braked(self, conn: Connection, username: str, address: str) -> None:
        if wait := await brakes.waiting(conn, self._hidden(username), address):
            message = f"too many failed sign-ins; try again in {wait} seconds"
            raise TooManyRequests(message, headers={"Retry-After": str(wait)})

    def _hidden(self, username: str) -> str:
        return self._vault.hide(username.lower())  # folded as the look-up folds it

    async def _known(self, conn: Connection, username: str, person: bool) -> Credential | None:
        """Whom a name means, where a password of his may be used."""
        if person and username.startswith(PREFIX):
            return None
        known = await credentials.find(conn, username, self._elsewhere)
        return known if known is None or known.by_password else replace(known, password=None, usable=False)

    def _key(self, username: str, password: str) -> bytes:
        # NUL is in neither, so no other pair gives the same text
        text = f"{username.lower()}\0{password}".encode(errors="surrogatepass")
        return hmac.digest(self._secret_key, text, hashlib.sha256)

    def _remembers(self, key: bytes, known: Credential) -> bool:
        return known.usable and self._verified.get(key) == (known.principal, known.version)


_REFUSED = "the user name or password is wrong"
