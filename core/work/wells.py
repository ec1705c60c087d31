"""The wells of a project as its versions say them, put right at the end of a reindex.

What was there when it began and is said by no version goes; what pushes brought meanwhile stays.
"""

from typing import Any, Final

from ..records.database import Connection, Database

FIELDS: Final = ("uwi", "uwi_norm", "api", "operator", "field", "country", "lat", "lon")

SELECT_WELLS = """SELECT id, name, name_norm, uwi, uwi_norm, api, operator, field, country, lat, lon FROM well
WHERE project_id = $1"""
SELECT_SLUGS = "SELECT slug, w.name_norm FROM well_slug s JOIN well w ON w.id = s.well_id WHERE s.project_id = $1"
SELECT_ALIASES = """SELECT alias_norm, w.name_norm FROM well_alias a JOIN well w ON w.id = a.well_id
WHERE w.project_id = $1"""
UPDATE_WELL = """UPDATE well SET name = $12, uwi = $13, uwi_norm = $14, api = $15, operator = $16, field = $17,
  country = $18, lat = $19, lon = $20
WHERE project_id = $1 AND id = $2 AND name_norm = $4 AND (name, uwi, uwi_norm, api, operator, field, country, lat, lon)
  IS NOT DISTINCT FROM
  ($3::text, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text, $11::float8, $21::float8)"""
DELETE_WELLS = """DELETE FROM well w WHERE w.project_id = $1 AND w.name_norm = ANY($2::text[])
  AND NOT EXISTS (SELECT FROM curve c WHERE c.well_id = w.id)"""
DELETE_SLUG = """DELETE FROM well_slug s USING well w
WHERE w.id = s.well_id AND s.project_id = $1 AND s.slug = $2 AND w.name_norm = $3"""
DELETE_ALIAS = """DELETE FROM well_alias a USING well w
WHERE w.id = a.well_id AND w.project_id = $1 AND a.alias_norm = $2 AND w.name_norm = $3"""


class Wells:
    """Gathers what versions say of wells."""

    def __init__(
        self, database: Database, project_id: int, before: list[Any], slugs: set[Any], aliases: set[Any]
    ) -> None:
        self._database = database
        self._project_id = project_id
        self._before = before
        self._slugs = slugs
        self._aliases = aliases
        self._said: dict[str, dict[str, tuple[int, Any]]] = {}

    @classmethod
    async def open(cls, database: Database, project_id: int) -> "Wells":
        """With the rows as they are now."""
        async with database.acquire() as conn:
            wells = await conn.fetch(SELECT_WELLS, project_id)
            slugs = {tuple(row) for row in await conn.fetch(SELECT_SLUGS, project_id)}
            aliases = {tuple(row) for row in await conn.fetch(SELECT_ALIASES, project_id)}
        return cls(database, project_id, wells, slugs, aliases)

    def add(self, artifact: int, row: dict[str, Any]) -> None:
        """What a catalogued version says of its well: of each field the first version that says it counts."""
        norm = row["well_norm"]
        said = self._said.setdefault(norm, {})
        for name, value in (("name", row["well"]), *((name, row[name]) for name in FIELDS)):
            if value is not None and artifact < said.get(name, (artifact + 1,))[0]:
                said[name] = (artifact, value)
        self._slugs.discard((row["well_slug"], norm))
        for _, alias in row["aliases"]:
            self._aliases.discard((alias, norm))

    async def settle(self) -> None:
        """Put the rows right, and remove those of before that nothing backs."""

        async def put(conn: Connection) -> None:
            before = {well["id"]: well for well in self._before}
            for now in await conn.fetch(SELECT_WELLS, self._project_id):
                # of one that is new, what a push may have added meanwhile stays
                well, fresh = before.get(now["id"], now), now["id"] not in before
                if said := self._said.get(well["name_norm"]):
                    wanted = [said.get(key, (0, well[key] if fresh else None))[1] for key in ("name", *FIELDS)]
                    old = tuple(well)
                    if [*old[1:2], *old[3:]] != wanted:
                        await conn.execute(UPDATE_WELL, self._project_id, *old[:-1], *wanted, old[-1])
            gone = [well["name_norm"] for well in self._before if well["name_norm"] not in self._said]
            await conn.execute(DELETE_WELLS, self._project_id, gone)
            await conn.executemany(DELETE_SLUG, [(self._project_id, *pair) for pair in self._slugs])
            await conn.executemany(DELETE_ALIAS, [(self._project_id, *pair) for pair in self._aliases])

        await self._database.run(put)
