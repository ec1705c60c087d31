"""What the bytes of layers say of a version, told behind its push."""

import io
import json
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import pytest_asyncio

from dataforge_registry.core.curves import schema
from dataforge_registry.core.curves.artifact.packed import Packed
from dataforge_registry.core.oci.digest import Digest, blob_key
from dataforge_registry.core.records import work
from dataforge_registry.core.records.events import take_events
from dataforge_registry.core.sandbox import Sandbox, SandboxLimits
from dataforge_registry.core.work.task import Task
from dataforge_registry.core.work.verdicts import JudgeVersions, judgements

from .conftest import Shelf, altered, frame_of, packed_of

pytestmark = pytest.mark.asyncio
HOME = "p/well-1/run-1/gr"
VERDICT = """SELECT v.verdict, v.findings, c.verdict AS copy, (SELECT count(*) FROM segment WHERE verified) AS verified
FROM curve_version v JOIN curve c ON c.latest_version_id = v.id"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(limits=SandboxLimits(memory=1 << 30, seconds=20)) as sandbox:
        yield sandbox


async def judged(shelf: Shelf, sandbox: Sandbox) -> dict[str, Any]:
    """Do what the pushes so far call for; the latest version's verdict."""
    events = await shelf.database.run(lambda conn: take_events(conn, 500))
    pushed = [event for event in events if event.kind == "artifact.pushed"]
    for wanted in judgements(pushed):
        for payload in wanted.payloads:
            claim = work.Claim(0, wanted.kind, payload, 1, 10**6)  # its log is full: there is no such task
            await JudgeVersions(shelf.database, shelf.store.driver, sandbox)(Task(shelf.database, claim))
    row = dict(await shelf.row(VERDICT))
    return row | {"findings": json.loads(row["findings"])}


def with_layer(number: int, content: bytes) -> Callable[[Packed], Packed]:
    """Other bytes in a layer, said by the manifest as they are."""

    def change(packed: Packed) -> Packed:
        layers = list(packed.manifest.layers)
        layers[number] = msgspec.structs.replace(layers[number], digest=Digest.of(content), size=len(content))
        changed = altered(packed, layers=layers)
        return replace(changed, blobs=changed.blobs | {layers[number].digest: content})

    return change


def parquet(*columns: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(list(columns), names=[f"c{n}" for n in range(len(columns))]), sink, **options)
    return sink.getvalue()


def claim(**changes: Any) -> Callable[[Packed], Packed]:
    return lambda packed: altered(packed, changes, annotations={})


def statistics(**changes: Any) -> Callable[[Packed], Packed]:
    return lambda packed: altered(packed, {"stats": msgspec.structs.replace(packed.config.stats, **changes)})


FLOATS = pa.array([1.0, None, 3.0], pa.float32())
DEPTHS = pa.array([1000, 1000, 1001], pa.decimal128(14, 4))
WRONG: dict[str, tuple[Callable[[Packed], Packed], str]] = {
    "no Parquet": (with_layer(1, b"gr"), "no readable Parquet"),
    "half a file": (with_layer(1, parquet(FLOATS)[:-20]), "no readable Parquet"),
    "two columns": (with_layer(1, parquet(FLOATS, FLOATS)), "2 columns"),
    "other rows": (with_layer(1, parquet(FLOATS.slice(1))), "has 2 rows"),
    "another dtype": (with_layer(1, parquet(FLOATS.cast(pa.float64()))), "holds float64 of width 1"),
    "another value": (with_layer(1, parquet(pa.array([1.0, None, 3.5], pa.float32()))), "has the content id"),
    "another depth": (with_layer(0, parquet(DEPTHS)), "the index has the content id"),
    "a depth that is null": (
        with_layer(0, parquet(pa.array([1000, None, 1001], pa.decimal128(14, 4)))),
        "without a value",
    ),
    "depths that descend": (with_layer(0, parquet(DEPTHS[::-1])), "descends"),
    "an index of floats": (with_layer(0, parquet(FLOATS)), "decimals or timestamps"),
    "another values id": (claim(values_id="sha256:" + "0" * 64), "the values have the content id"),
    "another mean": (statistics(mean=2.5), "the mean of the values is 2"),
    "another maximum": (statistics(max=4.0), "other extremes"),
}


async def test_a_curve_is_good_and_its_segments_are_verified(shelf: Shelf, sandbox: Sandbox) -> None:
    first = packed_of(frame_of())
    await shelf.push(HOME, first, "latest")
    assert await judged(shelf, sandbox) == {"verdict": "good", "findings": [], "copy": "good", "verified": 1}
    await shelf.push(HOME, packed_of(frame_of((1.0, 2.0, 3.0)), first), "latest")
    assert (await shelf.row(VERDICT))["copy"] == "pending", "the latest is another version now"
    assert await judged(shelf, sandbox) == {"verdict": "good", "findings": [], "copy": "good", "verified": 2}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_the_bytes_contradict_is_bad(shelf: Shelf, sandbox: Sandbox, wrong: str) -> None:
    change, said = WRONG[wrong]
    await shelf.push(HOME, change(packed_of(frame_of())), "latest")
    verdict = await judged(shelf, sandbox)
    assert (verdict["verdict"], verdict["copy"]) == ("bad", "bad")
    assert any(said in finding for finding in verdict["findings"]), verdict
    assert verdict["verified"] == (
        1 if "depth" in wrong or "index" in wrong or "another m" in wrong or "id" in wrong else 0
    )


async def test_a_bomb_ends_as_a_bad_version_and_the_next_one_is_judged(shelf: Shelf, sandbox: Sandbox) -> None:
    """A million rows of one long text: small as bytes, 10 GB when opened."""
    rows = 1 << 20
    bomb = parquet(pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array(["x" * 10_000])))
    assert len(bomb) < 2 << 20
    packed = packed_of(frame_of())
    header = msgspec.structs.replace(packed.config.segments[0], rows=rows, index=["1.0", "2.0"], nulls=0)
    stats = schema.Stats(count=rows, nulls=0)
    layer = msgspec.structs.replace(
        packed.manifest.layers[1],
        digest=Digest.of(bomb),
        size=len(bomb),
        annotations={schema.TITLE: "bomb"},
    )
    changes = {"segments": [header], "stats": stats, "dtype": "utf8"}
    changes["index"] = msgspec.structs.replace(packed.config.index, regular=None)
    notes = {schema.LAYERS: f"0 {rows}", schema.AXIS: "MD 4 1.0 2.0"}
    packed = altered(packed, changes, layers=[packed.manifest.layers[0], layer], annotations=notes)
    await shelf.push(HOME, replace(packed, blobs=packed.blobs | {layer.digest: bomb}), "latest")
    verdict = await judged(shelf, sandbox)
    assert verdict["verdict"] == "bad"
    await shelf.push(HOME, packed_of(frame_of()), "latest")
    assert (await judged(shelf, sandbox))["verdict"] == "good"


async def test_what_breaks_its_process_is_not_inspected(shelf: Shelf) -> None:
    async with Sandbox(limits=SandboxLimits(memory=300 << 20, seconds=20)) as tight:
        floats = pa.array([0.0] * 30_000_000, pa.float64())
        await shelf.push(HOME, with_layer(1, parquet(floats))(packed_of(frame_of())), "latest")
        verdict = await judged(shelf, tight)
        assert verdict["verdict"] == "bad"
        assert verdict["verified"] == 0


async def test_bytes_that_are_lost_or_rotten_leave_it_pending(shelf: Shelf, sandbox: Sandbox) -> None:
    packed = packed_of(frame_of())
    await shelf.push(HOME, packed, "latest")
    async with shelf.database.acquire() as conn:
        await conn.execute(
            "UPDATE artifact_blob SET content = NULL WHERE digest = $1", packed.manifest.layers[1].digest
        )
    verdict = await judged(shelf, sandbox)
    assert (verdict["verdict"], verdict["verified"]) == ("pending", 0)
    assert "not inspected" in verdict["findings"][0]
    await shelf.store.driver.put_many({blob_key(Digest(packed.manifest.layers[1].digest), 0): zlib.compress(b"rot")})
    await shelf.push(HOME, packed, "latest", blobs=False)
    verdict = await judged(shelf, sandbox)
    assert (verdict["verdict"], verdict["verified"]) == ("pending", 0)
    assert "others" in verdict["findings"][0]
