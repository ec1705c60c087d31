"""Objects of a store and rows of the database in one order, that of their digests: one pass meets each pair."""

import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from dataforge_registry.drivers.base import Driver, Stat

from ..oci.digest import LENGTHS
from ..records.database import Database

PAGE: Final = 1000
KEY: Final = re.compile(
    r"(blobs|manifests)/(sha256|sha512)/([0-9a-f]{2})/([0-9a-f]{2})/(\3\4[0-9a-f]+)(?:\.g([1-9][0-9]*))?"
)


@dataclass
class Objects:
    """What lies in the store under one digest: generation -> object."""

    digest: str
    stats: dict[int, Stat] = field(default_factory=dict)


class Pairs:
    """Counts the `objects` and `rows` that it met."""

    def __init__(self, database: Database, driver: Driver) -> None:
        self._database = database
        self._driver = driver
        self.objects = self.rows = 0

    async def of(self, prefix: str, statement: str) -> AsyncGenerator[tuple[Objects | Stat, Any], None]:
        """Objects below `prefix` (blobs or manifests) with their row, of those that `statement` pages through by
        (digest after, limit): Objects without any where there is only a row, None for the row where there is none. A
        key that is none of ours comes by itself, as its Stat."""
        async with aclosing(self._stored(prefix)) as stored, aclosing(self._recorded(statement)) as recorded:
            found, row = await anext(stored, None), await anext(recorded, None)
            while found is not None or row is not None:
                if isinstance(found, Stat):
                    yield found, None
                    found = await anext(stored, None)
                elif row is None or (found is not None and found.digest < row["digest"]):
                    assert found is not None
                    yield found, None
                    found = await anext(stored, None)
                elif found is None or row["digest"] < found.digest:
                    yield Objects(row["digest"]), row
                    row = await anext(recorded, None)
                else:
                    yield found, row
                    found, row = await anext(stored, None), await anext(recorded, None)

    async def _stored(self, prefix: str) -> AsyncGenerator[Objects | Stat, None]:
        group: Objects | None = None
        async for stat in self._driver.list(f"{prefix}/"):
            self.objects += 1
            match = KEY.fullmatch(stat.key)
            whole = match is not None and len(match[5]) == LENGTHS[match[2]] and (prefix == "blobs" or not match[6])
            if match is None or not whole:
                yield stat
                continue
            digest, generation = f"{match[2]}:{match[5]}", int(match[6] or 0)
            if group is not None and group.digest != digest:
                yield group
                group = None
            group = group or Objects(digest)
            group.stats[generation] = stat
        if group is not None:
            yield group

    async def _recorded(self, statement: str) -> AsyncGenerator[Any, None]:
        last = ""
        while True:
            async with self._database.acquire() as conn:
                rows = await conn.fetch(statement, last, PAGE)
            if not rows:
                return
            for row in rows:
                self.rows += 1
                yield row
            last = rows[-1]["digest"]


def is_stray(row: Any, generation: int) -> bool:
    """Whether a blob's row (None: there is none) does not mean the object of a generation."""
    return row is None or row["generation"] != generation or row["state"] == "gone"
