"""A push of a curve fills the catalogue in its own transaction, or is refused whole."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from dataforge_registry.core.curves import schema
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.curves.schema import Lineage, LineageInput
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import (
    CurveConflict,
    ManifestBlobUnknown,
    ManifestInvalid,
    PreconditionFailed,
    RegistryError,
)
from dataforge_registry.core.records.artifacts import Precondition

from .conftest import Shelf, altered, frame_of, packed_of

pytestmark = pytest.mark.asyncio

HOME = "p/well-1/run-1/gr"
CURVE = """SELECT c.*, w.name AS well, w.uwi, w.country, r.name AS repository FROM curve c
JOIN well w ON w.id = c.well_id JOIN repository r ON r.repository_id = c.id"""
VERSIONS = "SELECT version FROM curve_version WHERE deleted_at IS NULL ORDER BY id"
TAGS = "SELECT t.name, a.digest FROM tag t JOIN artifact a ON a.id = t.artifact_id ORDER BY t.name"
NOTHING = """SELECT (SELECT count(*) FROM well) + (SELECT count(*) FROM curve) + (SELECT count(*) FROM curve_version)
  + (SELECT count(*) FROM segment) + (SELECT count(*) FROM artifact) + (SELECT count(*) FROM tag)
  + (SELECT count(*) FROM tag_history) + (SELECT count(*) FROM event WHERE kind = 'artifact.pushed')"""


async def test_all_that_a_config_says_is_found_again(shelf: Shelf) -> None:
    inputs = [
        LineageInput(ref="p/well-1/run-1/sp@sha256:" + "a" * 64),
        LineageInput(ref="p/w/f/c:v1", role="reference"),
    ]
    lineage = Lineage(operation="despike", message="spikes at 1001 ft", tool="t 1.0", inputs=inputs)
    frame = frame_of(acquired="1997-06-21", run="ONE", service_company="Us")
    packed = packed_of(frame, lineage=lineage, created="2020-01-31T12:00:00Z")
    pushed = await shelf.push(HOME, packed, "latest", "v3")
    assert (pushed.absent, pushed.version) == (0, 3)
    curve = await shelf.row(CURVE)
    assert (curve["repository"], curve["well"], curve["frame"], curve["mnemonic"]) == (HOME, "Well 1", "Run 1", "GR")
    assert (curve["uwi"], curve["country"], curve["family"]) == ("100-A", "NO", "gamma_ray")
    assert (curve["unit"], curve["unit_canonical"], curve["index_kind"]) == ("GAPI", "gAPI", "MD")
    assert (curve["samples"], curve["vmin"], curve["vmax"], curve["verdict"]) == (3, 1.0, 3.0, "pending")
    expected = asyncpg.Range(Decimal("304.8"), Decimal("305.1048"), upper_inc=True)
    assert curve["idx_range"] == expected
    assert curve["step"] == pytest.approx(0.1524)
    version = await shelf.row("SELECT * FROM curve_version")
    assert curve["latest_version_id"] == version["id"]
    assert version["values_id"].hex() == Digest.parse(packed.config.values_id).hex
    assert (version["first_index"], version["last_index"], version["index_unit"]) == ("1000.0", "1001.0", "ft")
    assert (version["operation"], version["message"], version["tool"]) == ("despike", "spikes at 1001 ft", "t 1.0")
    assert version["acquired"] == date(1997, 6, 21)
    assert version["created"].isoformat() == "2020-01-31T12:00:00+00:00"
    assert (version["author"], version["run"], version["service_company"]) == ("me", "ONE", "Us")
    assert sum(version["hist"]) == 2
    assert await shelf.rows("SELECT ref, role, input_digest FROM lineage ORDER BY role") == [
        (inputs[0].ref, "input", "sha256:" + "a" * 64),
        (inputs[1].ref, "reference", None),
    ]
    assert await shelf.rows("SELECT alias, alias_norm FROM well_alias") == [("W-1", "w1")]
    [(content, blob, verified)] = await shelf.rows("SELECT content_id, blob_digest, verified FROM segment")
    assert f"sha256:{content.hex()}" == packed.config.segments[0].content
    assert blob == packed.manifest.layers[1].digest
    assert verified is False


async def test_latest_is_the_tag_else_the_highest_number_else_the_last_push(shelf: Shelf) -> None:
    first = packed_of(frame_of((1.0, 2.0)))
    second = packed_of(frame_of((2.0, 3.0)), first)
    third = packed_of(frame_of((3.0, 4.0)), second)

    async def latest() -> str:
        return str(
            (await shelf.row("SELECT digest FROM curve c JOIN artifact a ON a.id = latest_version_id"))["digest"]
        )

    await shelf.push(HOME, first)
    assert await latest() == first.digest
    await shelf.push(HOME, second)
    assert await latest() == second.digest, "the last push"
    await shelf.push(HOME, first, "v1")
    assert await latest() == first.digest, "the highest number"
    await shelf.push(HOME, second, "latest")
    assert await latest() == second.digest, "the tag"
    await shelf.push(HOME, third, "v2")
    assert await latest() == second.digest, "still the tag"
    await shelf.repository(HOME).delete_tag("latest")
    assert await latest() == third.digest
    copies = "SELECT c.vmax = v.vmax FROM curve c JOIN curve_version v ON v.id = c.latest_version_id"
    assert await shelf.rows(copies) == [(True,)]


async def test_a_deleted_version_is_absent_and_comes_back_with_its_number(shelf: Shelf) -> None:
    first = packed_of(frame_of((1.0, 2.0)))
    await shelf.push(HOME, first, "latest", numbered=True)
    await shelf.repository(HOME).delete_manifest(Digest.parse(first.digest))
    assert await shelf.rows("SELECT latest_version_id, family FROM curve") == [(None, None)]
    assert await shelf.rows(VERSIONS) == []
    second = packed_of(frame_of((2.0, 2.0)), first)
    assert (await shelf.push(HOME, second, "latest", numbered=True)).version == 2
    with pytest.raises(CurveConflict, match="v1 of this curve was given to"):
        await shelf.push(HOME, second, "v1")
    assert (await shelf.push(HOME, first, numbered=True)).version == 1
    assert await shelf.rows(VERSIONS) == [(1,), (2,)]
    assert [name for name, _ in await shelf.rows(TAGS)] == ["latest", "v1", "v2"]


async def test_a_number_stays_with_its_version(shelf: Shelf) -> None:
    first, other = packed_of(frame_of((1.0, 2.0))), packed_of(frame_of((2.0, 2.0)))
    await shelf.push(HOME, first, "v7")
    with pytest.raises(CurveConflict, match=r"v7 of this curve was given to sha256:\w+, and .*version=next"):
        await shelf.push(HOME, other, "v7")
    await shelf.repository(HOME).delete_tag("v7")
    with pytest.raises(CurveConflict):
        await shelf.push(HOME, other, "v7", "latest")
    assert (await shelf.push(HOME, other, numbered=True)).version == 8
    assert (await shelf.push(HOME, first, numbered=True)).version == 7
    assert await shelf.rows("SELECT version FROM curve_version ORDER BY id") == [(7,), (8,)]


async def test_next_is_given_once_to_a_digest_and_preconditions_are_of_the_named_tags(shelf: Shelf) -> None:
    first, second = packed_of(frame_of((1.0, 2.0))), packed_of(frame_of((2.0, 2.0)))
    assert (await shelf.push(HOME, first, "latest", numbered=True, expected=Precondition(none=True))).version == 1
    assert (await shelf.push(HOME, first, numbered=True)).version == 1
    with pytest.raises(PreconditionFailed):
        await shelf.push(HOME, second, "latest", numbered=True, expected=Precondition(none=True))
    assert [name for name, _ in await shelf.rows(TAGS)] == ["latest", "v1"]
    expected = Precondition(match=first.digest)
    assert (await shelf.push(HOME, second, "latest", numbered=True, expected=expected)).version == 2
    assert [name for name, _ in await shelf.rows(TAGS)] == ["latest", "v1", "v2"]
    assert [to for (to,) in await shelf.rows("SELECT name FROM tag_history ORDER BY id")] == [
        "v1",
        "latest",
        "v2",
        "latest",
    ]


async def test_any_artifact_may_have_the_next_number(shelf: Shelf) -> None:
    one, two = packed_of(frame_of((1.0, 2.0))), packed_of(frame_of((2.0, 2.0)))
    assert (await shelf.push("p/elsewhere", one, "v4")).version is None
    assert (await shelf.push("p/elsewhere", two, numbered=True)).version == 5
    assert (await shelf.push("p/elsewhere", one, "x", numbered=True)).version == 4
    await shelf.push("p/elsewhere", two, "v4")  # only a curve's numbers are fixed
    assert await shelf.rows("SELECT count(*) FROM curve") == [(0,)]


async def test_many_writers_leave_no_gap(shelf: Shelf) -> None:
    packs = [packed_of(frame_of((float(n), 2.0))) for n in range(32)]
    for packed in packs:
        await shelf.blobs(HOME, packed)
    pushed = await asyncio.gather(*(shelf.push(HOME, packed, numbered=True, blobs=False) for packed in packs))
    assert sorted(each.version or 0 for each in pushed) == list(range(1, 33))
    assert await shelf.rows("SELECT version FROM curve_version ORDER BY version") == [(n,) for n in range(1, 33)]


async def test_many_curves_of_new_wells_at_once_do_not_deadlock(shelf: Shelf) -> None:
    """Two processes bring the curves of the same new wells in opposite orders, each saying more of them."""
    other = Shelf(
        shelf.database, type(shelf.store)(shelf.database, shelf.store.driver, shelf.store.limits, shelf.store.pulls)
    )

    async def bring(to: Shelf, mnemonic: str, wells: list[int], **says: Any) -> None:
        async def one(n: int) -> None:
            well = Well(f"Well {n}", aliases=(f"W{n}", f"X{n}"), **says)
            packed = packed_of(frame_of((1.0, float(n)), mnemonic, well))
            await to.push(f"p/well-{n}/run-1/{mnemonic.lower()}", packed, "latest", numbered=True)

        await asyncio.gather(*map(one, wells))

    order = list(range(20))
    await asyncio.gather(
        bring(shelf, "GR", order, uwi="1"),
        bring(other, "DT", order[::-1], field="F"),
        bring(shelf, "SP", order[::-1], operator="O"),
        bring(other, "NPHI", order, country="C"),
    )
    assert await shelf.rows("SELECT count(*), count(uwi), count(field), count(operator), count(country) FROM well") == [
        (20,) * 5
    ]
    assert await shelf.rows("SELECT count(*) FROM curve") == [(80,)]
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    assert await shelf.rows(deadlocks) == [(0,)]


async def test_spellings_of_one_name_are_one_well(shelf: Shelf) -> None:
    for name, segment in (
        ("15/9-19 B T2", "15-9-19-b-t2"),
        ("15/9-19BT2", "15-9-19bt2"),
        ("15_9-19 b t2", "15-9-19-b-t2"),
    ):
        packed = packed_of(frame_of((1.0, 2.0), well=Well(name)))
        await shelf.push(f"p/{segment}/run-1/gr", packed)
    assert await shelf.rows("SELECT name FROM well") == [("15/9-19 B T2",)]
    assert await shelf.rows("SELECT slug FROM well_slug ORDER BY 1") == [("15-9-19-b-t2",), ("15-9-19bt2",)]


@pytest.mark.parametrize(
    ("well", "frame", "mnemonic", "said"),
    [
        ("Ω1", "Run 1", "DT", r"another well: its well is '1', the config names 'Ω1'"),
        ("1", "Ω Run 1", "DT", r"another frame: its frame is 'Run 1', the config names 'Ω Run 1'"),
        ("1", "Run 1", "Ω GR", r"another curve: its curve is 'GR of Run 1 in 1'"),
    ],
)
async def test_a_repository_keeps_its_true_names(shelf: Shelf, well: str, frame: str, mnemonic: str, said: str) -> None:
    """Names whose segments are equal and that are not spellings of one name."""
    await shelf.push("p/1/run-1/gr", packed_of(frame_of((1.0,), well=Well("1"))), "latest")
    segment = "dt" if mnemonic == "DT" else "gr"
    packed = packed_of(frame_of((2.0,), mnemonic, Well(well), frame))
    with pytest.raises(CurveConflict, match=said):
        await shelf.push(f"p/1/run-1/{segment}", packed, "latest", numbered=True)
    assert await shelf.rows("SELECT (SELECT count(*) FROM curve), (SELECT count(*) FROM artifact)") == [(1, 1)]


async def test_a_sparse_project_has_curves_without_their_config(shelf: Shelf) -> None:
    """Stored, not catalogued; the same push heals it once the config is here. What memory holds tells nothing."""
    packed = packed_of(frame_of((1.0, 2.0)))
    await shelf.blobs("q/x", packed)
    async with shelf.database.acquire() as conn:
        await conn.execute("""INSERT INTO project (name, metadata) VALUES ('p', '{"sparse": "true"}')""")
    pushed = await shelf.push(HOME, packed, "latest", blobs=False)
    assert pushed.absent == 3
    assert await shelf.rows("SELECT count(*) FROM curve") == [(0,)]
    await shelf.push(HOME, packed, "latest")
    assert await shelf.rows("SELECT count(*) FROM curve WHERE latest_version_id IS NOT NULL") == [(1,)]


async def test_nothing_is_told_of_a_config_that_is_elsewhere(shelf: Shelf) -> None:
    packed = packed_of(frame_of((1.0, 2.0)))
    await shelf.blobs("q/x", packed)
    for name in (HOME, "p/other/run-1/gr"):
        with pytest.raises(ManifestBlobUnknown):
            await shelf.push(name, packed, blobs=False)


async def test_projects_add_families_and_units(shelf: Shelf) -> None:
    async with shelf.database.acquire() as conn:
        await conn.execute("INSERT INTO project (name) VALUES ('p'), ('q')")
        await conn.execute(
            """INSERT INTO mnemonic_alias (project_id, mnemonic_norm, family) SELECT project_id, 'zz9', 'oddity'
            FROM project WHERE name = 'p'; INSERT INTO mnemonic_alias (mnemonic_norm, family) VALUES ('zz9', 'common');
            INSERT INTO unit_alias (project_id, spelling, unit_canonical) SELECT project_id, 'frob', 'gAPI'
            FROM project WHERE name = 'p'"""
        )
    packed = packed_of(frame_of((1.0, 2.0), "ZZ9"))
    packed = altered(packed, {"unit": "frob", "unit_canonical": "frob"}, annotations={})
    for project in "pq":
        await shelf.push(f"{project}/well-1/run-1/zz9", packed)
    assert await shelf.rows("SELECT family, unit_canonical FROM curve ORDER BY project_id") == [
        ("oddity", "gAPI"),
        ("common", "frob"),
    ]


def claims(**changes: Any) -> Any:
    return lambda packed: altered(packed, changes)


def layers(change: Any) -> Any:
    return lambda packed: altered(packed, layers=change(packed.manifest.layers))


def noted(layer: schema.Descriptor, title: str) -> schema.Descriptor:
    return msgspec.structs.replace(layer, annotations={schema.TITLE: title})


def config_text(old: bytes, new: bytes) -> Any:
    def change(packed: Any) -> Any:
        raw = schema.encode(packed.config)
        assert old in raw
        return altered(packed, raw.replace(old, new))

    return change


CONTRADICTIONS: dict[str, tuple[Any, type[RegistryError]]] = {
    "wrong rows in the manifest": (lambda p: altered(p, annotations={schema.LAYERS: "0 2"}), ManifestInvalid),
    "a wrong index in the manifest": (
        lambda p: altered(p, annotations={schema.AXIS: "MD 4 1.0 +0.5"}),
        ManifestInvalid,
    ),
    "a missing value layer": (layers(lambda of: of[:1]), ManifestInvalid),
    "a missing index layer": (layers(lambda of: of[1:]), ManifestInvalid),
    "two layers of one title": (
        layers(lambda of: [of[0], noted(of[1], title=of[0].annotations[schema.TITLE])]),
        ManifestInvalid,
    ),
    "a layer more than segments": (layers(lambda of: [*of, noted(of[1], title="x")]), ManifestInvalid),
    "other rows in the statistics": (config_text(b'"count":3,"nulls"', b'"count":4,"nulls"'), ManifestInvalid),
    "other nulls in the statistics": (config_text(b'"count":3,"nulls":1', b'"count":3,"nulls":2'), ManifestInvalid),
    "another width": (claims(width=2), ManifestInvalid),
    "no width": (claims(width=0), ManifestInvalid),
    "a huge width": (claims(width=2**70), ManifestInvalid),
    "another mnemonic in the manifest": (lambda p: altered(p, annotations={schema.MNEMONIC: "SP"}), ManifestInvalid),
    "another values id": (claims(values_id="sha256:" + "0" * 64), ManifestInvalid),
    "no values id": (claims(values_id="none"), ManifestInvalid),
    "another well": (claims(well=schema.WellHeader(name="Well 2")), ManifestInvalid),
    "a config that is no JSON": (lambda p: altered(p, b"{"), ManifestInvalid),
    "a config that is no object": (lambda p: altered(p, b"[1]"), ManifestInvalid),
    "a config that is empty": (lambda p: altered(p, b"{}"), ManifestInvalid),
    "a config with NaN": (config_text(b'"max":3', b'"max":NaN'), ManifestInvalid),
    "a config with a number beyond floats": (config_text(b'"max":3', b'"max":1e999'), ManifestInvalid),
    "a config with a NUL": (claims(description="a\0b"), ManifestInvalid),
    "a config with half a surrogate pair": (
        config_text(b'"dtype"', b'"description":"\\ud800","dtype"'),
        ManifestInvalid,
    ),
    "a config that is not UTF-8": (config_text(b'"dtype"', b'"description":"\xff","dtype"'), ManifestInvalid),
    "a config nested without end": (
        config_text(b'"dtype"', b'"x":' + b"[" * 50_000 + b"]" * 50_000 + b',"dtype"'),
        ManifestInvalid,
    ),
    "a config too large": (claims(description="x" * (1 << 20)), ManifestInvalid),
    "an index upside down": (
        config_text(b'"rows":3', b'"rows":3,"index":["1001.0","1000.0"]'),
        ManifestInvalid,
    ),
    "an index of no numbers": (
        config_text(b'"start":"1000.0"', b'"start":"1e999999999"'),
        ManifestInvalid,
    ),
    "a config of another type": (
        lambda p: altered(p, config=msgspec.structs.replace(p.manifest.config, mediaType="application/json")),
        ManifestInvalid,
    ),
}


@pytest.mark.parametrize("wrong", CONTRADICTIONS)
async def test_a_contradiction_is_refused_and_nothing_recorded(shelf: Shelf, wrong: str) -> None:
    change, kind = CONTRADICTIONS[wrong]
    packed = change(packed_of(frame_of()))
    with pytest.raises(kind) as caught:
        await shelf.push(HOME, packed, "latest", numbered=True)
    assert "\n" not in caught.value.message
    assert await shelf.rows(NOTHING) == [(0,)]


@pytest.mark.parametrize("name", ["p/well-2/run-1/gr", "p/well-1/run-2/gr", "p/well-1/run-1/sp"])
async def test_a_curve_belongs_into_the_repository_of_its_names(shelf: Shelf, name: str) -> None:
    with pytest.raises(CurveConflict, match=r"should be (well-1|run-1|gr), and not (well-2|run-2|sp)"):
        await shelf.push(name, packed_of(frame_of()), "latest")
    assert await shelf.rows(NOTHING) == [(0,)]


@pytest.mark.parametrize("name", ["p/copies/well-1/run-1/gr", "p/gr", "p"])
async def test_elsewhere_a_curve_is_stored_and_not_catalogued(shelf: Shelf, name: str) -> None:
    await shelf.push(name, packed_of(frame_of()), "latest", "v1")
    assert await shelf.rows("SELECT (SELECT count(*) FROM artifact), (SELECT count(*) FROM curve)") == [(1, 0)]


async def test_a_config_of_a_later_schema_is_stored_and_not_judged(shelf: Shelf) -> None:
    await shelf.push(HOME, altered(packed_of(frame_of()), {"schema": 2}), "latest")
    assert await shelf.rows("SELECT (SELECT count(*) FROM artifact), (SELECT count(*) FROM curve)") == [(1, 0)]


async def test_ordinary_artifacts_may_lie_in_a_home(shelf: Shelf) -> None:
    await shelf.push(HOME, packed_of(frame_of()), "latest", numbered=True)
    image = altered(packed_of(frame_of()), artifactType="application/vnd.test")
    await shelf.push(HOME, image, "latest")
    row = await shelf.row("SELECT latest_version_id FROM curve")
    assert row["latest_version_id"] is not None, "the tag names no curve: the highest number does"
