"""An issuer as it is fetched: not asked by each in turn while it is down, and never led to this machine."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dataforge_registry.core.oci.errors import Unavailable
from dataforge_registry.registry.identity.issuers import WELL_KNOWN, Issuer, Issuers

from ...certificate import make_certificate

pytestmark = pytest.mark.asyncio
Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get(WELL_KNOWN, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_who_waited_for_a_vain_question_does_not_ask_again() -> None:
    asked, begun, everybody = 0, asyncio.Event(), asyncio.Event()

    async def down(_: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        begun.set()
        await everybody.wait()
        return web.Response(status=502)

    async with serving(down) as url:
        issuers = Issuers()
        issuer = Issuer(issuers, url, True)
        logins = [asyncio.create_task(issuer.metadata()) for _ in range(20)]
        await begun.wait()
        everybody.set()
        ends = await asyncio.gather(*logins, return_exceptions=True)
        assert [type(end) for end in ends] == [Unavailable] * 20 and asked == 1
        with pytest.raises(Unavailable):  # who comes later asks anew
            await issuer.metadata()
        assert asked == 2
        await issuers.close()


@pytest.mark.parametrize("name", ["jwks_uri", "token_endpoint", "userinfo_endpoint"])
async def test_an_issuer_elsewhere_does_not_name_an_address_of_this_machine(name: str, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    said: dict[str, Any] = {}

    async def discover(_: web.Request) -> web.Response:
        return web.json_response(said)

    async with serving(discover, tls) as url:
        issuers = Issuers()
        said |= {"issuer": url, "jwks_uri": f"{url}/keys"}
        assert (await Issuer(issuers, url, False).metadata()).jwks_uri == f"{url}/keys"
        said |= {name: "http://127.0.0.1:1/"}
        with pytest.raises(Unavailable, match="cannot be used"):
            await Issuer(issuers, url, False).metadata()
        await issuers.close()
