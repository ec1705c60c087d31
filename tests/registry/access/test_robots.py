"""Robots over HTTP: Basic and tokens, each action by its own grant, a token's scope as its ceiling."""

import hashlib
import json
from typing import Any

import pytest

from dataforge_registry.core import issued
from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.grants import Grant
from dataforge_registry.core.records import projects, robots

from .conftest import SERVICE, Registry

pytestmark = pytest.mark.asyncio
SECRET = issued.issue()
ALL = ("repository:pull", "repository:push", "artifact:delete")
EMPTY = b"{}"
DIGEST = f"sha256:{hashlib.sha256(EMPTY).hexdigest()}"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"
MANIFEST = json.dumps(
    {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": EMPTY_TYPE, "digest": DIGEST, "size": 2},
        "layers": [{"mediaType": EMPTY_TYPE, "digest": DIGEST, "size": 2}],
    }
).encode()
TYPE = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}


async def robot(registry: Registry, *access: str, name: str = "ci") -> tuple[str, str]:
    """Make a robot of the project wells; what it signs in with."""
    async with registry.database.transaction() as conn:
        project = await projects.find(conn, "wells")
        grant = Grant("project", "wells", access, project.id)
        await robots.create(conn, SYSTEM, name, issued.kept(SECRET), (grant,), project_id=project.id, project="wells")
    return f"robot$wells+{name}", SECRET


async def statuses(registry: Registry, **credential: Any) -> list[int]:
    """Of a push of a blob and of a manifest, a pull of both, and a delete."""
    asked = [
        ("POST", f"/v2/wells/gr/blobs/uploads/?digest={DIGEST}", {"data": EMPTY}),
        ("PUT", "/v2/wells/gr/manifests/v1", {"data": MANIFEST, "headers": TYPE}),
        ("GET", "/v2/wells/gr/manifests/v1", {}),
        ("GET", f"/v2/wells/gr/blobs/{DIGEST}", {}),
        ("DELETE", "/v2/wells/gr/manifests/v1", {}),
    ]
    return [(await registry.ask(method, path, **options, **credential)).status for method, path, options in asked]


async def test_each_action_needs_its_own_grant(registry: Registry) -> None:
    whole = await robot(registry, *ALL)
    assert await statuses(registry, basic=whole) == [201, 201, 200, 200, 202]
    assert await statuses(registry, basic=await robot(registry, ALL[1], name="pushes")) == [201, 201, 403, 403, 403]
    assert await statuses(registry, basic=await robot(registry, ALL[0], name="pulls")) == [403, 403, 200, 200, 403]
    assert await statuses(registry, basic=await robot(registry, ALL[2], name="deletes")) == [403, 403, 403, 403, 202]
    async with registry.database.acquire() as conn:
        rows = await conn.fetch("SELECT DISTINCT username, operation FROM access_log WHERE username LIKE 'robot$%'")
        assert {"pushed": await conn.fetchval("SELECT pushed_by FROM artifact")} == {"pushed": whole[0]}
    assert {(whole[0], "push"), (whole[0], "delete"), ("robot$wells+deletes", "delete")} <= {tuple(row) for row in rows}


async def test_a_token_does_what_it_was_asked_for_and_no_more(registry: Registry) -> None:
    whole = await robot(registry, *ALL)

    async def token(scope: str) -> str:
        answer = await registry.ask("GET", f"/service/token?service={SERVICE}&scope={scope}", basic=whole)
        assert answer.status == 200
        return str(answer.json["token"])

    assert (await registry.ask("GET", "/v2/", bearer=await token(""))).status == 200
    assert await statuses(registry, bearer=await token("")) == [401] * 5
    assert await statuses(registry, bearer=await token("repository:wells/gr:pull,push")) == [201, 201, 200, 200, 401]
    answer = await registry.ask("PUT", "/v2/wells/gr/manifests/v1", bearer=await token("repository:wells/gr:pull"))
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    everything = await token("repository:wells/gr:*")
    assert await statuses(registry, bearer=everything) == [201, 201, 200, 200, 202]
    async with registry.database.transaction() as conn:
        await conn.execute("DELETE FROM robot")
    assert await statuses(registry, bearer=everything) == [401] * 5
    assert await statuses(registry, basic=whole) == [401] * 5


async def test_a_robot_is_seen_by_every_api(registry: Registry) -> None:
    pulls = await robot(registry, ALL[0])
    for path in ("/v2/", "/v2/_catalog", "/api/v1/projects/wells/wells", "/api/v2.0/systeminfo"):
        assert (await registry.ask("GET", path, basic=pulls)).status == 200
        assert (await registry.ask("GET", path, basic=(pulls[0], issued.issue()))).status == 401
    for path in ("/api/v1/projects/secret/wells", "/v2/absent/gr/tags/list"):
        assert (await registry.ask("GET", path, basic=pulls)).status == 403
