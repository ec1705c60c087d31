"""People sign in at an OpenID provider: names, groups, administrators, and what others try with it."""

import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from dataforge_registry.core.access import GUEST, SYSTEM
from dataforge_registry.core.records import projects

from .conftest import Browser, Site, browsing

pytestmark = [pytest.mark.asyncio, pytest.mark.tool("oidc-provider")]
WELLS = "/api/v2.0/projects/wells"


async def test_the_first_login_chooses_a_name_and_the_next_knows_it(site: Site, browser: Browser) -> None:
    await site.set(auto_onboard=False)
    await site.provider.person("u-1", preferred_username='an"na', name="Anna Well", email="anna@example.org")
    browser.person = "u-1"
    page = await browser.go(site.login)
    assert (page.status, page.path) == (200, "/c/oidc/onboard") and 'value="an&quot;na"' in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    taken = await browser.go(page.url, username="ANN")
    assert (taken.status, taken.json["errors"][0]["code"]) == (409, "CONFLICT")
    assert (await browser.go(page.url, username="a b")).status == 400
    user = (await browser.go(page.url, username="anna")).json
    assert (user["username"], user["realname"], user["email"]) == ("anna", "Anna Well", "anna@example.org")
    assert user["oidc_user_meta"]["subiss"] == f"u-1{site.provider.issuer}"
    assert user["sysadmin_flag"] is False and user["admin_role_in_auth"] is False
    async with browsing("u-1") as other:
        assert (await site.sign_in(other))["user_id"] == user["user_id"]
    (row, *_) = (await site.registry.ask("GET", "/api/v2.0/audit-logs?q=operation=login", basic="admin")).json
    assert (row["username"], row["resource_type"]) == ("anna", "session")


async def test_groups_give_rights_as_long_as_the_provider_says_so(site: Site, browser: Browser) -> None:
    member = {"role_id": GUEST, "member_group": {"group_name": "Geologists", "group_type": 3}}
    answer = await site.registry.ask("POST", f"{WELLS}/members", basic="admin", json=member)
    assert answer.status == 201
    await site.set(admin_group="Keepers", group_filter="^Geo|^Y")
    await site.provider.person("u-2", preferred_username="bo", groups=["Geologists", "Keepers", "Xs", 7, "a\tb"])
    browser.person = "u-2"
    user = await site.sign_in(browser)
    assert user["admin_role_in_auth"] is True and user["sysadmin_flag"] is False
    assert (await browser.go(f"{site.registry.url}/api/v2.0/users")).status == 200
    listed = (await site.registry.ask("GET", "/api/v2.0/usergroups", basic="admin")).json
    assert [(each["group_name"], each["group_type"]) for each in listed] == [("Geologists", 3)]
    await site.provider.person("u-2", preferred_username="bo", groups=["Geologists"])
    await site.sign_in(browser)
    assert (await browser.go(f"{site.registry.url}/api/v2.0/users")).status == 403
    assert (await browser.go(site.registry.url + WELLS)).status == 200
    await site.provider.person("u-2", preferred_username="bo")
    await site.sign_in(browser)
    assert (await browser.go(site.registry.url + WELLS)).status == 403


async def test_groups_made_here_stay(site: Site, browser: Browser) -> None:
    await site.provider.person("u-3", preferred_username="cy", groups=["theirs"])
    browser.person = "u-3"
    await site.sign_in(browser)
    async with site.registry.database.transaction() as conn:
        await conn.execute(
            "WITH g AS (INSERT INTO user_group (name) VALUES ('ours') RETURNING group_id) INSERT INTO user_group_member"
            " SELECT group_id, account_id FROM g, account WHERE username = 'cy'"
        )
        await projects.set_member(conn, SYSTEM, "wells", "group", "ours", GUEST)
    await site.sign_in(browser)
    assert (await browser.go(site.registry.url + WELLS)).status == 200
    # a group of another kind is not the provider's to fill
    await site.registry.ask("POST", "/api/v2.0/usergroups", basic="admin", json={"group_name": "http", "group_type": 2})
    await site.provider.person("u-3", preferred_username="cy", groups=["http"])
    await site.sign_in(browser)
    assert await site.value("SELECT count(*) FROM user_group_member") == 1


@pytest.mark.parametrize("name", ["ann", "Admin", "robot$x", ""])
async def test_no_account_is_taken_over_by_its_name(site: Site, browser: Browser, name: str) -> None:
    await site.provider.person("u-4", preferred_username=name, email="ann@example.org")
    await site.set(user_claim="preferred_username")
    browser.person = "u-4"
    page = await browser.go(site.login)
    assert page.status == (409 if name in ("ann", "Admin") else 400), page
    assert (await browser.go(f"{site.registry.url}/api/v2.0/users/current")).status == 401
    assert await site.value("SELECT count(*) FROM account_identity") == 0


async def test_issuer_and_subject_are_who_somebody_is(site: Site, browser: Browser) -> None:
    await site.provider.person("u-5", preferred_username="dee", email="dee@example.org")
    browser.person = "u-5"
    first = await site.sign_in(browser)
    await site.provider.person("u-5", preferred_username="dorothea", email="d@example.org")
    again = await site.sign_in(browser)
    assert (again["user_id"], again["username"], again["email"]) == (first["user_id"], "dee", "d@example.org")
    await site.provider.person("u-6", preferred_username="dee", email="dee@example.org")
    async with browsing("u-6") as other:
        assert (await other.go(site.login)).status == 409
    # once the account is gone the person is a new one
    deleted = await site.registry.ask("DELETE", f"/api/v2.0/users/{first['user_id']}", basic="admin")
    assert deleted.status == 200
    assert (await site.sign_in(browser))["user_id"] != first["user_id"]


async def test_a_disabled_account_stays_out(site: Site, browser: Browser) -> None:
    await site.provider.person("u-7", preferred_username="fay")
    browser.person = "u-7"
    await site.sign_in(browser)
    await site.value("UPDATE account SET disabled = true, token_epoch = token_epoch + 1 WHERE username = 'fay'")
    page = await browser.go(site.login)
    assert (page.status, page.path) == (401, "/c/oidc/callback")


TARGETS = {
    "/api/v2.0/users/current/permissions?scope=/system": "/api/v2.0/users/current/permissions",
    **{bad: "/api/v2.0/users/current" for bad in (
        "//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example", "\\\\evil.example",
        "javascript:alert(1)", "", "/%0d%0aset-cookie:x\r\nx", "/ä", "///evil.example",
    )},
}  # fmt: skip


async def test_a_login_ends_in_this_registry(site: Site, browser: Browser) -> None:
    await site.provider.person("u-8", preferred_username="gil")
    browser.person = "u-8"
    for target, path in TARGETS.items():
        page = await browser.go(f"{site.login}?redirect_url={quote(target)}")
        assert (page.url.startswith(site.registry.url), page.path) == (True, path), target


async def test_the_request_says_what_it_must(site: Site, browser: Browser) -> None:
    await site.set(extra_redirect_parms='{"prompt": "login"}')
    page = await browser.go(site.login, stop=site.provider.issuer)
    asked = {name: value[0] for name, value in parse_qs(urlsplit(page.url).query).items()}
    assert asked["redirect_uri"] == site.callback and asked["prompt"] == "login"
    assert asked["code_challenge_method"] == "S256" and len(asked["code_challenge"]) == 43
    assert len(asked["state"]) == len(asked["nonce"]) == 43
    cookie = page.headers["set-cookie"]
    assert re.fullmatch(r"oidc=[\w=-]+; Path=/; HttpOnly; SameSite=Lax; Max-Age=600", cookie)
    assert asked["state"] not in cookie


async def stopped(site: Site, browser: Browser, person: str) -> str:
    """The address that the provider sends a browser back to, with the code in it, not yet visited."""
    await site.provider.person(person, preferred_username=person)
    browser.person = person
    page = await browser.go(site.login, stop=site.callback)
    assert "code=" in page.url
    return page.url


async def test_an_answer_is_for_the_browser_that_asked(site: Site, browser: Browser) -> None:
    """Login CSRF: somebody is sent to the callback with the code of an attacker."""
    url = await stopped(site, browser, "mallory")
    async with browsing() as victim:
        assert (await victim.go(url)).status == 401
        await stopped(site, victim, "vic")
        assert (await victim.go(url)).status == 401
        assert (await victim.go(f"{site.registry.url}/api/v2.0/users/current")).status == 401
    assert (await browser.go(url)).json["username"] == "mallory"


async def test_a_code_is_for_the_login_that_asked(site: Site, browser: Browser) -> None:
    """Code injection: the code of one login under the state of another. PKCE tells."""
    stolen = parse_qs(urlsplit(await stopped(site, browser, "vic")).query)["code"][0]
    async with browsing() as attacker:
        own = await stopped(site, attacker, "mallory")
        page = await attacker.go(re.sub(r"code=[^&]+", f"code={stolen}", own))
        assert page.status == 401 and "invalid_grant" in page.text
        assert (await attacker.go(f"{site.registry.url}/api/v2.0/users/current")).status == 401


async def test_an_answer_is_good_once(site: Site, browser: Browser) -> None:
    url = await stopped(site, browser, "vic")
    assert (await browser.go(url)).status == 200
    assert (await browser.go(url)).status == 401


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("iss=", "iss=http%3A%2F%2Fevil.example&was="), "another OIDC provider"),
        (("iss=", "was="), "another OIDC provider"),
        (("state=", "state=x"), "another login"),
        (("code=", "error=access_denied&was="), "did not let you in: access_denied"),
        (("code=", "error=%3Cscript%3E&was="), "did not let you in: script"),
        (("code=", "was="), "neither a code nor an error"),
        (("code=", "code=a&code="), "more than once"),
    ],
)
async def test_an_answer_that_was_changed_is_none(
    site: Site, browser: Browser, change: tuple[str, str], said: str
) -> None:
    """Mix-up among others: an answer must name the provider that was asked (RFC 9207)."""
    url = await stopped(site, browser, "vic")
    page = await browser.go(url.replace(*change))
    assert page.status in (400, 401) and said in page.text
    assert (await browser.go(f"{site.registry.url}/api/v2.0/users/current")).status == 401


async def test_a_login_ends_with_a_change_of_the_provider(site: Site, browser: Browser) -> None:
    url = await stopped(site, browser, "vic")
    other = await site.provider.client(site.callback)
    await site.set(client_id=other.id, client_secret=other.secret)
    assert (await browser.go(url)).status == 401


async def test_new_keys_of_the_provider_are_fetched(site: Site, browser: Browser) -> None:
    await site.provider.person("u-9", preferred_username="hal")
    browser.person = "u-9"
    await site.sign_in(browser)
    await site.provider.new_keys()
    client = await site.provider.client(site.callback)
    await site.set(client_id=client.id, client_secret=client.secret)
    async with browsing("u-9") as other:
        assert (await site.sign_in(other))["username"] == "hal"


async def test_logout_ends_both_sessions(site: Site, browser: Browser) -> None:
    await site.provider.person("u-10", preferred_username="ida")
    browser.person = "u-10"
    await site.sign_in(browser)
    logout = f"{site.registry.url}/c/oidc/logout"
    assert (await browser.go(logout)).status == 200
    assert (await browser.go(f"{site.registry.url}/api/v2.0/users/current")).status == 401
    await site.set(logout=True)
    await site.sign_in(browser)
    page = await browser.go(logout, stop=site.provider.issuer)
    query = parse_qs(urlsplit(page.url).query)
    assert query == {"client_id": [site.client.id], "post_logout_redirect_uri": [site.registry.url]}
    async with browser.http.get(logout, headers={"Sec-Fetch-Site": "cross-site"}, allow_redirects=False) as answer:
        assert answer.status == 403
