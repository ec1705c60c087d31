"""HTTPS without a proxy: HTTP/1.1 and nothing else, TLS 1.2 or newer."""

import asyncio
import ssl
from pathlib import Path

import pytest

from dataforge_registry.registry.sections import Tls

from ...certificate import make_certificate
from .conftest import Start


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    return Tls(*make_certificate(tmp_path))


@pytest.mark.asyncio
async def test_https(start: Start, engine: str, tls: Tls) -> None:
    context = ssl.create_default_context(cafile=tls.certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with start(engine, tls=tls) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() in ("http/1.1", None)
        writer.write(
            b"PUT /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
        )
        answer = await reader.read(-1)
        assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b"PUT /a 300000")
        writer.close()
        await writer.wait_closed()


@pytest.mark.asyncio
async def test_plain_words_on_a_tls_port_leave_it_well(start: Start, engine: str, tls: Tls) -> None:
    async with start(engine, tls=tls) as server:
        assert b"200" not in await server.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        context = ssl.create_default_context(cafile=tls.certificate)
        _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        writer.close()
        await writer.wait_closed()
