"""The Azure driver without an account key: tokens of a machine, found by azure-identity, and links signed by them."""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator
from datetime import datetime
from urllib.parse import parse_qsl

import aiohttp
import jwt
import pytest
import pytest_asyncio
from aiohttp import web

from dataforge_registry.drivers import open_driver
from dataforge_registry.drivers.base import Driver, Unavailable
from dataforge_registry.drivers.objects import WEEK

from ..certificate import make_certificate
from .bodies import body, keys, read
from .stores import azurite, free_port

pytestmark = [pytest.mark.asyncio, pytest.mark.tool("azurite")]
MIB = 1024 * 1024
KEY = "blobs/sha256/a3/f2/a3f2"


class Machine:
    """What a machine of Azure offers to those that run on it: tokens, for a header that they were given."""

    def __init__(self) -> None:
        self.port = free_port()
        self.asked: list[str] = []
        self.audience = "https://storage.azure.com"

    async def token(self, request: web.Request) -> web.Response:
        self.asked.append(request.query["resource"])
        if request.headers.get("X-IDENTITY-HEADER") != "ours":
            return web.json_response({"error": "who are you?"}, status=401)
        now = int(time.time())
        times = {"iat": now - 60, "nbf": now - 60, "exp": now + 3600}
        issuer = "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/"
        who = {"oid": "11059fcc-5514-4800-b5f8-49808b9cfab6", "tid": "ab1f708d-50f6-404c-a006-d71b2ac7a606"}
        token = jwt.encode({"aud": self.audience, "iss": issuer, **who, **times}, "x" * 32, "HS256")
        answer = {"access_token": token, "expires_on": str(now + 3600), "resource": self.audience}
        return web.json_response(answer | {"token_type": "Bearer"})


@pytest_asyncio.fixture
async def machine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    made = Machine()
    application = web.Application()
    application.router.add_get("/token", made.token)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", made.port).start()
    for name in [name for name in os.environ if name.startswith(("AZURE_", "MSI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{made.port}/token")
    monkeypatch.setenv("IDENTITY_HEADER", "ours")
    monkeypatch.setattr("dataforge_registry.drivers.tries.PAUSES", (0.02,) * 3)
    yield made
    await runner.cleanup()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_certificate(tmp_path_factory.mktemp("azure"))


@pytest_asyncio.fixture
async def driver(machine: Machine, certificate: tuple[str, str]) -> AsyncIterator[Driver]:
    store = await asyncio.to_thread(azurite, certificate)
    parameters = {name: value for name, value in store.parameters().items() if name != "accountkey"}
    made = open_driver("azure", parameters | {"rootcertificates": certificate[0], "chunksize": 5 * MIB})
    yield made
    await made.close()


async def test_a_machine_is_believed_for_all_that_a_driver_does(
    driver: Driver, machine: Machine, certificate: tuple[str, str]
) -> None:
    content = os.urandom(12 * MIB)
    await driver.check()
    chunks = [content[at : at + MIB] for at in range(0, len(content), MIB)]
    staging = await driver.append(await driver.begin(), body(*chunks))
    await driver.commit(staging, KEY)
    await driver.commit(await driver.fork(staging), "copied")
    assert await read(driver, KEY) == await read(driver, "copied") == content
    assert await keys(driver) == [KEY, "copied"]
    link = await driver.url(KEY, 60)
    assert link is not None and "skoid=" in link
    trust = ssl.create_default_context(cafile=certificate[0])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session:
        async with session.get(link, headers={"Range": "bytes=5-9"}) as answer:
            assert (answer.status, await answer.read()) == (206, content[5:10])
        async with session.get(link.replace("a3f2?", "a3f3?")) as answer:
            assert answer.status == 403
    await driver.delete_many([KEY, "copied"])
    assert await keys(driver) == []
    assert set(machine.asked) == {"https://storage.azure.com"}
    assert len(machine.asked) <= 2  # tokens are kept while they are good
    long = dict(parse_qsl((await driver.url(KEY, 10**9) or "").partition("?")[2]))
    ends = [datetime.fromisoformat(long[name]).timestamp() - time.time() for name in ("se", "ske")]
    assert (
        3 * 24 * 3600 < ends[0] < ends[1] < WEEK
    )  # a key lives no longer than a week, and a link no longer than its key


async def test_an_identity_that_may_sign_no_links_reads_by_its_token(driver: Driver) -> None:
    calls = driver._store._calls  # type: ignore[attr-defined]
    calls._delegation = None, time.time() + 60  # as after a refusal, which Azurite has none of
    await driver.put(KEY, body(b"bytes of a curve"))
    assert await driver.url(KEY, 60) is None
    assert await read(driver, KEY, 6, 8) == b"of"


async def test_a_token_that_is_refused_says_what_to_mend(driver: Driver, machine: Machine) -> None:
    machine.audience = "https://vault.azure.net"
    with pytest.raises(Unavailable, match=r"mend storage\.azure\.credentials|mend storage\.azure\.accountname"):
        await driver.check()


async def test_no_identity_is_one_line(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "somebody else's")
    with pytest.raises(Unavailable, match=r"no token \(storage.azure.credentials\): ") as raised:
        await driver.check()
    assert "\n" not in str(raised.value)
