"""Registries as processes on each engine, open and with accounts, and a client that sends just what it is told to.

One process of a kind serves all modules: each test pushes to a repository of its own (`name`), and after every module
the records and the store must agree (invariants.py) and the log must hold no traceback.
"""

import asyncio
import base64
import hashlib
import http.client
import itertools
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import asyncpg
import pytest

from dataforge_registry.core.access import DEVELOPER, GUEST, MAINTAINER, SYSTEM
from dataforge_registry.core.passwords import Passwords
from dataforge_registry.core.records import accounts, projects
from dataforge_registry.core.records.embedded import PrivatePostgres

from ..client.conftest import Served, served
from .invariants import violations

T = TypeVar("T")
ENGINES = ("hypercorn", "granian")
PEOPLE = ("ann", "mia", "guy", "eve")
PASSWORD = secrets.token_urlsafe(16)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
NUMBERS = itertools.count()


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The first OCI error code; every error has one."""
        entry = json.loads(self.body)["errors"][0]
        assert entry["message"]
        return str(entry["code"])


def together(jobs: Sequence[Callable[[], T]]) -> list[T]:
    """The results of jobs that run at once, in order."""
    with ThreadPoolExecutor(len(jobs)) as pool:
        return [job.result() for job in [pool.submit(job) for job in jobs]]


@dataclass(frozen=True)
class Registry:
    """A running registry as one client sees it; `login` goes with every request."""

    host: str
    server: Served
    dsn: str
    login: Mapping[str, str]

    def by(self, user: str, password: str = PASSWORD) -> "Registry":
        """The same registry, as a user sees it."""
        text = base64.b64encode(f"{user}:{password}".encode()).decode()
        return replace(self, login={"Authorization": f"Basic {text}"})

    def records(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """What a statement finds in the registry's own database."""

        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.dsn)
            try:
                return await connection.fetch(statement, *arguments)
            finally:
                await connection.close()

        return asyncio.run(ask())

    def project(self, name: str, **options: Any) -> str:
        """Make a project, as `dfr project create` does."""

        async def make() -> None:
            connection = await asyncpg.connect(self.dsn)
            try:
                await projects.create(connection, SYSTEM, name, **options)
            finally:
                await connection.close()

        asyncio.run(make())
        return name

    def used(self, name: str) -> int:
        """The bytes that a repository's project is charged for."""
        row = self.records("SELECT storage_used FROM project WHERE name = $1 AND NOT deleted", name.split("/")[0])
        return int(row[0][0])

    def check(self) -> None:
        """The records and the store agree, and nothing unexpected happened."""
        found = asyncio.run(violations(self.dsn, self.server.directory / "storage"))
        assert not found, "\n".join(found)
        log = (self.server.directory.parent / "log").read_text(errors="replace")
        assert "Traceback" not in log, log[-8000:]

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(
                method, path, body, {**self.login, **(headers or {})}, encode_chunked=not isinstance(body, bytes)
            )
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def blob(self, name: str, data: bytes) -> dict[str, Any]:
        """Push a blob; its descriptor."""
        digest = sha256(data)
        assert self.send("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", data).status == 201
        return {"mediaType": "application/octet-stream", "digest": digest, "size": len(data)}

    def upload(self, name: str) -> str:
        """Start an upload; its address."""
        answer = self.send("POST", f"/v2/{name}/blobs/uploads/")
        assert answer.status == 202
        return answer.headers["location"]

    def image(self, name: str, **more: Any) -> dict[str, Any]:
        """A manifest whose blobs are there."""
        config = self.blob(name, b"{}") | {"mediaType": "application/vnd.oci.empty.v1+json"}
        layers = [self.blob(name, b"layer of " + name.encode())]
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, **more}

    def put(self, name: str, reference: str, manifest: Any, media_type: str | None = MANIFEST) -> Answer:
        """PUT a manifest, given as bytes or as an object."""
        raw = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        headers = {"Content-Type": media_type} if media_type else {}
        return self.send("PUT", f"/v2/{name}/manifests/{reference}", raw, headers)


def index(*children: bytes, media_type: str = INDEX, **more: Any) -> dict[str, Any]:
    """An index of image manifests or indexes, given by their bytes."""
    entries = [{"mediaType": json.loads(raw)["mediaType"], "digest": sha256(raw), "size": len(raw)} for raw in children]
    return {"schemaVersion": 2, "mediaType": media_type, "manifests": entries, **more}


def pushed(registry: Registry, name: str, tag: str, body: dict[str, Any]) -> bytes:
    """Push it; its bytes."""
    raw = json.dumps(body).encode()
    answer = registry.put(name, tag, raw, body["mediaType"])
    assert answer.status == 201, answer.body
    return raw


def _engines(kind: str) -> list[Any]:
    return [pytest.param(engine, marks=pytest.mark.xdist_group(f"v2-{kind}-{engine}")) for engine in ENGINES]


@contextmanager
def running(*arguments: str, password: str = "", **environment: str) -> Iterator[Registry]:
    """A registry of this test's own, checked when it is done with."""
    with (
        served(*arguments, password=password, **environment) as server,
        PrivatePostgres.start(server.directory) as postgres,
    ):
        registry = Registry(server.url.removeprefix("http://"), server, postgres.dsn, {})
        yield registry
        registry.check()


@pytest.fixture(scope="session", params=_engines("open"))
def open_registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    with running("--auth", "none", "--engine", request.param) as registry:
        yield registry


@contextmanager
def with_accounts(engine: str) -> Iterator[Registry]:
    """What `door` tells of."""
    with running("--engine", engine, password=PASSWORD) as registry:
        asyncio.run(_people(registry.dsn))
        yield registry


@pytest.fixture(scope="session", params=_engines("closed"))
def closed_registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    with with_accounts(request.param) as registry:
        yield registry


async def _people(dsn: str) -> None:
    passwords = Passwords()
    hashed = await passwords.hash(PASSWORD)
    passwords.close()
    connection = await asyncpg.connect(dsn)
    try:
        for user in PEOPLE:
            await accounts.create(connection, SYSTEM, user, hashed)
        await projects.create(connection, SYSTEM, "wells")
        await projects.create(connection, SYSTEM, "secret")
        await projects.create(connection, SYSTEM, "open", public=True)
        for user, role in (("ann", DEVELOPER), ("mia", MAINTAINER), ("guy", GUEST)):
            await projects.set_member(connection, SYSTEM, "wells", "user", user, role)
            await projects.set_member(connection, SYSTEM, "open", "user", user, role)
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def registry(open_registry: Registry) -> Iterator[Registry]:
    """A registry that asks nobody who is there."""
    yield open_registry
    open_registry.check()


@pytest.fixture(scope="module")
def door(closed_registry: Registry) -> Iterator[Registry]:
    """A registry with accounts, as nobody sees it. Private `wells` and public `open` have the members ann (developer),
    mia (maintainer) and guy (guest); private `secret` has none, and eve is nowhere a member."""
    yield closed_registry
    closed_registry.check()


@pytest.fixture
def name() -> str:
    """A repository of this test's own."""
    return f"v2/r{next(NUMBERS)}"
