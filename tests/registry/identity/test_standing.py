"""What an OIDC person has beside his browser, while the provider stands for him: secrets, tokens, sessions."""

from typing import Any

import pytest

from dataforge_registry.core.access import GUEST
from dataforge_registry.core.identity import sealed
from dataforge_registry.core.records import settings
from dataforge_registry.core.secrets import SealBroken, Vault

from ..access.conftest import PASSWORD, SECRET_KEY, SERVICE
from .conftest import Browser, Site, provider_process

pytestmark = [pytest.mark.asyncio, pytest.mark.tool("oidc-provider")]
TOKEN = f"/service/token?service={SERVICE}"
CURRENT = "/api/v2.0/users/current"


async def secret_of(site: Site, browser: Browser, person: str, **claims: Any) -> str:
    """Sign a person in and make the secret of his command line, as he would."""
    await site.provider.person(person, preferred_username=person, **claims)
    browser.person = person
    user = await site.sign_in(browser)
    async with browser.http.get(site.registry.url + CURRENT) as answer:
        csrf = {"X-Harbor-CSRF-Token": answer.headers["X-Harbor-CSRF-Token"]}
    address = f"{site.registry.url}/api/v2.0/users/{user['user_id']}/cli_secret"
    async with browser.http.put(address, json={"secret": ""}, headers=csrf) as answer:
        assert answer.status == 200, await answer.text()
        secret = str((await answer.json())["secret"])
    await browser.go(site.login)  # all tokens and sessions ended with the change
    return secret


async def status(site: Site, path: str, user: str, secret: str) -> int:
    return int((await site.registry.ask("GET", path, basic=(user, secret))).status)


async def test_a_secret_works_while_the_provider_knows_its_owner(site: Site, browser: Browser) -> None:
    secret = await secret_of(site, browser, "kim")
    token = (await site.registry.ask("GET", f"{TOKEN}&offline_token=true", basic=("kim", secret))).json
    await site.age("kim")
    assert await status(site, TOKEN, "kim", secret) == 200
    await site.provider.forget("kim")
    assert await status(site, TOKEN, "kim", secret) == 200  # asked less than five minutes ago
    await site.age("kim")
    answer = await site.registry.ask("GET", TOKEN, basic=("kim", secret))
    assert answer.status == 401 and "sign in with a browser" in answer.json["errors"][0]["message"]
    assert await status(site, TOKEN, "kim", secret) == 401
    # and all that was had before
    assert (await browser.go(site.registry.url + CURRENT)).status == 401
    assert (await site.registry.ask("GET", "/v2/", bearer=token["token"])).status == 401
    form = {"grant_type": "refresh_token", "service": SERVICE, "refresh_token": token["refresh_token"]}
    assert (await site.registry.ask("POST", "/service/token", data=form)).status == 401
    # until he comes back
    await site.provider.person("kim", preferred_username="kim")
    await site.sign_in(browser)
    assert await status(site, TOKEN, "kim", secret) == 200


async def test_groups_come_along_without_a_browser(site: Site, browser: Browser) -> None:
    member = {"role_id": GUEST, "member_group": {"group_name": "g", "group_type": 3}}
    await site.registry.ask("POST", "/api/v2.0/projects/wells/members", basic="admin", json=member)
    secret = await secret_of(site, browser, "lee", groups=["g"])
    assert await status(site, "/v2/wells/x/tags/list", "lee", secret) == 404
    await site.provider.person("lee", preferred_username="lee")
    await site.age("lee")
    assert await status(site, "/v2/wells/x/tags/list", "lee", secret) == 403
    # a session asks too
    await site.provider.person("lee", preferred_username="lee", groups=["g"])
    await site.age("lee")
    assert (await browser.go(f"{site.registry.url}/api/v2.0/projects/wells")).status == 200


async def test_a_refresh_token_of_ours_asks_too(site: Site, browser: Browser) -> None:
    secret = await secret_of(site, browser, "moe")
    token = (await site.registry.ask("GET", f"{TOKEN}&offline_token=true", basic=("moe", secret))).json
    await site.provider.forget("moe")
    await site.age("moe")
    form = {"grant_type": "refresh_token", "service": SERVICE, "refresh_token": token["refresh_token"]}
    assert (await site.registry.ask("POST", "/service/token", data=form)).status == 401


async def test_without_a_refresh_token_a_secret_ends_with_the_id_token(site: Site, browser: Browser) -> None:
    await site.set(scope="openid,profile")
    secret = await secret_of(site, browser, "ned")
    await site.age("ned")
    assert await status(site, TOKEN, "ned", secret) == 200
    await site.value("UPDATE account_identity SET stands_until = now() - interval '1 s'")
    await site.age("ned")
    assert await status(site, TOKEN, "ned", secret) == 401
    assert await status(site, TOKEN, "ned", secret) == 401
    # the browser's session has an end of its own
    assert (await browser.go(site.registry.url + CURRENT)).status == 200
    await site.sign_in(browser)
    assert await status(site, TOKEN, "ned", secret) == 200


async def test_a_silent_provider_is_waited_for_until_its_last_word_is_old(site: Site, browser: Browser) -> None:
    secret = await secret_of(site, browser, "oda")
    with provider_process() as gone:
        nowhere = gone.issuer
    await site.set(endpoint=nowhere)
    await site.value("UPDATE account_identity SET issuer = $1", nowhere)
    await site.age("oda")
    assert await status(site, TOKEN, "oda", secret) == 200
    await site.value("UPDATE account_identity SET stands_until = now() - interval '1 s'")
    await site.age("oda")
    for _ in range(2):
        assert await status(site, TOKEN, "oda", secret) == 503


async def test_a_secret_ends_where_people_no_longer_sign_in_at_its_provider(site: Site, browser: Browser) -> None:
    secret = await secret_of(site, browser, "pam")
    await site.set(auth_mode="db_auth")
    await site.age("pam")
    assert await status(site, TOKEN, "pam", secret) == 401


async def test_only_administrators_have_passwords(site: Site, browser: Browser) -> None:
    form = {"principal": "ann", "password": PASSWORD}
    assert await status(site, TOKEN, "ann", PASSWORD) == 401
    assert (await site.registry.ask("POST", "/c/login", data=form)).status == 401
    assert await status(site, TOKEN, "admin", PASSWORD) == 200
    assert (await site.registry.ask("POST", "/c/login", data=form | {"principal": "admin"})).status == 200
    user = (await secret_of(site, browser, "quin"), await site.value("SELECT max(account_id) FROM account"))[1]
    refused = await site.registry.ask(
        "PUT", f"/api/v2.0/users/{user}/password", basic="admin", json={"new_password": "a long password"}
    )
    assert refused.status == 400
    await site.set(auth_mode="db_auth")
    assert await status(site, TOKEN, "ann", PASSWORD) == 200


async def test_secrets_are_sealed_each_in_its_place(site: Site, browser: Browser) -> None:
    await secret_of(site, browser, "ray")
    (account, token) = (await site.value("SELECT account_id FROM account_identity"),
                        await site.value("SELECT refresh_token FROM account_identity"))  # fmt: skip
    vault = Vault(SECRET_KEY)
    plain = sealed.open_refresh_token(vault, account, token)
    assert plain.encode() not in token
    with pytest.raises(SealBroken):
        sealed.open_refresh_token(vault, account + 1, token)
    kept = await site.value("SELECT value #>> '{}' FROM setting WHERE name = 'oidc_client_secret'")
    assert sealed.open_client_secret(vault, kept) == site.client.secret not in kept
    newer = Vault("the next master secret, 32 characters or more\n" + SECRET_KEY)
    async with site.registry.database.transaction() as conn:
        assert await sealed.reseal(conn, newer) == (2, 2)
        assert await sealed.reseal(conn, newer) == (0, 2)
        newest = Vault("the next master secret, 32 characters or more")
        kept = (await settings.read(conn, sealed.SECRET))[sealed.SECRET]
        assert sealed.open_client_secret(newest, kept) == site.client.secret
        again = await conn.fetchval("SELECT refresh_token FROM account_identity")
        assert sealed.open_refresh_token(newest, account, again) == plain
