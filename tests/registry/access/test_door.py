"""The door over HTTP: who gets in, what everybody else is told, and how soon a right that was taken ends."""

import re
from itertools import product
from pathlib import Path

import pytest

from dataforge_registry.core.access import DEVELOPER, SYSTEM
from dataforge_registry.core.passwords import Passwords
from dataforge_registry.core.records import accounts, projects
from dataforge_registry.core.records.brakes import PAIR
from dataforge_registry.core.records.database import Database

from .conftest import PASSWORD, SERVICE, Answer, Registry, basic_header, served

pytestmark = pytest.mark.asyncio

TAGS = "/v2/{}/gr/tags/list"
UPLOADS = "/v2/{}/gr/blobs/uploads/"


def challenge(answer: Answer) -> dict[str, str]:
    """The parts of the one challenge of a 401."""
    assert answer.status == 401
    assert answer.json["errors"][0]["code"] == "UNAUTHORIZED"
    [line] = answer.headers.getall("WWW-Authenticate")
    assert re.fullmatch(r'Bearer (\w+="[^"]*")(,\w+="[^"]*")*', line)
    return dict(re.findall(r'(\w+)="([^"]*)"', line))


async def test_without_credentials_the_version_check_challenges(registry: Registry) -> None:
    answer = await registry.ask("GET", "/v2/")
    assert challenge(answer) == {"realm": f"{registry.url}/service/token", "service": SERVICE}
    assert answer.headers["Docker-Distribution-API-Version"] == "registry/2.0"


async def test_a_challenge_names_what_is_needed(registry: Registry) -> None:
    pulled = await registry.ask("GET", TAGS.format("wells"))
    assert challenge(pulled)["scope"] == "repository:wells/gr:pull"
    digest = "sha256:" + "0" * 64
    mounted = await registry.ask("POST", UPLOADS.format("wells") + f"?mount={digest}&from=open/gr")
    assert challenge(mounted)["scope"] == "repository:wells/gr:pull,push repository:open/gr:pull"


async def test_a_challenge_cannot_be_written_by_the_client(registry: Registry) -> None:
    for source in ('a",realm="http://elsewhere.example', "a\r\nX-Evil: 1", "a b", "a\\", "ü"):
        params = {"mount": "sha256:" + "0" * 64, "from": source}
        answer = await registry.ask("POST", UPLOADS.format("wells"), params=params)
        assert challenge(answer)["scope"] == "repository:wells/gr:pull,push"
        assert challenge(answer)["realm"] == f"{registry.url}/service/token"
        assert "X-Evil" not in answer.headers


async def test_the_realm_is_where_the_client_is_or_where_the_configuration_says(
    registry: Registry, database: Database, database_url: str, tmp_path: Path
) -> None:
    answer = await registry.ask("GET", "/v2/", headers={"Host": "registry.example.org:5000"})
    assert challenge(answer)["realm"] == "http://registry.example.org:5000/service/token"
    outside = "https://registry.example.org"
    async with served(database, database_url, tmp_path, http__external_url=outside + "/") as other:
        assert challenge(await other.ask("GET", "/v2/"))["realm"] == f"{outside}/service/token"


async def test_a_proxy_that_is_trusted_tells_the_scheme_and_no_other(
    registry: Registry, database: Database, database_url: str, tmp_path: Path
) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "Host": "registry.example.org"}
    assert challenge(await registry.ask("GET", "/v2/", headers=forwarded))["realm"].startswith("http://")
    async with served(database, database_url, tmp_path, http__trusted_proxies=["127.0.0.0/8"]) as behind:
        answer = await behind.ask("GET", "/v2/", headers=forwarded)
        assert challenge(answer)["realm"] == "https://registry.example.org/service/token"


async def test_basic_and_bearer_both_get_in(registry: Registry) -> None:
    token = await registry.token()
    for credential in ({"basic": "ann"}, {"basic": "ANN"}, {"bearer": token}):
        assert (await registry.ask("GET", "/v2/", **credential)).status == 200
        assert (await registry.ask("POST", UPLOADS.format("wells"), **credential)).status == 202


async def test_who_is_known_and_may_not_is_denied_and_learns_nothing(registry: Registry) -> None:
    bodies = set()
    for name, path in product(("wells", "absent"), (TAGS, UPLOADS)):
        for credential in ({"basic": "eve"}, {"bearer": await registry.token("eve")}):
            answer = await registry.ask("GET" if path is TAGS else "POST", path.format(name), **credential)
            assert answer.status == 403
            assert answer.json["errors"][0]["code"] == "DENIED"
            bodies.add(str(answer.json))
    assert len(bodies) == 1
    missing = await registry.ask("GET", TAGS.format("absent"), basic="admin")
    assert (missing.status, missing.json["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


async def test_anonymous_is_asked_to_sign_in_whether_a_project_exists_or_not(registry: Registry) -> None:
    told = set()
    for name, bearer in product(("wells", "absent"), (None, await registry.token(None))):
        answer = await registry.ask("GET", TAGS.format(name), bearer=bearer)
        told.add(str(answer.json))
        assert challenge(answer)["scope"] == f"repository:{name}/gr:pull"
    assert len(told) == 1


async def test_a_public_project_is_pulled_without_credentials_and_not_pushed(registry: Registry) -> None:
    assert (await registry.ask("POST", UPLOADS.format("open"), basic="admin")).status == 202
    for bearer in (None, await registry.token(None), await registry.token("eve")):
        assert (await registry.ask("GET", TAGS.format("open"), bearer=bearer)).status == 200
    assert (await registry.ask("POST", UPLOADS.format("open"))).status == 401
    assert (await registry.ask("POST", UPLOADS.format("open"), basic="eve")).status == 403


async def test_the_catalog_is_for_who_signed_in(registry: Registry) -> None:
    anonymous = await registry.token(None)
    for bearer in (None, anonymous):
        assert challenge(await registry.ask("GET", "/v2/_catalog", bearer=bearer))["scope"] == "registry:catalog:*"
    assert (await registry.ask("GET", "/v2/_catalog", basic="ann")).status == 200


BAD = [
    "Basic",
    "Basic ???",
    "Bearer",
    "Bearer x",
    "Bearer a.b.c",
    "Digest username=ann",
    "ann",
    basic_header(b"ann"),
    basic_header(b"ann:wrong password"),
    basic_header(b"ann\0:" + PASSWORD.encode()),
    basic_header(b"ann:" + PASSWORD.encode() + b"\0"),
    basic_header(b"\xff:" + PASSWORD.encode()),
    basic_header(b":"),
]


async def test_bad_credentials_are_401_even_where_none_are_needed(registry: Registry) -> None:
    for path, authorization in product(("/v2/", TAGS.format("open")), BAD):
        challenge(await registry.ask("GET", path, headers={"Authorization": authorization}))


async def test_two_authorization_headers_are_no_credentials(registry: Registry) -> None:
    good = basic_header(f"ann:{PASSWORD}".encode())
    headers = [("Authorization", good), ("Authorization", good)]
    async with registry.client.get(registry.url + "/v2/", headers=headers) as response:
        assert response.status == 401


async def test_a_removed_member_is_refused_at_the_next_request(registry: Registry) -> None:
    credentials = [{"basic": "ann"}, {"bearer": await registry.token()}]
    for credential in credentials:
        assert (await registry.ask("POST", UPLOADS.format("wells"), **credential)).status == 202
    async with registry.database.transaction() as conn:
        await projects.remove_member(conn, SYSTEM, "wells", "user", "ann")
    for credential in credentials:
        assert (await registry.ask("POST", UPLOADS.format("wells"), **credential)).status == 403


async def test_a_disabled_user_is_refused_at_the_next_request(registry: Registry) -> None:
    token = await registry.token()
    assert (await registry.ask("GET", "/v2/", basic="ann")).status == 200
    async with registry.database.transaction() as conn:
        await accounts.disable(conn, SYSTEM, "ann")
    for path in ("/v2/", TAGS.format("open"), TAGS.format("wells")):
        assert challenge(await registry.ask("GET", path, bearer=token))["error"] == "invalid_token"
        challenge(await registry.ask("GET", path, basic="ann"))


async def test_a_changed_password_ends_the_old_one_and_the_tokens(registry: Registry) -> None:
    token = await registry.token()
    assert (await registry.ask("GET", "/v2/", basic="ann")).status == 200
    passwords = Passwords()
    async with registry.database.transaction() as conn:
        await accounts.change_password(conn, SYSTEM, "ann", await passwords.hash("another password"))
    passwords.close()
    challenge(await registry.ask("GET", "/v2/", basic="ann"))
    challenge(await registry.ask("GET", "/v2/", bearer=token))
    assert (await registry.ask("GET", "/v2/", basic=("ann", "another password"))).status == 200


async def test_members_of_a_project_that_was_made_again_have_no_right(registry: Registry) -> None:
    token = await registry.token()
    async with registry.database.transaction() as conn:
        await conn.execute("UPDATE project SET deleted = true WHERE name = 'wells'")
    assert (await registry.ask("POST", UPLOADS.format("wells"), bearer=token)).status == 403
    async with registry.database.transaction() as conn:
        await projects.create(conn, SYSTEM, "wells")
    assert (await registry.ask("POST", UPLOADS.format("wells"), bearer=token)).status == 403
    async with registry.database.transaction() as conn:
        await projects.set_member(conn, SYSTEM, "wells", "user", "ann", DEVELOPER)
    assert (await registry.ask("POST", UPLOADS.format("wells"), bearer=token)).status == 202


async def test_guessing_is_slowed_down_with_429(registry: Registry) -> None:
    for number in range(PAIR.free):
        assert (await registry.ask("GET", "/v2/", basic=("ann", f"guess {number}"))).status == 401
    for path in ("/v2/", "/service/token"):
        answer = await registry.ask("GET", path, basic="ann")
        assert (answer.status, answer.json["errors"][0]["code"]) == (429, "TOOMANYREQUESTS")
        assert 0 < int(answer.headers["Retry-After"]) <= PAIR.longest
    assert (await registry.ask("GET", "/v2/", basic="eve")).status == 200


async def test_without_authentication_everybody_may_do_everything(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    async with served(database, database_url, tmp_path, auth__mode="none") as registry:
        for headers in ({}, {"Authorization": "Bearer x"}):
            assert (await registry.ask("GET", "/v2/", headers=headers)).status == 200
            assert (await registry.ask("POST", UPLOADS.format("new"), headers=headers)).status == 202
        assert (await registry.ask("GET", "/service/token")).status == 404
