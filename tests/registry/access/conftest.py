"""A registry with accounts, served over real sockets from this process, and a client to it."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest_asyncio

from dataforge_registry.core.access import DEVELOPER, SYSTEM
from dataforge_registry.core.passwords import Passwords
from dataforge_registry.core.records import accounts, projects
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.secrets import Vault
from dataforge_registry.core.signing import KeyRing
from dataforge_registry.registry.app import create_app
from dataforge_registry.registry.config import load
from dataforge_registry.registry.engines import hypercorn

PASSWORD = "correct horse battery"
SECRET_KEY = "a master secret for tests, 32 characters or more"
SERVICE = "dataforge-registry"


def basic_header(pair: bytes) -> str:
    """The Authorization header of name:password (RFC 7617)."""
    return "Basic " + base64.b64encode(pair).decode()


@dataclass(frozen=True)
class Answer:
    """Status, headers and JSON (None where there is none)."""

    status: int
    headers: Any
    json: Any


@dataclass(frozen=True)
class Registry:
    """A running registry: ann is a developer of the private project wells; open is public; eve is in neither."""

    url: str
    database: Database
    client: aiohttp.ClientSession
    keys: KeyRing

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """One request; `basic` is a user's name (his password is PASSWORD) or a pair, `bearer` a token."""
        headers = dict(options.pop("headers", {}))
        if (basic := options.pop("basic", None)) is not None:
            user, password = (basic, PASSWORD) if isinstance(basic, str) else basic
            headers["Authorization"] = basic_header(f"{user}:{password}".encode())
        if (bearer := options.pop("bearer", None)) is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        async with self.client.request(method, self.url + path, headers=headers, **options) as response:
            body = await response.json() if response.content_type == "application/json" else None
            return Answer(response.status, response.headers, body)

    async def token(self, basic: str | None = "ann") -> str:
        """A token of a user, or of nobody."""
        answer = await self.ask("GET", f"/service/token?service={SERVICE}", basic=basic)
        assert answer.status == 200
        return str(answer.json["token"])


@asynccontextmanager
async def served(database: Database, database_url: str, folder: Path, **overrides: Any) -> AsyncIterator[Registry]:
    """A registry on a free port of 127.0.0.1; overrides are configuration keys with `__` for the dot."""
    given = {
        "database.url": database_url,
        "auth.secretkey": SECRET_KEY,
        "auth.admin_password": PASSWORD,
        "storage.filesystem.rootdirectory": str(folder),
        "worker.enabled": False,
        "http.drain_delay": 0,
    }
    config = load(None, {}, overrides=given | {key.replace("__", "."): value for key, value in overrides.items()})
    ready, stop = asyncio.Event(), asyncio.Event()
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setblocking(False)
        serving = asyncio.create_task(hypercorn.serve(create_app(config), config.http, sock, ready.set, stop))
        await asyncio.wait({serving, waiting := asyncio.create_task(ready.wait())}, return_when="FIRST_COMPLETED")
        if serving.done():
            waiting.cancel()
            await serving
        keys = KeyRing(database, Vault(SECRET_KEY), config.auth.token.issuer, SERVICE)
        await keys.start()
        async with aiohttp.ClientSession() as client:
            yield Registry(f"http://127.0.0.1:{sock.getsockname()[1]}", database, client, keys)
        stop.set()
        await serving


@pytest_asyncio.fixture(loop_scope="session")
async def registry(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Registry]:
    """A running registry with its people."""
    passwords = Passwords()
    hashed = await passwords.hash(PASSWORD)
    passwords.close()
    async with database.transaction() as conn:
        await accounts.create(conn, SYSTEM, "ann", hashed)
        await accounts.create(conn, SYSTEM, "eve", hashed)
        await projects.create(conn, SYSTEM, "wells")
        await projects.create(conn, SYSTEM, "open", public=True)
        await projects.set_member(conn, SYSTEM, "wells", "user", "ann", DEVELOPER)
    async with served(database, database_url, tmp_path) as registry:
        yield registry
