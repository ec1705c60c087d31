"""What a browser's cookie is over TLS, and who may send it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from dataforge_registry.core.access import SYSTEM
from dataforge_registry.core.passwords import Passwords
from dataforge_registry.core.records import accounts
from dataforge_registry.core.records.database import Database

from .conftest import PASSWORD, Registry, served

pytestmark = pytest.mark.asyncio
CURRENT = "/api/v2.0/users/current"
OUTSIDE = "https://registry.example.org"
BROWSER = {"Sec-Fetch-Site": "same-origin"}


@pytest_asyncio.fixture(loop_scope="session")
async def behind_tls(database: Database, database_url: str, tmp_path: Path) -> AsyncIterator[Registry]:
    """A registry whose clients come by https."""
    passwords = Passwords()
    async with database.transaction() as conn:
        await accounts.create(conn, SYSTEM, "ann", await passwords.hash(PASSWORD))
    passwords.close()
    async with served(database, database_url, tmp_path, http__external_url=OUTSIDE) as registry:
        yield registry


async def logged_in(registry: Registry) -> str:
    """The value of a new session's cookie."""
    answer = await registry.ask("POST", "/c/login", data={"principal": "ann", "password": PASSWORD})
    assert answer.status == 200
    name, _, rest = answer.headers["Set-Cookie"].partition("=")
    token, *flags = rest.split("; ")
    assert (name, flags) == ("__Host-sid", ["Path=/", "HttpOnly", "SameSite=Lax", "Secure"])
    registry.client.cookie_jar.clear()
    return str(token)


async def status(registry: Registry, cookie: str, **headers: str) -> int:
    answer = await registry.ask("GET", CURRENT, headers={"Cookie": cookie, **headers})
    registry.client.cookie_jar.clear()
    return answer.status


async def test_a_browser_has_the_cookie_that_no_other_host_can_plant(behind_tls: Registry) -> None:
    token = await logged_in(behind_tls)
    assert await status(behind_tls, f"__Host-sid={token}", **BROWSER) == 200
    assert await status(behind_tls, f"sid={token}", **BROWSER) == 401
    assert await status(behind_tls, f"__Host-sid=x; sid={token}") == 401


async def test_a_client_of_harbors_may_send_it_by_harbors_name(behind_tls: Registry) -> None:
    assert await status(behind_tls, f"sid={await logged_in(behind_tls)}") == 200


async def test_a_change_comes_from_where_the_configuration_says_we_are(behind_tls: Registry) -> None:
    token = await logged_in(behind_tls)
    cookie = {"Cookie": f"__Host-sid={token}"}
    answer = await behind_tls.ask("GET", CURRENT, headers=cookie)
    assert "; Secure" in answer.headers["Set-Cookie"]
    path = f"/api/v2.0/users/{answer.json['user_id']}"
    pair = cookie | {"X-Harbor-CSRF-Token": answer.headers["X-Harbor-CSRF-Token"], "Content-Type": "application/json"}
    for origin, expected in ((OUTSIDE, 200), (behind_tls.url, 403), ("https://registry.example.org.evil", 403)):
        behind_tls.client.cookie_jar.clear()
        changed = await behind_tls.ask("PUT", path, headers=pair | {"Origin": origin}, data=b"{}")
        assert changed.status == expected


async def test_a_logout_takes_the_cookie_back(behind_tls: Registry) -> None:
    token = await logged_in(behind_tls)
    answer = await behind_tls.ask("GET", "/c/log_out", headers={"Cookie": f"__Host-sid={token}"})
    assert answer.headers["Set-Cookie"].startswith("__Host-sid=; ") and "Max-Age=0" in answer.headers["Set-Cookie"]
    assert await status(behind_tls, f"__Host-sid={token}") == 401
    async with behind_tls.database.acquire() as conn:
        assert await conn.fetch("SELECT FROM session") == []
