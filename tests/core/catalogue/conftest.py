"""Curves to push, and a registry of records and memory to push them to."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import asyncpg
import msgspec
import numpy as np
import pyarrow as pa
import pytest_asyncio

from dataforge_registry.core.access import SYSTEM, Principal
from dataforge_registry.core.body import Body
from dataforge_registry.core.curves import schema
from dataforge_registry.core.curves.artifact.pack import pack, pack_index
from dataforge_registry.core.curves.artifact.packed import Packed, Previous
from dataforge_registry.core.curves.model import Curve, Frame, Index
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.local import LocalRepository
from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.records.artifacts import Actor, Precondition, Pushed
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.pulls import PullLog
from dataforge_registry.core.store import Limits, Store
from dataforge_registry.drivers.memory import MemoryDriver

WELL = Well("Well 1", uwi="100-A", country="NO", aliases=("W-1",))


async def pieces(raw: bytes) -> AsyncIterator[bytes]:
    yield raw


def frame_of(
    values: Sequence[float | None] = (1.0, None, 3.0),
    mnemonic: str = "GR",
    well: Well = WELL,
    frame: str = "Run 1",
    start: int = 10_000_000,
    **more: Any,
) -> Frame:
    """A frame of one curve, from 1000 ft down by 0.5 ft."""
    index = Index("MD", "DEPT", "ft", "F", np.arange(len(values), dtype=np.int64) * 5000 + start)
    curve = Curve(mnemonic, "GAPI", pa.array(values, pa.float32()))
    return Frame(well, frame, index, (curve,), **more)


def packed_of(frame: Frame, previous: Packed | None = None, **more: Any) -> Packed:
    """Its curve as a version, after another."""
    index = pack_index(frame.index, frame.name)
    before = previous and Previous(previous.digest, previous.manifest, previous.config, previous.raw)
    return pack(frame, frame.curves[0], "gr", index, before, **more)


def altered(packed: Packed, header: Any = None, **fields: Any) -> Packed:
    """The same with another config (bytes, or changed fields), and other fields in the manifest; of annotations those
    that tell how its layers lie stay."""
    if "annotations" in fields:
        layout = {key: packed.manifest.annotations[key] for key in (schema.LAYERS, schema.AXIS)}
        fields["annotations"] = layout | fields["annotations"]
    if header is not None:
        raw = header if isinstance(header, bytes) else schema.encode(msgspec.structs.replace(packed.config, **header))
        descriptor = schema.Descriptor(mediaType=media.CURVE_CONFIG, digest=Digest.of(raw), size=len(raw))
        fields.setdefault("config", descriptor)
        packed = replace(packed, blobs=packed.blobs | {descriptor.digest: raw})
    manifest = msgspec.structs.replace(packed.manifest, **fields)
    raw = schema.encode(manifest)
    return replace(packed, manifest=manifest, raw=raw, digest=Digest.of(raw))


@dataclass
class Shelf:
    """A registry without HTTP."""

    database: Database
    store: Store

    def repository(self, name: str, principal: Principal = SYSTEM) -> LocalRepository:
        return LocalRepository(self.store, principal, name, Actor("me"))

    async def blobs(self, name: str, packed: Packed) -> None:
        for digest, content in packed.blobs.items():
            await self.repository(name).push_blob(Digest.parse(digest), Body(pieces(content), len(content), None))

    async def push(
        self,
        name: str,
        packed: Packed,
        *tags: str,
        numbered: bool = False,
        expected: Precondition | None = None,
        blobs: bool = True,
    ) -> Pushed:
        if blobs:
            await self.blobs(name, packed)
        body = Body(pieces(packed.raw), len(packed.raw), None)
        return (await self.repository(name).push_manifest(body, None, None, list(tags), expected, numbered))[1]

    async def rows(self, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:
        async with self.database.acquire() as conn:
            return [tuple(row) for row in await conn.fetch(statement, *arguments)]

    async def row(self, statement: str, *arguments: Any) -> asyncpg.Record:
        async with self.database.acquire() as conn:
            found = await conn.fetchrow(statement, *arguments)
        assert found is not None, statement
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def shelf(database: Database) -> Shelf:
    return Shelf(database, Store(database, MemoryDriver(), Limits(autocreate=True), PullLog(database)))
