"""What a server with a data folder brings along: a private PostgreSQL at today's schema and a secret key.

DIR/postgres/    the private PostgreSQL (core/records/embedded.py)
DIR/secretkey    0600: what secrets in the database are sealed with; losing it loses them
DIR/storage/     the blobs, where the configuration names no other place
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from ..core.records.database import Database
from ..core.records.embedded import PrivatePostgres
from ..core.records.schema import migrate
from ..core.records.schema_status import Step, status
from ..core.secrets import own_secret
from .config import Config, ConfigError
from .units import Secret

SECRET_KEY = "secretkey"
T = TypeVar("T")


@contextmanager
def provisioned(config: Config) -> Iterator[Config]:
    """The configuration with `database.url` and `auth.secretkey` filled in; a private PostgreSQL is started or joined
    and brought to today's schema, and let go at the end. A database named in the configuration is left as it is.

    EmbeddedError, SchemaError, SecretKeyError or ConfigError where that is not possible. Blocks: not for an event loop.
    """
    if config.database.url:
        if not config.auth.secretkey and config.auth.mode != "none":
            raise ConfigError("auth.secretkey is not set: a database of your own needs one (openssl rand -base64 32)")
        yield config
        return
    folder = Path(config.data)
    with PrivatePostgres.start(folder, durable=config.database.durable) as postgres:
        url = Secret(postgres.dsn)
        asyncio.run(_on(url, config, migrate))
        key = config.auth.secretkey or Secret(own_secret(folder / SECRET_KEY))
        yield msgspec.structs.replace(
            config,
            database=msgspec.structs.replace(config.database, url=url, direct_url=url),
            auth=msgspec.structs.replace(config.auth, secretkey=key),
        )


def migrated(config: Config) -> list[str]:
    """Bring the configured database to today's schema; the names of the steps taken."""

    async def work(database: Database) -> list[str]:
        return [f"{step.version:04d} {step.name}" for step in await migrate(database)]

    return _direct(config, work)


def schema_status(config: Config) -> list[Step]:
    """Where the configured database stands on the way to today's schema. ConfigError where there is none."""
    if not config.database.url and not (Path(config.data) / "postgres").is_dir():
        raise ConfigError(f"{config.data} holds no registry, and database.url names none")
    return _direct(config, status)


def _direct(config: Config, work: Callable[[Database], Awaitable[T]]) -> T:
    """Past any pooler."""
    if config.database.url:
        return asyncio.run(_on(config.database.direct_url or config.database.url, config, work))
    with PrivatePostgres.start(Path(config.data), durable=config.database.durable) as postgres:
        return asyncio.run(_on(postgres.dsn, config, work))


async def _on(url: str, config: Config, work: Callable[[Database], Awaitable[T]]) -> T:
    database = await Database.open(url, size=1, statement_timeout=config.database.statement_timeout)
    try:
        return await work(database)
    finally:
        await database.close()
