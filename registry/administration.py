"""What administrative commands stand on: one transaction in the configured database, each failure one line.

A private PostgreSQL that runs is joined, else started for the moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..core.identity import sealed
from ..core.passwords import Passwords, WeakPassword, check_password
from ..core.records.accounts import AccountError
from ..core.records.database import Connection, Database
from ..core.records.projects import ProjectError
from ..core.records.schema import check_schema
from ..core.secrets import SecretKeyError, Vault
from ..core.signing import KeyRing
from .backends import open_database
from .config import Config
from .failures import CommandError
from .provision import provisioned

T = TypeVar("T")


def administer(settings: Config, work: Callable[[Connection], Awaitable[T]]) -> T:
    """`work` in a transaction, or CommandError with what its refusal says."""

    async def transact(database: Database, _: Config) -> T:
        return await database.run(work)

    return with_database(settings, transact)


def rotate_keys(settings: Config) -> None:
    """Let the next signing key take over now. Tokens given out stay good until they expire."""

    async def rotate(database: Database, complete: Config) -> None:
        token = complete.auth.token
        keys = KeyRing(database, Vault(complete.auth.secretkey), token.issuer, token.service)
        await keys.start()
        await keys.rotate()

    with_database(settings, rotate)


def reseal_keys(settings: Config) -> tuple[int, int]:
    """Seal keys and other secrets under the newest master secret: how many were sealed with an older one, and how many
    there are. CommandError where one of them opens with none of ours."""

    async def reseal(database: Database, complete: Config) -> tuple[int, int]:
        token, vault = complete.auth.token, Vault(complete.auth.secretkey)
        async with database.transaction() as conn:
            count, total = await sealed.reseal(conn, vault)
        keys, all_keys = await KeyRing(database, vault, token.issuer, token.service).reseal()
        return count + keys, total + all_keys

    return with_database(settings, reseal)


def hashed(password: str) -> str:
    """The PHC string of a password, or CommandError where it is too weak."""
    try:
        check_password(password)
    except WeakPassword as error:
        raise CommandError(str(error)) from None
    passwords = Passwords()
    try:
        return asyncio.run(passwords.hash(password))
    finally:
        passwords.close()


def with_database(settings: Config, work: Callable[[Database, Config], Awaitable[T]], connections: int = 1) -> T:
    """`work` over the configured database and the completed configuration, or CommandError."""

    async def connected(complete: Config) -> T:
        database = await open_database(complete, size=connections)
        try:
            await check_schema(database)
            return await work(database, complete)
        finally:
            await database.close()

    try:
        with provisioned(settings) as complete:
            return asyncio.run(connected(complete))
    except (AccountError, ProjectError, SecretKeyError) as error:
        raise CommandError(str(error)) from None
