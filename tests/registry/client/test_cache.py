"""The cache of what was read: bounded, shared by processes, never a source of wrong bytes."""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.registry.client.cache import Cache, default_folder
from dataforge_registry.registry.client.credentials import ANONYMOUS
from dataforge_registry.registry.client.remote import RemoteRegistry

WRITER = """
import secrets, sys
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.registry.client.cache import Cache

cache = Cache(sys.argv[1], limit=1_000_000)
for number in range(300):
    data = number.to_bytes(4, "big") + bytes(9_996)
    cache.put(Digest.of(data), data)
    found = cache.get(Digest.of(data))
    assert found is None or found == data
"""


def test_what_is_put_comes_back(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "new" / "folder")
    for algorithm in ("sha256", "sha512"):
        digest = Digest.of(b"words", algorithm)
        assert cache.get(digest) is None
        cache.put(digest, b"words")
        assert cache.get(digest) == b"words"
    cache.clear()
    assert (cache.get(digest), cache.size) == (None, 0)


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    digest = Digest.of(b"words")
    cache.put(digest, b"words")
    (path,) = (path for path in tmp_path.rglob("*") if path.is_file())
    path.write_bytes(b"wordz")
    assert cache.get(digest) is None
    assert not path.exists()


def test_what_was_read_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=100_000)
    kept = [bytes([number]) * 5_000 for number in range(18)]
    for age, data in enumerate(kept):
        cache.put(Digest.of(data), data)
        path = next(path for path in tmp_path.rglob(Digest.of(data).hex))
        os.utime(path, (1_000_000 + age, 1_000_000 + age))
    assert cache.get(Digest.of(kept[0])) == kept[0]  # read: the youngest now
    for number in range(100, 106):
        data = bytes([number]) * 5_000
        cache.put(Digest.of(data), data)
    assert cache.size <= 100_000
    assert cache.get(Digest.of(kept[0])) == kept[0]
    assert cache.get(Digest.of(kept[1])) is None


def test_what_is_large_beside_the_bound_is_not_kept(tmp_path: Path) -> None:
    cache = Cache(tmp_path, limit=10_000)
    cache.put(Digest.of(bytes(1_001)), bytes(1_001))
    assert cache.size == 0


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file")
    cache.put(Digest.of(b"x"), b"x")
    cache.name("http://h/v2/a/manifests/latest", Digest.of(b"x"), "m")
    assert cache.get(Digest.of(b"x")) is None
    assert cache.named("http://h/v2/a/manifests/latest") is None


def test_processes_share_a_folder(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)]) for _ in range(4)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    cache = Cache(tmp_path, limit=1_000_000)
    assert cache.size <= 1_000_000 + 4 * 100_000
    assert not [path for path in tmp_path.rglob(".*")]


def test_where_caches_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DFR_CACHE", str(tmp_path))
    assert default_folder() == tmp_path
    monkeypatch.delenv("DFR_CACHE")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert default_folder() == tmp_path / "xdg" / "dataforge-registry"


@pytest.mark.asyncio
async def test_a_tag_is_asked_again_and_sent_only_where_it_moved(open_server: Any, tmp_path: Path) -> None:
    def manifest(note: str) -> bytes:
        config = f'{{"mediaType":"{media.OCI_EMPTY}","digest":"{Digest.of(b"{}")}","size":2}}'
        head = f'{{"schemaVersion":2,"mediaType":"{media.OCI_MANIFEST}","config":{config}'
        return f'{head},"layers":[],"annotations":{{"n":"{note}"}}}}'.encode()

    async with RemoteRegistry(open_server.url, ANONYMOUS) as writer:
        target = writer.repository("cache/moves")
        await target.push_blob(b"{}")
        await target.push_manifest(manifest("one"), media.OCI_MANIFEST, ["latest"])
        async with RemoteRegistry(open_server.url, ANONYMOUS, Cache(tmp_path)) as registry:
            repository, transport = registry.repository("cache/moves"), registry.transport
            first, raw = await repository.get_manifest("latest")
            received = transport.received_bytes
            assert await repository.get_manifest("latest") == (first, raw)
            assert (transport.requests, transport.received_bytes) == (2, received)
            await target.push_manifest(manifest("two"), media.OCI_MANIFEST, ["latest"])
            assert (await repository.get_manifest("latest"))[1] == manifest("two")
            assert (await repository.get_manifest(Digest.of(manifest("one"))))[1] == raw
            before = transport.requests
            assert (await repository.get_manifest(Digest.of(manifest("one"))))[1] == raw
            assert transport.requests == before


@pytest.mark.asyncio
async def test_a_blob_is_fetched_once(open_server: Any, tmp_path: Path) -> None:
    data = secrets.token_bytes(10_000)
    async with RemoteRegistry(open_server.url, ANONYMOUS, Cache(tmp_path)) as registry:
        repository = registry.repository("cache/once")
        await repository.push_blob(data)
        assert await repository.read_blob(Digest.of(data)) == data
        before = registry.transport.requests
        assert await repository.read_blob(Digest.of(data)) == data
        assert registry.transport.requests == before
