"""Questions to the catalogue: whose versions they find, in which order, page by page."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import asyncpg
import pytest

from dataforge_registry.core.access import ANONYMOUS, SYSTEM
from dataforge_registry.core.curves.names import slug
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.core.records import catalog_search, catalog_versions, catalog_wells
from dataforge_registry.core.records.catalog import Asker
from dataforge_registry.core.records.catalog_search import Search
from dataforge_registry.core.search import parse_query

from .conftest import Shelf, frame_of, packed_of

pytestmark = pytest.mark.asyncio

Ask = Callable[[Shelf, Asker], Awaitable[Sequence[asyncpg.Record]]]
VALUES = packed_of(frame_of((1.0, 2.0)))
CONTENT = bytes.fromhex(Digest.parse(VALUES.config.values_id).hex)


def found_by(q: str, everything: bool = False, **more: object) -> Ask:
    wanted = Search(parse_query(q), everything=everything, **more)  # type: ignore[arg-type]
    return lambda shelf, asker: catalog_search.search(shelf.database, asker, wanted)


QUESTIONS: dict[str, Ask] = {
    "latest": found_by("mnemonic=gr"),
    "latest of these values": found_by(f"values_id={VALUES.config.values_id}"),
    "all of these values": found_by(f"values_id={VALUES.config.values_id}", everything=True),
    "all of a mnemonic": found_by("mnemonic=gr,version=[1~]", everything=True),
    "all of a well, by wells": found_by("well=Well 1", everything=True, sort="well"),
    "changes": lambda shelf, asker: catalog_versions.changes(
        shelf.database, asker, datetime(2020, 1, 1, tzinfo=UTC), 0, 10
    ),
    "uses": lambda shelf, asker: catalog_versions.uses(shelf.database, asker, None, CONTENT, 0, 10),
}


@pytest.mark.parametrize("question", QUESTIONS)
async def test_a_question_finds_what_its_asker_may_pull(shelf: Shelf, question: str) -> None:
    for project in ("open", "secret"):
        await shelf.push(f"{project}/well-1/run-1/gr", VALUES, "latest", numbered=True)
    await shelf.rows("""UPDATE project SET metadata = '{"public": "true"}' WHERE name = 'open'""")

    async def found(asker: Asker) -> list[str]:
        return sorted(row["ref"] for row in await QUESTIONS[question](shelf, asker))

    assert await found(Asker(SYSTEM)) == ["open/well-1/run-1/gr", "secret/well-1/run-1/gr"]
    assert await found(Asker(SYSTEM, "secret")) == ["secret/well-1/run-1/gr"]
    assert await found(Asker(ANONYMOUS)) == ["open/well-1/run-1/gr"]
    assert await found(Asker(ANONYMOUS, "secret")) == []


async def test_all_versions_are_those_that_are_live(shelf: Shelf) -> None:
    name, second = "p/well-1/run-1/gr", packed_of(frame_of((1.0, 3.0)), VALUES)
    for packed in (VALUES, second):
        await shelf.push(name, packed, numbered=True)
    question = found_by("family=gamma_ray", everything=True)
    assert [row["version"] for row in await question(shelf, Asker(SYSTEM))] == [1, 2]
    await shelf.repository(name).delete_manifest(Digest(second.digest))
    assert [row["version"] for row in await question(shelf, Asker(SYSTEM))] == [1]
    await shelf.repository(name).delete_manifest(Digest(VALUES.digest))
    assert await question(shelf, Asker(SYSTEM)) == []


async def test_the_start_of_a_mnemonic_comes_in_the_order_of_mnemonics(shelf: Shelf) -> None:
    for mnemonic in ("RHOZ", "GR", "RHOB", "RHO\U00010400", "RHOA"):
        frame = frame_of((1.0, 2.0), mnemonic)
        await shelf.push(f"p/well-1/run-1/{slug(mnemonic, 'curve')}", packed_of(frame), "latest")

    async def pages(sort: str) -> list[str]:
        seen: list[str] = []
        after = None
        while page := await found_by("mnemonic=rho*", sort=sort, after=after, limit=1)(shelf, Asker(SYSTEM)):
            seen += [row["mnemonic"] for row in page]
            after = page[-1]["sorted"], page[-1]["key"]
        return seen

    assert await pages("") == await pages("mnemonic") == ["RHOA", "RHOB", "RHOZ", "RHO\U00010400"]
    assert await pages("-mnemonic") == ["RHO\U00010400", "RHOZ", "RHOB", "RHOA"]
    assert await pages("id") == ["RHOZ", "RHOB", "RHO\U00010400", "RHOA"]


async def test_coverage_with_and_without_ranges(shelf: Shelf) -> None:
    for mnemonic in ("GR", "RHOB", "XYZ"):
        await shelf.push(f"p/well-1/run-1/{mnemonic.lower()}", packed_of(frame_of((1.0, 2.0), mnemonic)), "latest")
    asker = Asker(SYSTEM, "p")
    (row,) = await catalog_wells.coverage(shelf.database, asker, "", 10)
    assert (row["families"], row["kinds"], row["curves"]) == (["bulk_density", "gamma_ray"], ["MD", "MD"], [1, 1])
    assert row["ranges"] == ["{[304.8,304.9524]}"] * 2
    (row,) = await catalog_wells.coverage(shelf.database, asker, "", 10, ranges=False)
    assert (row["curves"], row["ranges"]) == ([1, 1], [None, None])
    await shelf.rows("UPDATE curve SET family = NULL")
    (row,) = await catalog_wells.coverage(shelf.database, asker, "", 10)
    assert (row["name"], row["families"], row["ranges"]) == ("Well 1", None, None)
