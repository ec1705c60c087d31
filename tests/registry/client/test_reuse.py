"""Values that the registry holds under another name are named again and not sent."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dataforge_registry
from dataforge_registry.core.curves import schema
from dataforge_registry.core.curves.artifact.layout import index_layers, value_layers
from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Packed
from dataforge_registry.core.curves.readers.las.reader import read_las
from dataforge_registry.core.curves.schema import Descriptor, parse_manifest
from dataforge_registry.core.importing.report import Counts
from dataforge_registry.core.importing.versions import push_version
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.registry.client.commit import send
from dataforge_registry.registry.client.credentials import ANONYMOUS
from dataforge_registry.registry.client.remote import RemoteRegistry, RemoteRepository
from dataforge_registry.registry.client.wells import WellImport, open_las

ROWS = 120_000


def written_otherwise(packed: Packed) -> Packed:
    """The same version, its values in Parquet as another writer has them."""
    blobs, layers = dict(packed.blobs), list[Descriptor]()
    for layer in value_layers(packed.manifest):
        sink = pa.BufferOutputStream()
        table = pq.read_table(pa.BufferReader(blobs.pop(layer.digest)))
        pq.write_table(table, sink, compression="gzip", use_dictionary=False)
        data = sink.getvalue().to_pybytes()
        layers.append(msgspec.structs.replace(layer, digest=Digest.of(data), size=len(data)))
        blobs[layers[-1].digest] = data
    manifest = msgspec.structs.replace(packed.manifest, layers=[*index_layers(packed.manifest), *layers])
    raw = schema.encode(manifest)
    return Packed(manifest, raw, Digest.of(raw), packed.config, blobs)


def values(layers: Sequence[Descriptor]) -> list[str]:
    return [layer.digest for layer in layers[1:]]


async def layers_of(registry: RemoteRegistry, name: str) -> list[Descriptor]:
    return parse_manifest((await registry.repository(name).get_manifest("latest"))[1]).layers


async def judged(repository: RemoteRepository, packed: Packed) -> None:
    """Until the registry answers for all segments of a version: a job looks at their bytes behind the push."""
    contents = [segment.content for segment in packed.config.segments]
    end = time.monotonic() + 60
    while len(await repository.held(contents)) < len(set(contents)):
        assert time.monotonic() < end, "it is never judged"
        await asyncio.sleep(0.05)


async def bring(registry: RemoteRegistry, project: str, content: bytes) -> Counts:
    run = WellImport(registry, project)
    await run.push(open_las(content, "x.las"))
    return run.report


@pytest.fixture
def content(logs: Any) -> Any:
    """A well of one curve of several segments; by its name."""
    samples = logs.smooth(ROWS, 77)
    return lambda well: logs.las(well, {"GR": samples})


async def held_elsewhere(registry: RemoteRegistry, content: bytes, project: str) -> Packed:
    """The curve GR, pushed and judged, in the bytes of another writer."""
    frame = read_las(content, "x.las")
    packed = written_otherwise(pack(frame, frame.curves[0], "gr", pack_index(frame.index, frame.name)))
    repository = registry.repository(f"{project}/first/log/gr")
    await push_version(repository, packed, None, send)
    await judged(repository, packed)
    return packed


@pytest.mark.asyncio
async def test_an_import_takes_equal_values_from_another_project(open_server: Any, content: Any) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        packed = await held_elsewhere(registry, content("First"), "reuse-a")
        assert len(packed.config.segments) > 1
        report = await bring(registry, "reuse-b", content("Second"))
        assert values(await layers_of(registry, "reuse-b/second/log/gr")) == values(packed.manifest.layers)
        curve = sum(layer.size for layer in value_layers(packed.manifest))
        assert report.sent < report.received + curve / 2
        again = await bring(registry, "reuse-b", content("Second"))
        assert (again.new, again.sent) == (0, 0)


@pytest.mark.asyncio
async def test_a_commit_takes_equal_values_from_another_curve(open_server: Any, content: Any, logs: Any) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        packed = await held_elsewhere(registry, content("First"), "reuse-c")
        await bring(registry, "reuse-d", logs.las("Edited", {"GR": logs.smooth(ROWS, 5)}))
    async with dataforge_registry.connect_async(open_server.url, cache=None) as session:
        source = await session.curve("reuse-c/first/log/gr").read()
        done = await session.curve("reuse-d/edited/log/gr").commit(source, operation="splice", whole=True)
        assert done.changed
        assert values(await layers_of(session.remote, "reuse-d/edited/log/gr")) == values(packed.manifest.layers)
        assert done.sent < 30_000
        assert (await session.curve("reuse-d/edited/log/gr").read()).to_arrow().num_rows == ROWS


@pytest.mark.asyncio
async def test_a_registry_that_is_not_ours_is_asked_once(open_server: Any, content: Any) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        repository = registry.repository("reuse-e/x")
        assert await repository.held(["no content id"]) == {}
        asked = registry.transport.requests
        packed = written_otherwise(
            pack(frame := read_las(content("X"), "x.las"), frame.curves[0], "gr", pack_index(frame.index, frame.name))
        )
        assert await repository.held([segment.content for segment in packed.config.segments]) == {}
        assert registry.transport.requests == asked


@pytest.mark.asyncio
async def test_a_mount_that_is_not_granted_leaves_no_upload(open_server: Any, content: Any) -> None:
    async with RemoteRegistry(open_server.url, ANONYMOUS) as registry:
        assert not await registry.repository("reuse-f/x").mount_blob(Digest.of(b"nobody has this"), "reuse-f/y")
