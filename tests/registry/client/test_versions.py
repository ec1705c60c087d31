"""Versions of a curve pushed to our own registry, and to one that has never heard of curves."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Packed, Previous
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.names import LATEST
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.importing.versions import number_of, push_version
from dataforge_registry.core.oci.errors import PreconditionFailed
from dataforge_registry.registry.client.credentials import ANONYMOUS
from dataforge_registry.registry.client.remote import RemoteRegistry, RemoteRepository

from .foreign import distribution


def version(seed: int, previous: Previous | None = None, rows: int = 50) -> Packed:
    index = Index("MD", "DEPT", "m", "M", np.arange(rows, dtype=np.int64) * 5000)
    values = pa.array(np.random.default_rng(seed).normal(size=rows).astype(np.float32))
    frame = Frame(Well("Numbered 1"), "log", index, (Curve("GR", "gAPI", values),))
    return pack(frame, frame.curves[0], "gr", pack_index(index, "log"), previous)


def previous_of(packed: Packed) -> Previous:
    return Previous(packed.digest, packed.manifest, packed.config, packed.raw)


async def send(repository: RemoteRepository, data: bytes) -> None:
    await repository.push_blob(data)


@pytest.fixture(scope="module")
def foreign_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with distribution(tmp_path_factory.mktemp("foreign")) as url:
        yield url


async def names(repository: RemoteRepository) -> dict[str, str]:
    return {tag: (await repository.stat_manifest(tag)).digest for tag in await repository.tags()}


async def number_three(url: str, name: str) -> None:
    async with RemoteRegistry(url, ANONYMOUS) as registry:
        repository = registry.repository(name)
        first = version(1)
        second = version(2, previous_of(first))
        third = version(3, previous_of(second))
        assert await push_version(repository, first, None, send) == 1
        assert await push_version(repository, second, previous_of(first), send, ["edited"]) == 2
        assert await push_version(repository, third, previous_of(second), send) == 3
        expected = {"v1": first.digest, "v2": second.digest, "v3": third.digest}
        assert await names(repository) == expected | {LATEST: third.digest, "edited": second.digest}


@pytest.mark.asyncio
async def test_versions_are_numbered_in_their_order(open_server: Any) -> None:
    await number_three(open_server.url, "order/numbered-1/log/gr")


@pytest.mark.asyncio
@pytest.mark.tool("registry")
async def test_any_registry_keeps_numbered_versions(foreign_url: str) -> None:
    await number_three(foreign_url, "order/numbered-1/log/gr")
    async with RemoteRegistry(foreign_url, ANONYMOUS) as registry:
        repository = registry.repository("plain/numbered-1/log/gr")
        await push_version(repository, version(1), None, send)
        assert not repository.bundles


@pytest.mark.asyncio
async def test_a_version_on_another_parent_changes_nothing(open_server: Any) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        repository = registry.repository("loser/numbered-1/log/gr")
        first = version(1)
        await push_version(repository, first, None, send)
        with pytest.raises(PreconditionFailed):
            await push_version(repository, version(2), None, send)
        second = version(2, previous_of(first))
        await push_version(repository, second, previous_of(first), send)
        with pytest.raises(PreconditionFailed):
            await push_version(repository, version(3, previous_of(first)), previous_of(first), send)
        assert await names(repository) == {"v1": first.digest, "v2": second.digest, LATEST: second.digest}


@pytest.mark.asyncio
async def test_a_registry_that_numbers_gets_small_blobs_with_their_manifest(open_server: Any) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        repository = registry.repository("along/numbered-1/log/gr")
        first, told = version(31), list[bytes]()
        await push_version(repository, first, None, send, goes_along=told.append)
        assert (told, repository.bundles) == ([], True)
        before = registry.transport.requests
        second = version(32, previous_of(first))
        await push_version(repository, second, previous_of(first), send, goes_along=told.append)
        assert registry.transport.requests == before + 1
        assert sorted(told) == sorted(second.blobs.values())
        for digest, content in second.blobs.items():
            assert await repository.read_blob(digest) == content


@pytest.mark.asyncio
async def test_of_two_at_once_one_wins(open_server: Any) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        repository = registry.repository("race/numbered-1/log/gr")
        first = version(0)
        await push_version(repository, first, None, send)
        rivals = [version(seed, previous_of(first)) for seed in range(1, 9)]
        done = await asyncio.gather(
            *(push_version(repository, rival, previous_of(first), send) for rival in rivals), return_exceptions=True
        )
        assert sorted(str(each) for each in done if isinstance(each, int)) == ["2"]
        assert sum(isinstance(each, PreconditionFailed) for each in done) == len(rivals) - 1
        assert sorted(await repository.tags()) == [LATEST, "v1", "v2"]


def test_numbers_of_tags() -> None:
    tags = ["v1", "v12", "latest", "v", "vx", "1", "v1.2", "v-3", "v²"]
    assert [number_of(tag) for tag in tags] == [1, 12, 0, 0, 0, 0, 0, 0, 0]
