"""Which segments a caller may name instead of sending them."""

import pytest

from dataforge_registry.core.access import SYSTEM, Action, Principal
from dataforge_registry.core.oci.errors import DigestInvalid, QueryInvalid, ScopeInsufficient
from dataforge_registry.core.records.segments import Held, held

from .conftest import Shelf, frame_of, packed_of

pytestmark = pytest.mark.asyncio
HOME = "p/well-1/run-1/gr"
NOBODY = Principal("anonymous")


async def test_only_verified_pairs_of_readable_repositories(shelf: Shelf) -> None:
    packed = packed_of(frame_of())
    await shelf.push(HOME, packed, "latest")
    content, layer = packed.config.segments[0].content, packed.manifest.layers[1]
    assert await held(shelf.database, SYSTEM, [content]) == []
    async with shelf.database.acquire() as conn:
        await conn.execute("UPDATE segment SET verified = true")
    found = Held(content, layer.digest, layer.size, HOME)
    assert await held(shelf.database, SYSTEM, ["sha256:" + "0" * 64, content, content]) == [found]
    assert await held(shelf.database, NOBODY, [content]) == []
    async with shelf.database.acquire() as conn:
        await conn.execute("""UPDATE project SET metadata = '{"public": "true"}'""")
    assert await held(shelf.database, NOBODY, [content]) == [found]
    async with shelf.database.acquire() as conn:
        await conn.execute("UPDATE repository_blob SET hidden = true")
    assert await held(shelf.database, SYSTEM, [content]) == []


async def test_what_cannot_be_asked(shelf: Shelf) -> None:
    with pytest.raises(QueryInvalid):
        await held(shelf.database, SYSTEM, ["sha256:" + "0" * 64] * 1001)
    with pytest.raises(DigestInvalid):
        await held(shelf.database, SYSTEM, ["gr"])


async def test_a_credential_without_pull_learns_nothing(shelf: Shelf) -> None:
    packed = packed_of(frame_of())
    await shelf.push(HOME, packed, "latest")
    async with shelf.database.acquire() as conn:
        await conn.execute("UPDATE segment SET verified = true")
        await conn.execute("""UPDATE project SET metadata = '{"public": "true"}'""")
    content = packed.config.segments[0].content
    with pytest.raises(ScopeInsufficient):
        await held(shelf.database, Principal("anonymous", ceiling=frozenset({Action.PUSH})), [content])
    pulls = Principal("anonymous", ceiling=frozenset({Action.PULL}))
    assert [each.content for each in await held(shelf.database, pulls, [content])] == [content]
