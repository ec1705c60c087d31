"""Where people sign in is a setting: by the API, by the file; checked, sealed, never shown, told to everybody."""

import subprocess
import sys
from pathlib import Path

import pytest

from dataforge_registry.core.records.database import Database
from dataforge_registry.registry.config import ConfigError, load

from ..access.conftest import Registry, served
from .conftest import Browser, Provider, Site, provider_process

pytestmark = pytest.mark.tool("oidc-provider")
CONFIGURATIONS, PING = "/api/v2.0/configurations", "/api/v2.0/system/oidc/ping"


@pytest.mark.asyncio
async def test_settings_are_shown_but_for_the_secret(site: Site) -> None:
    found = (await site.registry.ask("GET", CONFIGURATIONS, basic="admin")).json
    assert found["auth_mode"] == {"value": "oidc_auth", "editable": True}
    assert found["oidc_endpoint"] == {"value": site.provider.issuer, "editable": True}
    assert "oidc_client_secret" not in found and site.client.secret not in str(found)
    info = (await site.registry.ask("GET", "/api/v2.0/systeminfo")).json
    assert (info["auth_mode"], info["oidc_provider_name"]) == ("oidc_auth", "People of tests")
    rows = await site.value("SELECT string_agg(resource || value::text, ' ') FROM access_log, setting")
    assert site.client.secret not in rows and "oidc_client_secret" in rows


@pytest.mark.asyncio
async def test_a_provider_can_be_set_up_before_it_is_turned_to(registry: Registry, provider: Provider) -> None:
    assert (await registry.ask("GET", "/c/oidc/login", allow_redirects=False)).status == 400
    for values in ({"oidc_endpoint": provider.issuer}, {"oidc_client_id": "x", "oidc_client_secret": "y"}):
        assert (await registry.ask("PUT", CONFIGURATIONS, basic="admin", json=values)).status == 200
    assert (await registry.ask("GET", "/api/v2.0/systeminfo")).json["auth_mode"] == "db_auth"
    assert (await registry.ask("PUT", CONFIGURATIONS, basic="admin", json={"auth_mode": "oidc_auth"})).status == 200
    answer = await registry.ask("GET", "/c/oidc/login", allow_redirects=False)
    assert answer.status == 302 and answer.headers["location"].startswith(provider.issuer)


@pytest.mark.asyncio
async def test_ldap_is_the_providers_job(registry: Registry) -> None:
    answer = await registry.ask("PUT", CONFIGURATIONS, basic="admin", json={"auth_mode": "ldap_auth"})
    assert answer.status == 400 and "OIDC provider" in answer.json["errors"][0]["message"]


@pytest.mark.asyncio
async def test_a_provider_is_tried(registry: Registry, provider: Provider) -> None:
    async def tried(url: str) -> int:
        return int((await registry.ask("POST", PING, basic="admin", json={"url": url})).status)

    assert await tried(provider.issuer) == 200
    with provider_process() as gone:
        nowhere = gone.issuer
    for url in (nowhere, f"{provider.issuer}/x", f"{registry.url}/health", "http://id.example.org", "ftp://x", "", "/"):
        assert await tried(url) == 400, url
    assert (await registry.ask("POST", PING, basic="ann", json={"url": provider.issuer})).status == 403
    assert (await registry.ask("POST", PING, json={"url": provider.issuer})).status == 401


@pytest.mark.asyncio
async def test_what_the_file_says_holds(
    database: Database, database_url: str, tmp_path: Path, provider: Provider, browser: Browser
) -> None:
    await provider.person("f-1", preferred_username="fil")
    given = {"endpoint": provider.issuer, "client_id": "x", "auto_onboard": True}
    overrides = {f"auth__oidc__{name}": value for name, value in given.items()}
    async with served(database, database_url, tmp_path, **overrides) as registry:
        found = (await registry.ask("GET", CONFIGURATIONS, basic="admin")).json
        assert found["auth_mode"] == {"value": "oidc_auth", "editable": False}
        assert found["oidc_endpoint"] == {"value": provider.issuer, "editable": False}
        for values in ({"auth_mode": "db_auth"}, {"oidc_client_id": "y"}, {"oidc_client_secret": "y"}):
            assert (await registry.ask("PUT", CONFIGURATIONS, basic="admin", json=values)).status == 400
        answer = await registry.ask("GET", "/c/oidc/login", allow_redirects=False)
        assert answer.headers["location"].startswith(f"{provider.issuer}/auth?response_type=code&client_id=x")


def test_without_the_extra_one_line_names_it(tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text(
        "data: /srv/data\nauth: {oidc: {endpoint: 'https://id.example.org', client_id: x}}\n"
    )
    lacking = "import sys; sys.modules['authlib'] = None; sys.argv = sys.argv[1:]; "
    command = [sys.executable, "-c", lacking + "from dataforge_registry.registry.cli import main; main()"]
    done = subprocess.run(
        [*command, "dfr", "config", "check", "--config", str(tmp_path / "config.yml")], capture_output=True, text=True
    )
    assert done.returncode == 2 and "pip install 'dataforge-registry[oidc]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("oidc", "said"),
    [
        ("endpoint: http://id.example.org", "oidc_endpoint: only https"),
        ("endpoint: 'https://id.example.org'", "oidc_client_id"),
        ("{endpoint: 'https://id.example.org', client_id: x, scope: profile}", "openid must be"),
        ("{endpoint: 'https://id.example.org', client_id: x, extra_redirect_parms: '{\"nonce\": \"1\"}'}", "nonce"),
    ],
)
@pytest.mark.asyncio
async def test_a_file_that_cannot_be_is_one_line(tmp_path: Path, oidc: str, said: str) -> None:
    body = oidc if oidc.startswith("{") else f"{{{oidc}}}"
    (tmp_path / "config.yml").write_text(f"data: /srv/data\nauth: {{oidc: {body}}}\n")
    with pytest.raises(ConfigError, match=said):
        load(tmp_path / "config.yml", {})
