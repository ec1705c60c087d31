"""RemoteRepository against our own server, and against servers that misbehave."""

import asyncio
import gzip
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from dataforge_registry.core.curves.errors import ContentMismatch
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import (
    BlobUnknown,
    Denied,
    ManifestUnknown,
    NameInvalid,
    PreconditionFailed,
    RegistryError,
    Unauthorized,
    Unavailable,
)
from dataforge_registry.registry.client import transport
from dataforge_registry.registry.client.credentials import ANONYMOUS, Credentials
from dataforge_registry.registry.client.remote import RemoteRegistry, RemoteRepository

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def manifest(*layers: bytes, note: str = "") -> bytes:
    config = b"{}"
    entries = ",".join(
        f'{{"mediaType":"application/octet-stream","digest":"{Digest.of(layer)}","size":{len(layer)}}}'
        for layer in layers
    )
    return (
        f'{{"schemaVersion":2,"mediaType":"{media.OCI_MANIFEST}","config":{{"mediaType":"{media.OCI_EMPTY}",'
        f'"digest":"{Digest.of(config)}","size":2}},"layers":[{entries}],"annotations":{{"note":"{note}"}}}}'
    ).encode()


async def push(repository: RemoteRepository, *layers: bytes, tags: list[str], **options: Any) -> Digest:
    for data in (b"{}", *layers):
        await repository.push_blob(data)
    return await repository.push_manifest(manifest(*layers), media.OCI_MANIFEST, tags, **options)


@asynccontextmanager
async def serve(handler: Handler) -> AsyncIterator[str]:
    """A server of one handler on a free port, for answers that a right server never gives."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.asyncio
async def test_what_is_pushed_comes_back(open_server: Any) -> None:
    layer = secrets.token_bytes(3_000_000)
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        repository = registry.repository("remote/round")
        digest = await push(repository, layer, tags=["v1", "latest"], fresh=True)
        assert await repository.push_blob(layer) is False
        assert (await repository.stat_blob(Digest.of(layer))).size == len(layer)
        assert await repository.read_blob(Digest.of(layer)) == layer
        assert b"".join([piece async for piece in await repository.open_blob(Digest.of(layer), 10, 20)]) == layer[10:20]
        assert b"".join([piece async for piece in await repository.open_blob(Digest.of(layer))]) == layer
        stored, raw = await repository.get_manifest("v1")
        assert (stored.digest, raw, stored.media_type) == (digest, manifest(layer), media.OCI_MANIFEST)
        assert (await repository.stat_manifest("latest")).size == len(raw)
        assert await repository.tags() == ["latest", "v1"]
        assert await repository.referrers(digest) == []
        assert "remote/round" in await registry.catalog()


@pytest.mark.asyncio
async def test_a_known_blob_is_mounted_and_not_sent(open_server: Any) -> None:
    layer = secrets.token_bytes(100_000)
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        await push(registry.repository("remote/source"), layer, tags=["v1"])
        before = registry.transport.sent_bytes
        target = registry.repository("remote/target")
        assert await target.push_blob(layer, source="remote/source") is False
        assert registry.transport.sent_bytes == before
        assert await target.read_blob(Digest.of(layer)) == layer
        other = secrets.token_bytes(10)
        assert await target.push_blob(other, source="remote/source") is True  # not there: sent after all
        assert await target.read_blob(Digest.of(other)) == other


@pytest.mark.asyncio
async def test_tags_move_by_compare_and_swap(open_server: Any) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        repository = registry.repository("remote/swap")
        first = await push(repository, b"one", tags=["latest"], fresh=True)
        with pytest.raises(PreconditionFailed):
            await push(repository, b"two", tags=["latest"], fresh=True)
        second = await push(repository, b"two", tags=["latest"], expected=first)
        with pytest.raises(PreconditionFailed):
            await push(repository, b"three", tags=["latest"], expected=first)
        assert (await repository.stat_manifest("latest")).digest == second


@pytest.mark.asyncio
async def test_what_is_not_there(open_server: Any) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        repository = registry.repository("remote/void")
        assert await repository.tags() == []
        with pytest.raises(BlobUnknown):
            await repository.stat_blob(Digest.of(b"nothing"))
        with pytest.raises(ManifestUnknown):
            await repository.stat_manifest("latest")
        await push(repository, b"x", tags=["v1"])
        with pytest.raises(ManifestUnknown):
            await repository.get_manifest("v2")
        with pytest.raises(BlobUnknown):
            await repository.read_blob(Digest.of(b"nothing"))
        with pytest.raises(BlobUnknown):
            await repository.push_manifest(manifest(b"never sent"), media.OCI_MANIFEST, ["v3"])


@pytest.mark.asyncio
async def test_long_lists_are_read_to_their_end(open_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataforge_registry.registry.client.pages._PAGE", 3)
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        repository = registry.repository("remote/pages")
        names = [f"t{number}" for number in range(8)]
        await push(repository, b"x", tags=names)
        assert await repository.tags() == names


@pytest.mark.asyncio
async def test_credentials_open_a_locked_registry(locked_server: Any) -> None:
    admin = Credentials("admin", locked_server.password)
    async with RemoteRegistry(locked_server.url, admin) as registry:
        names = [f"locked/r{number}" for number in range(6)]
        await asyncio.gather(*(push(registry.repository(name), name.encode(), tags=["v1"]) for name in names))
        assert set(names) <= set(await registry.catalog())
    async with RemoteRegistry(locked_server.url, ANONYMOUS) as registry:
        with pytest.raises(Unauthorized, match="DFR_USERNAME"):
            await registry.repository("locked/r0").get_manifest("v1")
    async with RemoteRegistry(locked_server.url, Credentials("admin", "wrong")) as registry:
        with pytest.raises(Unauthorized, match="the name 'admin' or its password is wrong"):
            await registry.repository("locked/r0").get_manifest("v1")


@pytest.mark.asyncio
async def test_a_project_that_is_not_there_is_said(locked_server: Any) -> None:
    async with RemoteRegistry(locked_server.url, Credentials("admin", locked_server.password)) as registry:
        with pytest.raises(RegistryError, match="project"):
            await registry.repository("nowhere/r0").push_blob(b"x")


@pytest.mark.asyncio
async def test_other_bytes_than_asked_for_are_refused() -> None:
    async def lie(request: web.Request) -> web.Response:
        return web.Response(body=b"lies", headers={"Docker-Content-Digest": Digest.of(b"truth")})

    async with serve(lie) as url, RemoteRegistry(url, ANONYMOUS) as registry:
        repository = registry.repository("a/b")
        with pytest.raises(ContentMismatch):
            await repository.read_blob(Digest.of(b"truth"))
        with pytest.raises(ContentMismatch):
            await repository.get_manifest("v1")
        with pytest.raises(ContentMismatch):
            await repository.get_manifest(Digest.of(b"truth"))


@pytest.mark.asyncio
async def test_a_busy_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)
    statuses = [503, 429, 200]

    async def busy(request: web.Request) -> web.Response:
        return web.Response(body=b"x", status=statuses.pop(0), headers={"Retry-After": "0"})

    async with serve(busy) as url, RemoteRegistry(url, ANONYMOUS) as registry:
        assert await registry.repository("a/b").read_blob(Digest.of(b"x")) == b"x"
    assert statuses == []


@pytest.mark.asyncio
async def test_a_server_that_stays_busy_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)

    async def busy(request: web.Request) -> web.Response:
        return web.json_response({"errors": [{"code": "UNAVAILABLE", "message": "the database is away"}]}, status=503)

    async with serve(busy) as url, RemoteRegistry(url, ANONYMOUS) as registry:
        with pytest.raises(Unavailable, match="the database is away"):
            await registry.repository("a/b").read_blob(Digest.of(b"x"))


@pytest.mark.asyncio
async def test_a_registry_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)

    async def unused(request: web.Request) -> web.Response:
        return web.Response()

    async with serve(unused) as url:
        pass
    async with RemoteRegistry(url, ANONYMOUS) as registry:
        with pytest.raises(Unavailable, match="is it running there"):
            await registry.catalog()


@pytest.mark.asyncio
async def test_basic_only_registries() -> None:
    async def guarded(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != Credentials("ann", "pw").basic:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return web.Response(body=b"x")

    async with serve(guarded) as url:
        async with RemoteRegistry(url, Credentials("ann", "pw")) as registry:
            assert await registry.repository("a/b").read_blob(Digest.of(b"x")) == b"x"
        async with RemoteRegistry(url, ANONYMOUS) as registry:
            with pytest.raises(Unauthorized, match="asks for a name"):
                await registry.repository("a/b").read_blob(Digest.of(b"x"))


@pytest.mark.asyncio
async def test_tokens_scoped_to_one_repository() -> None:
    """A registry whose tokens open only the repository they were asked for, as the token flow describes it."""
    asked: list[str] = []

    async def strict(request: web.Request) -> web.Response:
        if request.path == "/token":
            assert request.headers["Authorization"] == Credentials("ann", "pw").basic
            asked.append(request.query["scope"])
            return web.json_response({"access_token": request.query["scope"]})
        scope = f"repository:{request.path.split('/')[2]}/{request.path.split('/')[3]}:pull"
        if request.headers.get("Authorization") != f"Bearer {scope}":
            realm = f"http://{request.host}/token"
            challenge = f'Bearer realm="{realm}",service="s",scope="{scope}"'
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        return web.Response(body=b"x")

    async with serve(strict) as url, RemoteRegistry(url, Credentials("ann", "pw")) as registry:
        for _ in range(3):
            for name in ("a/one", "a/two"):
                assert await registry.repository(name).read_blob(Digest.of(b"x")) == b"x"
    assert asked == ["repository:a/one:pull", "repository:a/two:pull"]


@pytest.mark.asyncio
async def test_a_password_is_not_sent_to_another_host_in_the_clear() -> None:
    async def greedy(request: web.Request) -> web.Response:
        challenge = 'Bearer realm="http://127.0.0.2:9/token",service="s"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    async with serve(greedy) as url, RemoteRegistry(url, Credentials("ann", "pw")) as registry:
        with pytest.raises(Unauthorized, match="in the clear"):
            await registry.catalog()


@pytest.mark.asyncio
async def test_uploads_are_not_followed_to_another_host() -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        if request.method == "HEAD":
            return web.Response(status=404)
        return web.Response(status=202, headers={"Location": "http://127.0.0.2:9/upload"})

    async with serve(elsewhere) as url, RemoteRegistry(url, ANONYMOUS) as registry:
        with pytest.raises(RegistryError, match="only its own address"):
            await registry.repository("a/b").push_blob(b"x")


@pytest.mark.asyncio
async def test_a_redirect_to_another_host_takes_no_credentials_along() -> None:
    """aiohttp CVE-2026-47265: a store behind a registry gets the request, and never its Authorization or cookies."""
    seen: list[set[str]] = []

    async def store(request: web.Request) -> web.Response:
        seen.append({name.casefold() for name in request.headers})
        return web.Response(body=b"x")

    async with serve(store) as elsewhere:

        async def front(request: web.Request) -> web.Response:
            if "Authorization" not in request.headers:
                return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="x"', "Set-Cookie": "a=b"})
            return web.Response(status=307, headers={"Location": f"{elsewhere}/signed"})

        async with serve(front) as url, RemoteRegistry(url, Credentials("ann", "pw")) as registry:
            assert await registry.repository("a/b").read_blob(Digest.of(b"x")) == b"x"
    [headers] = seen
    assert not headers & {"authorization", "cookie"}


@pytest.mark.asyncio
async def test_a_body_that_unpacks_without_end_is_not_unpacked() -> None:
    """aiohttp CVE-2025-69223: what comes compressed unasked stays as it is, and is then not what was asked for."""
    bomb = gzip.compress(bytes(1 << 20))

    async def compressed(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with serve(compressed) as url, RemoteRegistry(url, ANONYMOUS) as registry:
        assert await registry.repository("a/b").read_blob(Digest.of(bomb)) == bomb
        with pytest.raises(ContentMismatch):
            await registry.repository("a/b").read_blob(Digest.of(bytes(1 << 20)))


@pytest.mark.asyncio
async def test_answers_that_are_no_registry_s() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="<html>", status=403 if request.method == "GET" else 500)

    async with serve(page) as url, RemoteRegistry(url, ANONYMOUS) as registry:
        with pytest.raises(Denied, match="answered with 403"):
            await registry.catalog()
        with pytest.raises(RegistryError, match="answered with 500"):
            await registry.repository("a/b").stat_blob(Digest.of(b"x"))


@pytest.mark.parametrize("base", ["127.0.0.1:5000", "ftp://h", "http://", "http://h/path"])
def test_an_address_that_is_none(base: str) -> None:
    with pytest.raises(NameInvalid, match="http://HOST:PORT"):
        RemoteRegistry(base, ANONYMOUS)
