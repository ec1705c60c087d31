"""Keyless robots: which token of a CI system becomes a robot's, once, for how long, and what ends it."""

import asyncio
import base64
import json
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from typer.testing import CliRunner

from dataforge_registry.core.access import MAINTAINER, PROJECT_ADMIN, SYSTEM
from dataforge_registry.core.records import projects
from dataforge_registry.registry.cli import build

from ..access.conftest import SERVICE, Registry, basic_header
from .conftest import Client, Provider, provider_process

pytestmark = [pytest.mark.asyncio, pytest.mark.tool("oidc-provider")]
AUDIENCE = "urn:dataforge:registry"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
CLAIMS = {"repository": "geo/logs", "ref": "refs/heads/main", "groups": ["a", "b"], "protected": True, "run": 7}
MAIN = [{"claim": "repository", "equals": "geo/logs"}, {"claim": "ref", "matches": "refs/heads/**"}]


@dataclass(frozen=True)
class Pipeline:
    """A job of a CI system whose issuer is the provider, and a registry with robots that may trust it."""

    registry: Registry
    provider: Provider
    client: Client

    async def token(self, audience: str = AUDIENCE, **claims: Any) -> str:
        """A new token of the job."""
        await self.provider.job(**(CLAIMS | claims))
        form = {"grant_type": "client_credentials", "resource": audience, "scope": "ci"}
        login = {"Authorization": basic_header(f"{self.client.id}:{self.client.secret}".encode())}
        async with (
            aiohttp.ClientSession(headers=login) as http,
            http.post(f"{self.provider.issuer}/token", data=form) as answer,
        ):
            return str((await answer.json())["access_token"])

    async def robot(self, name: str = "ci", project: str = "wells", by: str = "admin") -> int:
        """A robot of a project that may push; its id."""
        access = [{"resource": "repository", "action": action} for action in ("pull", "push")]
        body = {
            "name": name,
            "level": "project",
            "duration": 1,
            "permissions": [{"kind": "project", "namespace": project, "access": access}],
        }
        answer = await self.registry.ask("POST", "/api/v2.0/robots", basic=by, json=body)
        assert answer.status == 201, answer.json
        return int(answer.json["id"])

    async def rule(self, robot: int, conditions: Any = MAIN, by: str = "admin", **changes: Any) -> Any:
        """Let the robot trust the issuer; the answer."""
        body = {"issuer": self.provider.issuer, "audience": AUDIENCE, "conditions": conditions} | changes
        return await self.registry.ask("POST", f"/api/v2.0/robots/{robot}/trusts", basic=by, json=body)

    async def exchange(self, token: str, **fields: str) -> Any:
        form = {"grant_type": GRANT, "subject_token_type": JWT, "subject_token": token, "service": SERVICE} | fields
        return await self.registry.ask("POST", "/service/token", data=form)

    async def status(self, bearer: str, path: str = "/v2/wells/x/tags/list") -> int:
        return int((await self.registry.ask("GET", path, bearer=bearer)).status)


@pytest_asyncio.fixture(loop_scope="session")
async def pipeline(registry: Registry, provider: Provider) -> Pipeline:
    client = await provider.client(grant_types=["client_credentials"], response_types=[])
    return Pipeline(registry, provider, client)


async def test_a_token_of_a_job_becomes_a_robots(pipeline: Pipeline) -> None:
    assert (await pipeline.rule(await pipeline.robot())).status == 201
    token = await pipeline.token()
    answer = await pipeline.exchange(token)
    assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
    given = answer.json
    assert given["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 900)
    assert await pipeline.status(given["access_token"]) == 404  # may read, and there is nothing
    assert await pipeline.status(given["access_token"], "/v2/open/x/tags/list") == 404
    (row,) = (await pipeline.registry.ask("GET", "/api/v2.0/audit-logs?q=operation=exchange", basic="admin")).json
    assert row["username"] == "robot$wells+ci"
    assert row["resource"] == f"robot$wells+ci for {pipeline.client.id} of {pipeline.provider.issuer}"
    async with pipeline.registry.database.acquire() as conn:
        kept = await conn.fetchval("SELECT string_agg(a::text, ' ') FROM access_log a")
    assert token not in kept and given["access_token"] not in kept


async def test_it_is_the_robots_password_too(pipeline: Pipeline) -> None:
    """As docker login has it: a name and a password, shown at each request for a token."""
    await pipeline.rule(await pipeline.robot())
    given = (await pipeline.exchange(await pipeline.token())).json["access_token"]
    login = ("robot$wells+ci", given)
    path = f"/service/token?service={SERVICE}&scope=repository:wells/x:pull,push"
    for _ in range(2):
        answer = await pipeline.registry.ask("GET", path, basic=login)
        assert answer.status == 200 and answer.json["scope"] == "repository:wells/x:pull,push"
    assert jwt.decode(answer.json["token"], options={"verify_signature": False})["access"] == ["pull", "push"]
    assert (await pipeline.registry.ask("GET", "/v2/wells/x/tags/list", basic=login)).status == 404
    for wrong in ("robot$wells+other", "robot$ci", "ann"):
        assert (await pipeline.registry.ask("GET", path, basic=(wrong, given))).status == 401
        assert (await pipeline.registry.ask("GET", "/v2/", basic=(wrong, given))).status == 401
    person = await pipeline.registry.token("ann")
    assert (await pipeline.registry.ask("GET", path, basic=("robot$wells+ci", person))).status == 401


async def test_no_token_grows_by_being_handed_on(pipeline: Pipeline) -> None:
    await pipeline.rule(await pipeline.robot())
    answer = await pipeline.exchange(await pipeline.token(), scope="repository:wells/x:pull")
    narrow = answer.json["access_token"]
    assert answer.json["scope"] == "repository:wells/x:pull"
    assert await pipeline.status(narrow) == 404
    assert (await pipeline.registry.ask("POST", "/v2/wells/x/blobs/uploads/", bearer=narrow)).status == 401
    path = f"/service/token?service={SERVICE}&scope=repository:wells/x:pull,push"
    again = (await pipeline.registry.ask("GET", path, basic=("robot$wells+ci", narrow))).json
    assert again["scope"] == "repository:wells/x:pull"
    assert (await pipeline.registry.ask("POST", "/v2/wells/x/blobs/uploads/", bearer=again["token"])).status == 401
    principal = (await pipeline.registry.keys.verify(narrow)).principal
    short, _ = await pipeline.registry.keys.sign(principal, 61)
    last = (await pipeline.registry.ask("GET", path, basic=("robot$wells+ci", short))).json
    assert last["expires_in"] <= 61


async def test_a_token_is_good_once(pipeline: Pipeline) -> None:
    await pipeline.rule(await pipeline.robot())
    token = await pipeline.token()
    assert (await pipeline.exchange(token)).status == 200
    again = await pipeline.exchange(token)
    assert again.status == 401 and "used before" in again.json["errors"][0]["message"]
    assert (await pipeline.exchange(await pipeline.token())).status == 200


HOLD: list[tuple[Any, dict[str, Any], int]] = [
    (MAIN, {}, 200),
    (MAIN, {"ref": "refs/heads/feature/x"}, 200),
    (MAIN, {"ref": "refs/tags/main"}, 401),
    (MAIN, {"repository": "geo/logs2"}, 401),
    (MAIN, {"repository": "GEO/logs"}, 401),
    (MAIN, {"repository": None}, 401),
    (MAIN, {"repository": {"equals": "geo/logs"}}, 401),
    (MAIN, {"ref": "refs/heads/main\nx"}, 401),
    (MAIN, {"odd": ["\0"], "\0": "x", "deep": [[["x"]]], "big": 10**30}, 200),
    (MAIN, {"odd": "\ud800"}, 401),
    ([{"claim": "ref", "matches": "refs/heads/*"}], {"ref": "refs/heads/a/b"}, 401),
    ([{"claim": "ref", "equals": "refs/heads/*"}], {}, 401),
    ([{"claim": "groups", "equals": "b"}], {}, 200),
    ([{"claim": "groups", "equals": "c"}], {}, 401),
    ([{"claim": "groups", "equals": '["a", "b"]'}], {}, 401),
    ([{"claim": "protected", "equals": "true"}, {"claim": "run", "equals": "7"}], {}, 200),
    ([{"claim": "protected", "equals": "true"}], {"protected": False}, 401),
    ([{"claim": "absent", "matches": "a*"}], {}, 401),
]


async def test_all_conditions_must_hold(pipeline: Pipeline) -> None:
    robot = await pipeline.robot()
    for conditions, claims, status in HOLD:
        made = await pipeline.rule(robot, conditions)
        answer = await pipeline.exchange(await pipeline.token(**claims))
        assert answer.status == status, (conditions, claims, answer.json)
        await pipeline.registry.ask("DELETE", made.headers["Location"], basic="admin")


async def test_tokens_for_others_and_of_others_are_nothing(pipeline: Pipeline) -> None:
    await pipeline.rule(await pipeline.robot())
    for audience in ("urn:dataforge:other", pipeline.registry.url):
        assert (await pipeline.exchange(await pipeline.token(audience))).status == 401
    head, body, signature = (await pipeline.token()).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "==")) | {"repository": "geo/logs", "jti": "other"}
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    for wrong in (f"{head}.{forged}.{signature}", f"{head}.{body}.", "", "x", await pipeline.registry.token("ann")):
        assert (await pipeline.exchange(wrong)).status == 401, wrong
    assert (await pipeline.exchange(await pipeline.token(), subject_token_type="x")).status == 400
    assert (await pipeline.exchange(await pipeline.token(), requested_token_type="x")).status == 400


async def test_nothing_is_fetched_of_an_issuer_that_no_rule_names(pipeline: Pipeline) -> None:
    """A token says where its keys are; who sends it must not choose where this registry connects to."""
    await pipeline.rule(await pipeline.robot())
    met: list[str] = []

    async def meet(request: web.BaseRequest) -> web.Response:
        met.append(request.path)
        return web.json_response({})

    server = web.ServerRunner(web.Server(meet))
    await server.setup()
    await web.TCPSite(server, "127.0.0.1", 0).start()
    issuer = f"http://127.0.0.1:{server.addresses[0][1]}"
    head, _, signature = (await pipeline.token()).split(".")
    claims = json.dumps({"iss": issuer, "sub": "s", "aud": AUDIENCE, "iat": 1, "exp": 2**31}).encode()
    token = f"{head}.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.{signature}"
    assert (await pipeline.exchange(token)).status == 401
    assert met == []
    await pipeline.rule(await pipeline.robot("two"), issuer=issuer)
    assert (await pipeline.exchange(token)).status == 503
    assert met == ["/.well-known/openid-configuration"]
    await server.cleanup()


async def test_several_robots_are_told_apart(pipeline: Pipeline) -> None:
    await pipeline.rule(await pipeline.robot())
    await pipeline.rule(await pipeline.robot("ci", "open"))
    token = await pipeline.token()
    assert (await pipeline.exchange(token)).status == 400
    answer = await pipeline.exchange(token, client_id="robot$open+ci")
    assert (await pipeline.registry.keys.verify(answer.json["access_token"])).principal.name == "robot$open+ci"
    assert (await pipeline.exchange(await pipeline.token(), client_id="robot$open+other")).status == 401
    assert (await pipeline.exchange(await pipeline.token(), client_id="robot$ci")).status == 401


async def test_what_ends_a_robot_ends_its_tokens(pipeline: Pipeline) -> None:
    robot = await pipeline.robot()
    rule = (await pipeline.rule(robot)).headers["Location"]
    given = (await pipeline.exchange(await pipeline.token())).json["access_token"]
    assert await pipeline.status(given) == 404
    assert (await pipeline.registry.ask("DELETE", rule + "1", basic="admin")).status == 404
    assert (await pipeline.registry.ask("DELETE", rule, basic="admin")).status == 200
    assert await pipeline.status(given) == 401
    assert (await pipeline.exchange(await pipeline.token())).status == 401
    await pipeline.rule(robot)
    given = (await pipeline.exchange(await pipeline.token())).json["access_token"]
    await pipeline.registry.ask("PUT", f"/api/v2.0/robots/{robot}", basic="admin", json={"disable": True})
    assert await pipeline.status(given) == 401
    assert (await pipeline.exchange(await pipeline.token())).status == 401


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"conditions": []}, "1 to 20 conditions"),
    ({"conditions": [{"claim": "ref", "matches": "**"}]}, "must say more"),
    ({"conditions": [{"claim": "ref"}]}, "either equals or matches"),
    ({"conditions": [{"claim": "ref", "equals": "a", "matches": "b"}]}, "either equals or matches"),
    ({"conditions": [{"claim": "ref", "matches": "[a"}]}, "pattern"),
    ({"issuer": "http://id.example.org"}, "only https"),
    ({"issuer": "token.actions.githubusercontent.com"}, "issuer"),
    ({"audience": ""}, "audience"),
]


async def test_a_rule_must_say_whom_it_trusts(pipeline: Pipeline) -> None:
    robot = await pipeline.robot()
    for changes, said in WRONG:
        answer = await pipeline.rule(robot, **changes)
        assert answer.status == 400 and said in answer.json["errors"][0]["message"], (changes, answer.json)


async def test_who_may_make_rules(pipeline: Pipeline) -> None:
    registry = pipeline.registry
    async with registry.database.transaction() as conn:
        await projects.set_member(conn, SYSTEM, "wells", "user", "ann", PROJECT_ADMIN)
        await projects.set_member(conn, SYSTEM, "wells", "user", "eve", MAINTAINER)
    robot = await pipeline.robot(by="ann")
    github = "https://token.actions.githubusercontent.com"
    assert (await pipeline.rule(robot, by="ann", issuer=github)).status == 201
    assert (await pipeline.rule(robot, by="ann")).status == 403  # an issuer that the configuration does not list
    assert (await pipeline.rule(robot, by="eve", issuer=github)).status == 403
    rules = f"/api/v2.0/robots/{robot}/trusts"
    (shown,) = (await registry.ask("GET", rules, basic="eve")).json
    assert (shown["issuer"], shown["audience"], shown["conditions"]) == (github, AUDIENCE, MAIN)
    assert (await registry.ask("DELETE", f"{rules}/{shown['id']}", basic="eve")).status == 403
    assert (await registry.ask("GET", rules)).status == 401
    other = await pipeline.robot("other", "open")
    for method in ("GET", "POST"):
        asked = {"issuer": github, "audience": AUDIENCE, "conditions": MAIN} if method == "POST" else None
        path = f"/api/v2.0/robots/{other}/trusts"
        assert (await registry.ask(method, path, basic="ann", json=asked)).status == 404
    # a robot that may do what its keeper may not is not his to open to others
    async with registry.database.transaction() as conn:
        await conn.execute("UPDATE robot SET permissions = jsonb_set(permissions, '{0,access,0,action}', '\"delete\"')")
        await projects.set_member(conn, SYSTEM, "wells", "user", "ann", MAINTAINER)
    assert (await pipeline.rule(robot, by="ann", issuer=github)).status == 403


async def test_a_silent_issuer_is_no_reason_to_believe(pipeline: Pipeline) -> None:
    with provider_process() as gone:
        there = Pipeline(
            pipeline.registry, gone, await gone.client(grant_types=["client_credentials"], response_types=[])
        )
        await there.rule(await there.robot())
        token = await there.token()
    assert (await there.exchange(token)).status == 503


async def test_rules_on_the_command_line(pipeline: Pipeline, database_url: str, tmp_path: Any) -> None:
    await pipeline.robot()
    settings = tmp_path / "config.yml"
    settings.write_text(
        f"database: {{url: '{database_url}'}}\nstorage: {{filesystem: {{rootdirectory: '{tmp_path}/s'}}}}\n"
        "auth: {secretkey: 'a master secret for tests, 32 characters or more'}\n"
    )

    def dfr(*words: str) -> str:
        found = CliRunner().invoke(build(), ["robot", "trust", *words, "--config", str(settings)])
        return f"{found.exit_code} {found.output}"

    given = ("--issuer", pipeline.provider.issuer, "--audience", AUDIENCE)
    made = await asyncio.to_thread(
        dfr, "add", "wells+ci", *given, "--claim", "repository=geo/logs", "--match", "ref=refs/heads/**"
    )
    assert made.startswith("0 rule 1: robot$wells+ci by tokens of ")
    listed = await asyncio.to_thread(dfr, "list", "wells+ci")
    assert "where repository is geo/logs, ref matches refs/heads/**" in listed
    assert (await pipeline.exchange(await pipeline.token())).status == 200
    assert (await asyncio.to_thread(dfr, "add", "wells+ci", *given, "--claim", "x")).startswith("2 ")
    assert (await asyncio.to_thread(dfr, "remove", "wells+ci", "1")).startswith("0 rule 1 of robot$wells+ci is gone")
    assert (await pipeline.exchange(await pipeline.token())).status == 401
