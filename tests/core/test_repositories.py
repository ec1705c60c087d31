"""Repositories that are made in one transaction: each has its own answer."""

import asyncio
from contextlib import nullcontext
from functools import partial

import pytest

from dataforge_registry.core.batch import Batch, apart
from dataforge_registry.core.oci.errors import NameUnknown
from dataforge_registry.core.records import repositories
from dataforge_registry.core.records.artifacts import Actor
from dataforge_registry.core.records.calls import fetch
from dataforge_registry.core.records.database import Database
from dataforge_registry.core.records.repositories import New

pytestmark = pytest.mark.asyncio


async def test_each_name_has_its_id_whoever_asks_and_in_whatever_order(database: Database) -> None:
    names = ["m/w/b", "m/w/a", "n/w/a", "m/w/b", "m/w/c"]
    ids = await repositories.make(database, [New(name, True, Actor(f"u{n}")) for n, name in enumerate(names)])
    rows = await fetch(database, "SELECT name, repository_id FROM repository")
    known = {row["name"]: row["repository_id"] for row in rows}
    assert ids == [known[name] for name in names] and len(known) == 4
    assert await repositories.make(database, [New("m/w/c", False, Actor())]) == [known["m/w/c"]]


async def test_a_project_that_is_missing_takes_no_other_down(database: Database) -> None:
    made = apart(partial(repositories.make, database))
    batch = Batch[None, New, int](nullcontext, lambda _, news: made(news))
    news = [New("m/w/a", True, Actor()), New("missing/w/a", False, Actor()), New("m/w/b", True, Actor())]
    first, missing, last = await asyncio.gather(*map(batch.get, news), return_exceptions=True)
    assert isinstance(first, int) and isinstance(last, int) and first != last
    assert isinstance(missing, NameUnknown)
    assert len(await fetch(database, "SELECT 1 FROM project")) == 1
