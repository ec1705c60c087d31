"""Large blobs through a proxy that cuts connections: nothing is sent or had twice that need not be."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from dataforge_registry.core.curves.errors import ContentMismatch
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import BlobUnknown, DigestInvalid
from dataforge_registry.registry.client import transfers, transport
from dataforge_registry.registry.client.credentials import ANONYMOUS
from dataforge_registry.registry.client.remote import RemoteRegistry
from dataforge_registry.registry.client.transfers import download

from .proxy import proxied

SIZE = 3_000_000


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_FIRST_PAUSE", 0.001)
    monkeypatch.setattr(transfers, "CHUNK", 500_000)
    monkeypatch.setattr("dataforge_registry.registry.client.remote.CHUNK", 500_000)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    path.write_bytes(secrets.token_bytes(SIZE))
    return path


@pytest.mark.asyncio
async def test_a_download_goes_on_after_cuts(open_server: Any, large: Path, tmp_path: Path) -> None:
    data = large.read_bytes()
    digest = Digest.of(data)
    async with proxied(open_server.url) as proxy, RemoteRegistry(proxy.url, ANONYMOUS) as registry:
        await registry.repository("transfers/down").push_blob(data)
        proxy.cut_after = [1_000_000, 1_000_000, 0, 0, 500_000]
        proxy.reset()
        came: list[int] = []
        await download(registry.transport, "transfers/down", digest, tmp_path / "got", SIZE, came.append)
        assert (tmp_path / "got").read_bytes() == data
        assert sum(came) == SIZE
        assert proxy.cut_after == []
        assert proxy.received < 5_400_000  # begun anew after each cut it would be 5,500,000; buffers are lost
        assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.asyncio
async def test_a_download_goes_on_in_another_process(open_server: Any, large: Path, tmp_path: Path) -> None:
    data = large.read_bytes()
    digest = Digest.of(data)
    (tmp_path / f".{digest.hex[:32]}.part").write_bytes(data[:2_000_000])
    async with proxied(open_server.url) as proxy, RemoteRegistry(proxy.url, ANONYMOUS) as registry:
        await registry.repository("transfers/again").push_blob(data)
        await download(registry.transport, "transfers/again", digest, tmp_path / "got", SIZE, lambda size: None)
        assert (tmp_path / "got").read_bytes() == data
        assert proxy.received < 1_100_000


@pytest.mark.asyncio
async def test_a_part_of_other_bytes_is_found_out(open_server: Any, large: Path, tmp_path: Path) -> None:
    data = large.read_bytes()
    digest = Digest.of(data)
    part = tmp_path / f".{digest.hex[:32]}.part"
    part.write_bytes(bytes(1_000))
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        await registry.repository("transfers/wrong").push_blob(data)
        with pytest.raises(ContentMismatch):
            await download(registry.transport, "transfers/wrong", digest, tmp_path / "got", SIZE, lambda size: None)
        assert not part.exists() and not (tmp_path / "got").exists()
        with pytest.raises(ContentMismatch):  # a descriptor that lies about the size
            await download(registry.transport, "transfers/wrong", digest, tmp_path / "got", 10, lambda size: None)
        with pytest.raises(BlobUnknown):
            absent = Digest.of(b"absent")
            await download(registry.transport, "transfers/wrong", absent, tmp_path / "no", 6, lambda size: None)


@pytest.mark.asyncio
async def test_an_upload_goes_on_after_lost_answers(open_server: Any, large: Path) -> None:
    digest = Digest.of(large.read_bytes())
    async with proxied(open_server.url) as proxy, RemoteRegistry(proxy.url, ANONYMOUS) as registry:
        repository = registry.repository("transfers/up")
        proxy.drop_patches = 2
        assert await repository.push_file(large, digest, SIZE) is True
        assert await repository.read_blob(digest) == large.read_bytes()
        assert proxy.drop_patches == 0
        assert proxy.sent == SIZE  # the registry had what it did not acknowledge
        assert await repository.push_file(large, digest, SIZE) is False


@pytest.mark.asyncio
async def test_a_file_that_is_not_what_its_digest_says_is_refused(open_server: Any, large: Path) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        with pytest.raises(DigestInvalid):
            await registry.repository("transfers/lie").push_file(large, Digest.of(b"other"), SIZE)
