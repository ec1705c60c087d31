"""The catalogue after a reindex is the catalogue before, row by row; rows that no artifact backs go."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataforge_registry.core.curves.artifact.packed import Packed
from dataforge_registry.core.curves.origin import Well
from dataforge_registry.core.curves.schema import Lineage, LineageInput
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.oci.errors import CurveConflict, ManifestUnknown, NameUnknown
from dataforge_registry.core.work.reindex import Reindex, Reindexed

from .conftest import Shelf, altered, frame_of, packed_of

pytestmark = pytest.mark.asyncio

TABLES = {
    "well": "SELECT project_id, name, name_norm, uwi, uwi_norm, operator, field, country FROM well ORDER BY 1, 3",
    "well_slug": "SELECT s.project_id, slug, w.name FROM well_slug s JOIN well w ON w.id = s.well_id ORDER BY 1, 2",
    "well_alias": "SELECT w.name, alias_norm FROM well_alias a JOIN well w ON w.id = a.well_id ORDER BY 1, 2",
    "curve": "SELECT to_jsonb(c) - 'well_id', w.name FROM curve c JOIN well w ON w.id = c.well_id ORDER BY c.id",
    "curve_version": "SELECT to_jsonb(v) - 'changed' FROM curve_version v ORDER BY id",
    "segment": "SELECT * FROM segment ORDER BY content_id, blob_digest",
    "lineage": "SELECT * FROM lineage ORDER BY version_id, ref, role",
    "repository": """SELECT r.name, last_version FROM repository r JOIN project USING (project_id)
        WHERE NOT deleted ORDER BY 1""",
}
EVERYTHING = "DELETE FROM well; DELETE FROM segment; UPDATE repository SET last_version = 0"
WELLS = (
    Well("Well 1", aliases=("W 1",)),
    Well("Well 1", uwi="1", field="F"),
    Well("well-1", uwi="2", aliases=("X",)),
    Well("2"),
)


async def catalogue(shelf: Shelf) -> dict[str, Any]:
    return {table: await shelf.rows(statement) for table, statement in TABLES.items()}


async def reindex(shelf: Shelf, project: str | None = None) -> Reindexed:
    done = [done async for done in Reindex(shelf.database, shelf.store.driver).run(project)]
    return done[-1]


def version(well: int, mnemonic: str, value: int) -> tuple[str, Packed]:
    """One of few versions of few curves, and its repository."""
    lineage = Lineage(operation="edit", inputs=[LineageInput(ref="p/w/f/c:v1")]) if value % 2 else None
    packed = packed_of(frame_of((1.0, float(value)), mnemonic, WELLS[well]), lineage=lineage)
    return f"p/{'2' if well == 3 else 'well-1'}/run-1/{mnemonic.lower()}", packed


async def act(shelf: Shelf, step: tuple[str, int, str, int]) -> None:
    """A push, or a deletion; refusals are part of the history."""
    action, well, mnemonic, value = step
    name, packed = version(well, mnemonic, value)
    try:
        if action == "next":
            await shelf.push(name, packed, "latest", numbered=True)
        elif action == "delete tag":
            await shelf.repository(name).delete_tag("latest")
        elif action == "delete number":
            await shelf.repository(name).delete_tag("v1")
        elif action == "delete":
            await shelf.repository(name).delete_manifest(Digest.parse(packed.digest))
        elif action == "number":
            await shelf.push(name, packed, f"v{value + 1}")
        else:
            await shelf.push(name, packed, "raw")
    except (CurveConflict, ManifestUnknown):
        pass
    except Exception as error:
        if type(error).__name__ != "NameUnknown":
            raise


STEPS = st.tuples(
    st.sampled_from(["next", "number", "raw", "delete", "delete tag", "delete number"]),
    st.integers(0, 3),
    st.sampled_from(["GR", "DT"]),
    st.integers(0, 3),
)


async def test_a_reindex_changes_nothing_and_makes_everything(shelf: Shelf) -> None:
    """Any history of pushes and deletions: the rows stay when made again over what is there, and from nothing."""
    loop = asyncio.get_running_loop()

    async def history(steps: list[tuple[str, int, str, int]]) -> None:
        async with shelf.database.acquire() as conn:
            await conn.execute("DELETE FROM well; DELETE FROM segment; UPDATE project SET deleted = true")
        for step in steps:
            await act(shelf, step)
        before = await catalogue(shelf)
        await reindex(shelf)
        assert await catalogue(shelf) == before
        async with shelf.database.acquire() as conn:
            await conn.execute(EVERYTHING)
        await reindex(shelf)
        assert await catalogue(shelf) == before

    @settings(max_examples=15)
    @given(st.lists(STEPS, min_size=3, max_size=12))
    def property_(steps: list[tuple[str, int, str, int]]) -> None:
        asyncio.run_coroutine_threadsafe(history(steps), loop).result()

    await asyncio.to_thread(property_)


async def test_verdicts_stay_and_wrong_rows_go(shelf: Shelf) -> None:
    name, packed = version(1, "GR", 1)
    await shelf.push(name, packed, "latest", numbered=True)
    async with shelf.database.acquire() as conn:
        await conn.execute(
            """UPDATE curve_version SET verdict = 'bad', findings = '["x"]'; UPDATE curve SET verdict = 'bad'"""
        )
    before = await catalogue(shelf)
    await shelf.push("p/elsewhere", altered(packed, artifactType="application/vnd.test"), "latest")
    async with shelf.database.acquire() as conn:
        await conn.execute(
            """INSERT INTO well (project_id, name, name_norm) SELECT project_id, 'Ghost', 'ghost' FROM project;
            INSERT INTO well_slug SELECT project_id, 'ghost', id FROM well WHERE name = 'Ghost';
            INSERT INTO well_alias SELECT id, 'wrong', 'wrong' FROM well WHERE name <> 'Ghost';
            INSERT INTO curve (id, project_id, well_id, frame, frame_norm, frame_slug, mnemonic, mnemonic_norm)
            SELECT r.repository_id, r.project_id, w.id, '', '', '', '', '' FROM repository r, well w
            WHERE r.name = 'p/elsewhere' AND w.name = 'Ghost';
            UPDATE curve_version SET vmax = 7, unit = 'ft', version = 5;
            UPDATE curve SET vmax = 7, mnemonic = 'ZZ', mnemonic_norm = 'zz' WHERE mnemonic = 'GR';
            UPDATE well SET uwi = 'wrong', operator = 'wrong' WHERE name <> 'Ghost'"""
        )
    with pytest.raises(NameUnknown):
        await reindex(shelf, "other")
    done = await reindex(shelf, "p")
    assert (done.versions, done.refused) == (1, [])
    after = await catalogue(shelf)
    assert after | {"repository": 0} == before | {"repository": 0}


async def test_a_config_that_came_later_is_catalogued(shelf: Shelf) -> None:
    async with shelf.database.acquire() as conn:
        await conn.execute("""INSERT INTO project (name, metadata) VALUES ('p', '{"sparse": "true"}')""")
    name, packed = version(0, "GR", 0)
    await shelf.push(name, packed, "latest", "v4", blobs=False)
    await reindex(shelf)
    assert await shelf.rows("SELECT count(*) FROM curve") == [(0,)]
    await shelf.blobs(name, packed)
    await reindex(shelf)
    assert await shelf.rows(
        "SELECT version FROM curve_version JOIN curve c ON c.latest_version_id = curve_version.id"
    ) == [(4,)]
    jobs = "SELECT count(*) FROM task WHERE kind = 'curve.judge'"
    assert await shelf.rows(jobs) == [(1,)]


async def test_pushes_go_on_meanwhile(shelf: Shelf) -> None:
    for value in range(4):
        await act(shelf, ("next", 0, "GR", value))

    async def pushes() -> None:
        for value in range(20):
            name, packed = version(value % 3, ("GR", "DT")[value % 2], 10 + value)
            await shelf.push(name, packed, "latest", numbered=True)

    async def reindexes() -> None:
        for _ in range(5):
            await reindex(shelf)

    await asyncio.gather(pushes(), reindexes())
    assert await shelf.rows("SELECT count(*), count(version) FROM curve_version") == [(24, 24)]
    before = await catalogue(shelf)
    await reindex(shelf)
    assert await catalogue(shelf) == before


async def test_claims_about_blobs_that_nothing_names_go(shelf: Shelf) -> None:
    """Unless they were seen to be true: a blob may come back."""
    await shelf.push("p/well-1/run-1/gr", packed_of(frame_of()), "latest")
    kept = await shelf.rows(TABLES["segment"])
    digests = [Digest.of(bytes([n])) for n in range(3)]
    async with shelf.database.acquire() as conn:
        await conn.executemany(
            "INSERT INTO segment (content_id, blob_digest, dtype, width, verified) VALUES ($1, $2, 'int8', 1, $3)",
            [(bytes([n]), digest, n == 1) for n, digest in enumerate(digests)],
        )
    await reindex(shelf, "p")
    assert len(await shelf.rows(TABLES["segment"])) == len(kept) + 3
    await reindex(shelf)
    assert await shelf.rows(TABLES["segment"]) == [(b"\x01", digests[1], "int8", 1, True), *kept]
