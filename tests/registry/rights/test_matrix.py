"""Promises P20 and P21: who is answered what, for every route, every kind of principal and every project; and that what
may not be seen is answered as what is not there. matrix.txt is the table, words.py what roles mean."""

import re
from pathlib import Path
from typing import Any

import pytest

from dataforge_registry.registry import app
from dataforge_registry.registry.config import load
from dataforge_registry.registry.load.load import load_of
from dataforge_registry.registry.metrics import Metrics

from .conftest import ABSENT, Answer, World
from .routes import APPLICATIONS, served
from .rows import ANCHORS, Row, parse
from .words import OTHER, OWN, PLACES, PRINCIPALS, PUBLIC, Who

ROWS = parse((Path(__file__).parent / "matrix.txt").read_text())
CROSSINGS = ((OWN, OTHER), (PUBLIC, OTHER))
ASK_BY_HEAD = ("", "eve", "pat")
BY_HEAD = {route.replace("HEAD", "GET", 1) for route in served(heads=True) if route.startswith("HEAD")} - {
    "GET /api/v2.0/projects"
}
FLEETING = {"date", "x-request-id", "server"}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
STATE = {
    "project": "name, metadata, deleted, storage_limit, artifact_limit, quota_warning",
    "project_member": "project_id, entity_type, entity_id, role_id",
    "robot": "project_id, name, description, permissions, disabled, duration",
    "robot_trust": "issuer, audience, conditions",
    "label": "project_id, name, description, color",
    "immutable_rule": "project_id, rule, enabled",
    "retention_policy": "project_id, rules, trigger, enabled",
    "hold": "project_id, repository_id, artifact_id, reason",
    "account": "username, admin, disabled, deleted, password",
    "user_group": "name",
    "repository": "name, description, deleted_at",
    "artifact": "repository_name, digest, deleted_at",
    "tag": "repository_id, artifact_id, name",
    "setting": "name, value",
}


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    described = {row.route for row in ROWS}
    assert served() - described == set(), "say in matrix.txt what these need"
    assert described - served() == set(), "these are not served"


def test_every_application_is_in_the_matrix() -> None:
    config = load(None, {}, overrides={"storage.inmemory": {}, "database.url": "postgresql://nowhere"})
    registry = app.Registry(config, metrics := Metrics(), load_of(config, metrics.registry))
    found = {name for name, value in vars(registry).items() if value is app._starting}
    assert found == APPLICATIONS, "routes.py must list the routes of each"


def plain(answer: Answer, asked: set[str]) -> tuple[Any, ...]:
    """All of an answer that says anything, with <it> where it repeats what was asked for."""
    headers = "\n".join(f"{name}: {value}" for name, value in sorted(answer.headers.items()) if name not in FLEETING)
    texts = [headers, answer.body.decode("latin-1")]
    for value in sorted(asked, key=len, reverse=True):
        texts = [text.replace(value, "<it>") for text in texts]
    return answer.status, *(UUID.sub("<uuid>", text) for text in texts)


def asked_for(world: World, row: Row, place: str, thing: str) -> dict[str, str]:
    """What a request names, by the names of the table."""
    return {name: world.things[place if name in ANCHORS else thing][name] for name in row.names}


async def ask(world: World, row: Row, who: Who, place: str, thing: str, method: str = "") -> Answer:
    target, body = row.request(world.things[place], world.things[thing])
    return await world.send(who, method or row.method, target, body, row.options.get("type", ""))


async def check(world: World, row: Row, who: Who, place: str, thing: str) -> None:
    """One cell, and where nothing may be told the same question about what is not there."""
    answer = await ask(world, row, who, place, thing)
    cell = f"{who.name or 'nobody'} through {place}, a thing of {thing}: {answer}"
    expected = row.expected(who, place, thing)
    assert answer.status == expected, f"{expected} expected of {cell}"
    if answer.status in (200, 201) and "remake" in row.options:
        await world.remake(row.options["remake"], thing)
    if row.route in BY_HEAD and who.name in ASK_BY_HEAD:
        head = await ask(world, row, who, place, thing, "HEAD")
        assert (head.status, head.body) == (expected, b""), cell
    if "shows" in row.options and answer.status == 200:
        marks, _ = Row("", row.options.get("marks", "<project>"), "", 0).request(*[world.things[place]] * 2)
        shown = place == thing and who.holds(row.options["shows"], place)
        assert (marks.encode() in answer.body) == shown, cell
    if row.placed and not who.knows(thing) and (row.needs != "anybody" or "shows" in row.options):
        for absent in {(place, ABSENT), (ABSENT if place == thing else place, ABSENT)}:
            nothing = await ask(world, row, who, *absent)
            one, two = asked_for(world, row, place, thing), asked_for(world, row, *absent)
            same = {name for name in row.names if one[name] == two[name]}
            first, second = ({value for name, value in each.items() if name not in same} for each in (one, two))
            assert plain(answer, first) == plain(nothing, second), cell


async def state(world: World) -> str:
    """All that a forbidden request could have changed."""
    texts = (
        f"SELECT '{table} ' || t::text AS row FROM (SELECT {what} FROM {table}) t" for table, what in STATE.items()
    )
    question = " UNION ALL ".join(texts)
    async with world.registry.database.acquire() as conn:
        return str(await conn.fetchval(f"SELECT string_agg(row, E'\\n' ORDER BY row) FROM ({question}) u"))


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
@pytest.mark.asyncio
async def test_row(world: World, row: Row) -> None:
    """All principals, through every project, for its own things and for another's."""
    world.state = world.state or await state(world)
    for who in PRINCIPALS:
        for place in PLACES if row.placed else (OWN,):
            await check(world, row, who, place, place)
        for place, thing in CROSSINGS if row.crossing else ():
            await check(world, row, who, place, thing)
        if row.needs.startswith("self:") and who.name in world.ids:
            target, body = row.request({}, {"user_id": world.ids[who.name]})
            assert (await world.send(who, row.method, target, body)).status == row.expected(who, OWN, OWN, himself=True)
    assert await state(world) == world.state
