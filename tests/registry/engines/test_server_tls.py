"""HTTPS without a proxy: HTTP/1.1 and nothing else, TLS 1.2 or newer."""

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dataforge_registry.registry.sections import Tls

from .conftest import Start


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    """A certificate for 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(hours=1))
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(private)
    return Tls(str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem"))


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
