"""A real OpenID provider (panva's oidc-provider) in a process of its own, a registry whose people sign in there, and a
browser: cookies, redirects, and the one form that the provider shows."""

import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import pytest
import pytest_asyncio

from ...conftest import ROOT
from ..access.conftest import Registry, registry

__all__ = ["registry"]
SCRIPT = ROOT / "tests" / "identity_provider" / "provider.mjs"
pytestmark = [pytest.mark.asyncio, pytest.mark.tool("oidc-provider")]


@dataclass(frozen=True)
class Client:
    """A client that registered itself (RFC 7591)."""

    id: str
    secret: str


@dataclass(frozen=True)
class Provider:
    """The provider, and what tests tell it."""

    issuer: str
    process: subprocess.Popen[str]

    async def _control(self, method: str, path: str, body: Any = None) -> None:
        async with aiohttp.ClientSession() as http, http.request(method, f"{self.issuer}/control/{path}", json=body):
            pass

    async def person(self, subject: str, **claims: Any) -> None:
        """Somebody who can sign in, and what the provider says of him."""
        await self._control("PUT", f"people/{subject}", claims)

    async def forget(self, subject: str) -> None:
        """The provider knows him no more."""
        await self._control("DELETE", f"people/{subject}")

    async def job(self, **claims: Any) -> None:
        """What the next machine tokens say."""
        await self._control("PUT", "job", claims)

    async def new_keys(self) -> None:
        """Other signing keys, with other ids."""
        await self._control("POST", "keys")

    async def client(self, *redirect_uris: str, **metadata: Any) -> Client:
        """A new client."""
        asked = {
            "redirect_uris": redirect_uris,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "application_type": "native",
            **metadata,
        }
        async with aiohttp.ClientSession() as http, http.post(f"{self.issuer}/reg", json=asked) as answer:
            made = await answer.json()
            assert answer.status == 201, made
            return Client(made["client_id"], made.get("client_secret", ""))


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    with provider_process() as started:
        yield started


class provider_process:
    """A provider for the time of a `with`."""

    def __enter__(self) -> Provider:
        self._process = subprocess.Popen(
            ["oidc-provider", str(SCRIPT)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        return Provider(self._process.stdout.readline().strip(), self._process)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@dataclass(frozen=True)
class Page:
    """Where a browser stopped, and what it saw."""

    url: str
    status: int
    headers: Any
    text: str

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Browser:
    """Keeps cookies and goes where it is sent; at the provider it says that it is `person`."""

    http: aiohttp.ClientSession
    person: str = ""
    seen: list[str] = field(default_factory=list)

    async def go(self, url: str, stop: str = "", **form: str) -> Page:
        """Follow redirects from a GET (or with a form a POST), up to an answer that is none, or one to `stop`."""
        method = "POST" if form else "GET"
        for _ in range(12):
            self.seen.append(url)
            async with self.http.request(method, url, data=form or None, allow_redirects=False) as answer:
                page = Page(url, answer.status, answer.headers, await answer.text())
            method, form = "GET", {}
            if page.status in (302, 303):
                url = urljoin(url, page.headers["location"])
                if stop and url.startswith(stop):
                    return Page(url, page.status, page.headers, "")
            elif page.status == 200 and page.path.startswith("/interaction/"):
                method, form = "POST", {"login": self.person}
            else:
                return page
        raise AssertionError(f"too many redirects: {self.seen}")


@asynccontextmanager
async def browsing(person: str = "") -> AsyncIterator[Browser]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True, quote_cookie=False)) as http:
        yield Browser(http, person)


@dataclass(frozen=True)
class Site:
    """The registry together with its provider."""

    registry: Registry
    provider: Provider
    client: Client

    @property
    def login(self) -> str:
        return f"{self.registry.url}/c/oidc/login"

    @property
    def callback(self) -> str:
        return f"{self.registry.url}/c/oidc/callback"

    async def set(self, **values: Any) -> Any:
        """Change settings (`oidc_` may be left out); the answer."""
        named = {
            name if name in ("auth_mode", "read_only") else f"oidc_{name}": value for name, value in values.items()
        }
        return await self.registry.ask("PUT", "/api/v2.0/configurations", basic="admin", json=named)

    async def sign_in(self, browser: Browser) -> Any:
        """The user that a browser is after the login."""
        page = await browser.go(self.login)
        assert page.status == 200 and page.path == "/api/v2.0/users/current", (page, browser.seen)
        return page.json

    async def age(self, user: str, seconds: int = 301) -> None:
        """As if the provider had last been asked about a user so long ago."""
        async with self.registry.database.acquire() as conn:
            await conn.execute(
                "UPDATE account_identity SET asked_at = asked_at - make_interval(secs => $2)"
                " WHERE account_id = (SELECT account_id FROM account WHERE username = $1 AND NOT deleted)",
                user,
                seconds,
            )

    async def value(self, statement: str, *arguments: Any) -> Any:
        async with self.registry.database.acquire() as conn:
            return await conn.fetchval(statement, *arguments)


@pytest_asyncio.fixture(loop_scope="session")
async def site(registry: Registry, provider: Provider) -> Site:
    """A registry whose people sign in at the provider and are onboarded by their preferred_username."""
    client = await provider.client(f"{registry.url}/c/oidc/callback", post_logout_redirect_uris=[registry.url])
    made = Site(registry, provider, client)
    answer = await made.set(
        auth_mode="oidc_auth",
        endpoint=provider.issuer,
        client_id=client.id,
        client_secret=client.secret,
        scope="openid,profile,email,groups,offline_access",
        groups_claim="groups",
        extra_redirect_parms='{"prompt": "consent"}',  # else it gives no refresh token (Core section 11)
        auto_onboard=True,
        name="People of tests",
    )
    assert answer.status == 200, answer.json
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with browsing() as made:
        yield made
