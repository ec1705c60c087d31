"""What the driver of Google Cloud Storage does otherwise than drivers over other object stores (test_object_stores.py):
accounts and links."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import gcloud.aio.storage.blob
import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from gcloud.aio.auth import Token
from gcloud.aio.storage import Storage

from dataforge_registry.drivers import gcs, open_driver
from dataforge_registry.drivers.base import Driver, NotFound, StagingLost, Unavailable

from .bodies import body, keys, pieces, read, staged, uploads
from .gcs_proxy import GcsProxy
from .stores import ACCOUNT, BUCKET, Gcs, free_port, gcp_emulator, gcs_keyfile

pytestmark = pytest.mark.asyncio
MIB = 1024 * 1024
KEY = "blobs/sha256/a3/f2/a3f2"


@pytest.fixture
def kind() -> str:
    return "gcs"


async def test_what_a_killed_join_leaves_is_of_its_upload(driver: Driver, proxy: GcsProxy) -> None:
    staging = await driver.append(await driver.begin(scope="north,"), pieces(os.urandom(13 * MIB)))
    proxy.only, proxy.faults[:] = "DELETE", ["503"] * 10
    await driver.commit(staging, KEY)
    proxy.faults.clear()
    [found] = [each async for each in driver.stale(time.time() + 60, "north,")]
    assert found.id == staging.id
    assert found.size > staging.size  # the tail was put once more, to be joined
    await driver.abort(found)
    assert (await keys(driver), await uploads(driver)) == ([KEY], [])


async def test_a_join_of_what_is_gone_is_lost(driver: Driver, proxy: GcsProxy) -> None:
    staging = await driver.append(await driver.begin(), pieces(os.urandom(11 * MIB)))
    proxy.only, proxy.faults[:] = "POST", ["404"]  # as Google has it; the store here answers 500
    with pytest.raises(StagingLost):
        await driver.commit(staging, KEY)
    assert await keys(driver) == []


async def test_a_copy_goes_on_until_it_is_done(driver: Driver, proxy: GcsProxy) -> None:
    staging = await staged(driver, b"bytes of a curve")
    proxy.halves = 4
    await driver.commit(staging, KEY)
    assert await read(driver, KEY) == b"bytes of a curve"
    assert sum("/rewriteTo/" in request for request in proxy.requests) == 1
    assert proxy.rewrites == {}


async def test_another_server_is_spoken_to_alike() -> None:
    driver = (await asyncio.to_thread(gcp_emulator)).driver()
    await driver.check()
    for key in ("a/b", "a/c d", "b/é", "c"):
        await driver.put(key, body(key.encode() * 100_000))
    assert await keys(driver) == ["a/b", "a/c d", "b/é", "c"]
    assert await keys(driver, "a/", "a/b") == ["a/c d"]
    assert await read(driver, "b/é", 7, 99) == ("b/é".encode() * 40)[7:99]
    staging = await driver.fork(await staged(driver, b"bytes"))
    await driver.commit(staging, KEY)
    assert (await driver.stat(KEY)).size == 5
    for found in await uploads(driver):
        await driver.abort(found)
    await driver.delete_many([*await keys(driver), "never/there"])
    with pytest.raises(NotFound):
        await driver.open(KEY)
    assert (await keys(driver), await uploads(driver)) == ([], [])
    await driver.close()


async def test_a_link_is_signed_as_the_client_signs(store: Gcs, monkeypatch: pytest.MonkeyPatch) -> None:
    root = f"{time.time_ns()} é"
    driver = store.driver(rootdirectory=root)
    await driver.put(KEY, body(b"bytes of a curve"))
    monkeypatch.setattr(gcloud.aio.storage.blob, "HOST", urlsplit(store.endpoint).netloc)
    async with aiohttp.ClientSession() as session:
        storage: Any = Storage(token=Token(service_file=store.keyfile), session=session, api_root=store.endpoint)  # type: ignore[arg-type]
        blob = gcloud.aio.storage.blob.Blob(storage.get_bucket(BUCKET), f"{root}/{KEY}", {"size": 16})
        link, theirs = "", "?"
        while dict(parse_qsl(link)).get("X-Goog-Date") != dict(parse_qsl(theirs)).get("X-Goog-Date") or not link:
            link, theirs = await driver.url(KEY, 60) or "", await blob.get_signed_url(60)
        assert link.replace("http:", "https:", 1) == theirs
        async with session.get(link, headers={"Range": "bytes=0-4"}) as answer:
            assert (answer.status, await answer.read()) == (206, b"bytes")
    assert "X-Goog-Expires=604800&" in (await driver.url(KEY, 10**9) or "")
    await driver.close()


async def test_without_a_key_there_is_no_link(store: Gcs, tmp_path: Path) -> None:
    for keyfile in ("", gcs_keyfile(tmp_path, type="authorized_user", client_email=None, private_key=None)):
        driver = store.driver(keyfile=keyfile)
        assert await driver.url(KEY, 60) is None
        await driver.close()


class Tokens:
    """A server of tokens for accounts that sign with PEM; `faults` are statuses of its next answers."""

    def __init__(self) -> None:
        self.asked = 0
        self.faults: list[int] = []
        self.port = free_port()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(0.1)
        if self.faults:
            return web.json_response({"error": "invalid_grant"}, status=self.faults.pop(0))
        claims = jwt.decode(
            (await request.post())["assertion"], ACCOUNT.public_key(), ["RS256"], audience=str(request.url)  # type: ignore[arg-type]
        )  # fmt: skip
        assert claims["iss"] == "wells@field.example"
        return web.json_response({"access_token": "gas", "expires_in": 3600})


@pytest_asyncio.fixture
async def tokens() -> AsyncIterator[Tokens]:
    made = Tokens()
    application = web.Application()
    application.router.add_post("/token", made.answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", made.port).start()
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture
async def own(
    proxy: GcsProxy, tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Driver]:
    """A driver that takes the proxy for Google: with the account of GOOGLE_APPLICATION_CREDENTIALS."""
    monkeypatch.setattr(gcs, "GOOGLE", proxy.endpoint)
    key = gcs_keyfile(tmp_path, token_uri=f"http://127.0.0.1:{tokens.port}/token")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", key)
    proxy.token = "gas"
    made = open_driver("gcs", {"bucket": BUCKET, "rootdirectory": str(time.time_ns())})
    yield made
    await made.close()


async def test_one_token_serves_all_who_wait(own: Driver, tokens: Tokens) -> None:
    tokens.faults[:] = [503]
    first = asyncio.ensure_future(own.put("first", body(b"x")))
    others = [asyncio.ensure_future(own.put(f"others/{number}", body(b"x"))) for number in range(20)]
    await asyncio.sleep(0.05)
    first.cancel()  # who asked first goes away: the rest must not notice
    assert await asyncio.gather(*others) == [1] * 20
    assert await read(own, "others/7") == b"x"
    assert len(await keys(own, "others/")) == 20
    assert tokens.asked == 2
    assert "X-Goog-Credential=wells%40field.example" in (await own.url(KEY, 60) or "")


async def test_a_key_that_is_refused_is_named_at_once(own: Driver, tokens: Tokens) -> None:
    tokens.faults[:] = [400]
    with pytest.raises(Unavailable, match=r"no token: 400.*invalid_grant.*\(set storage.gcs.keyfile or GOOGLE_APPL"):
        await own.check()
    assert tokens.asked == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [("403", "403 on command .*account of storage.gcs.keyfile"), ("404", "404 .*storage.gcs.bucket is 'wells'")],
)
async def test_a_store_that_cannot_be_used_says_why(driver: Driver, proxy: GcsProxy, fault: str, message: str) -> None:
    for call in (driver.check, lambda: driver.put(KEY, body(b"x"))):
        proxy.faults[:] = [fault]
        with pytest.raises(Unavailable, match=message):
            await call()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "storage.gcs.bucket must be the name"),
        ({"bucket": "b", "chunksize": 1}, "chunksize must be from 5 MiB"),
        ({"bucket": "b", "endpoint": "127.0.0.1:80"}, "endpoint must be the"),
        ({"bucket": "b", "keyfile": "/nowhere.json"}, "storage.gcs.keyfile: /nowhere.json cannot be read"),
        ({"bucket": "b", "keyfile": "key", "type": "robot"}, "holds no key of an account .its type is 'robot'"),
        ({"bucket": "b", "keyfile": "key", "private_key": None}, "key.json has no private_key"),
        (
            {"bucket": "b", "keyfile": "key", "private_key": "x"},
            "the private_key of wells@field.example cannot be read",
        ),
        ({"bucket": "b", "regionendpoint": "x"}, "storage.gcs has no parameter 'regionendpoint'"),
    ],
)
async def test_a_mistake_in_the_settings_is_named(tmp_path: Path, parameters: dict[str, Any], message: str) -> None:
    given = {name: value for name, value in parameters.items() if name not in ("type", "private_key")}
    if given.get("keyfile") == "key":
        changes = {name: value for name, value in parameters.items() if name not in given}
        given["keyfile"] = gcs_keyfile(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        open_driver("gcs", given)


async def test_a_file_that_the_environment_names_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")
    with pytest.raises(ValueError, match=r"GOOGLE_APPLICATION_CREDENTIALS: /nowhere.json cannot be read"):
        open_driver("gcs", {"bucket": "b"})
