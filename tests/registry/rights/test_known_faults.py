"""Faults that registries had (docs/security.md), tried here: those that no other test of ours tries."""

import re
from typing import get_origin

import pytest

from dataforge_registry.registry.management.application import OPERATIONS
from dataforge_registry.registry.management.operation import Operation

from ...conftest import ROOT
from ..access.conftest import PASSWORD, basic_header
from .conftest import World
from .rows import PARAMETER
from .words import OWN, PRINCIPALS, Who

ADMIN, DEV = Who("admin"), next(who for who in PRINCIPALS if who.name == "dev")
LISTS = [each for each in OPERATIONS if get_origin(each.result) is list and "sort" in each.query.__struct_fields__]
SECRETS = ("password", "secret", "cli_secret", "secret_hash", "token_epoch", "salt", "permissions.secret")
INJECTED = ("name;drop table tag", "(select pg_sleep(9))", "id--", "1", "name'", 'name"', "a.b", "\u0000")
SOURCES = [path for folder in ("core", "registry", "drivers") for path in sorted((ROOT / folder).rglob("*.py"))]
RUNS = re.compile(r"^\s*(import|from) +(pickle|dill|marshal|shelve)\b|(?<![\w.])(eval|exec)\(", re.MULTILINE)
_SECRET = r"(secret|password|csrf|signature|mac)\b"
COMPARES = re.compile(rf"\b{_SECRET} *[!=]=(?! *\"\")|[!=]= *([\w.]+\.)?{_SECRET}")


@pytest.mark.parametrize("operation", LISTS, ids=[each.path for each in LISTS])
@pytest.mark.asyncio
async def test_lists_are_asked_by_their_fields_alone(world: World, operation: Operation) -> None:
    """Nothing of SQL comes in by `q` or `sort` (CVE-2019-19026, -19029, CVE-2024-22261), and no column that is not
    shown is told letter by letter (CVE-2025-30086)."""
    things = world.things[OWN]
    names = {"id": things["retentions.id"], **things}
    path = "/api/v2.0" + PARAMETER.sub(lambda match: names[match[1]], operation.path)
    more = "&scope=g" if operation.path == "/labels" else ""
    fields = operation.query.__struct_fields__
    asked = [f"q={name}=~a" for name in SECRETS] + [f"q={text.replace('=', '')}=1" for text in INJECTED]
    asked = [each for each in asked if "q" in fields] + [f"sort={text}" for text in INJECTED]
    for query in asked:
        answer = await world.send(ADMIN, "GET", f"{path}?{query.replace(' ', '%20').replace(chr(0), '%00')}{more}")
        assert answer.status == 400, (query, answer)


@pytest.mark.asyncio
async def test_what_is_pushed_is_never_a_page(world: World) -> None:
    """A browser that is sent to a blob or manifest runs nothing (CVE-2025-32019, Quay CVE-2023-3384)."""
    things, page = world.things[OWN], "<script>alert(1)</script>"
    url = f"{world.registry.url}/v2/{OWN}/img/manifests/page"
    manifest = things["manifest"].replace("application/vnd.oci.image.manifest.v1+json", "text/html")
    for body in (page, things["manifest"], manifest):
        headers = {"Content-Type": "text/html", "Authorization": basic_header(f"admin:{PASSWORD}".encode())}
        async with world.registry.client.put(url, data=body, headers=headers) as answer:
            assert answer.status == 400
    for path in (f"/v2/{OWN}/img/blobs/{things['layer']}", f"/v2/{OWN}/img/manifests/v1"):
        told = await world.send(ADMIN, "GET", path)
        assert told.headers["x-content-type-options"] == "nosniff"
        assert told.headers["content-type"] in (
            "application/octet-stream",
            "application/vnd.oci.image.manifest.v1+json",
        )
    shown = await world.send(ADMIN, "GET", f"/api/v2.0/projects/{OWN}/repositories?q=name=~{page.replace('<', '%3C')}")
    assert shown.headers["content-type"] == "application/json" and shown.headers["x-content-type-options"] == "nosniff"


@pytest.mark.asyncio
async def test_a_pull_makes_nothing_and_gives_no_right(world: World) -> None:
    """Quay CVE-2025-4374: whoever pulled what was not there became its administrator."""
    count = "SELECT (SELECT count(*) FROM project) + (SELECT count(*) FROM repository) + count(*) FROM project_member"
    async with world.registry.database.acquire() as conn:
        before = await conn.fetchval(count)
        for who in (ADMIN, DEV):
            for name in (f"{OWN}/never", "never/never"):
                for rest in ("manifests/v1", f"blobs/{world.things[OWN]['layer']}", "tags/list"):
                    assert (await world.send(who, "GET", f"/v2/{name}/{rest}")).status in (403, 404)
        assert await conn.fetchval(count) == before


@pytest.mark.parametrize(
    "path",
    [
        "/ui/..%2f..%2fetc/passwd",
        "/static/../../etc/passwd",
        "/health/..%2f..%2fetc/passwd",
        "/c/..%2f..%2fetc%2fpasswd",
        "/api/v1/files/..%2f..%2fetc/passwd/x/gr.parquet",
        "/api/v2.0/..%2f..%2fetc/passwd",
        "//etc/passwd",
    ],
)
@pytest.mark.asyncio
async def test_no_file_is_reached_by_a_path(world: World, path: str) -> None:
    """starlette CVE-2023-29159."""
    answer = await world.send(ADMIN, "GET", path)
    assert answer.status in (400, 404) and b"root:" not in answer.body


def test_the_server_unpickles_and_evaluates_nothing() -> None:
    """Quay kept hash states as pickles (PROJQUAY-11190): whoever could write one ran code."""
    assert [path for path in SOURCES if RUNS.search(path.read_text())] == []


def test_secrets_are_compared_in_constant_time() -> None:
    """Harbor CVE-2023-20902: a secret that is compared with == tells how much of a guess is right."""
    found = [(path, match[0]) for path in SOURCES for match in COMPARES.finditer(path.read_text())]
    assert found == [], "compare with hmac.compare_digest"
