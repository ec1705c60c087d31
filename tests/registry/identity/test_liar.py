"""A provider that lies, one claim or signature at a time: nobody is signed in by it."""

import time
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from ..access.conftest import Registry
from .conftest import Browser, Client, Provider, Site

pytestmark = pytest.mark.asyncio
SECRET = "a secret that the client and the provider share"


class Liar:
    """Says of itself and of people what it is told to; `nonce` comes from the request, as it should."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.claims: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.info: dict[str, Any] = {"sub": "s"}
        self.algorithm, self.signer = "ES256", self.key
        self.token_answer: Any = None
        self.issuer = self.nonce = ""

    async def discover(self, request: web.Request) -> web.Response:
        paths = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in ("authorization", "token", "userinfo")}
        return web.json_response({"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys", **paths, **self.metadata})

    async def authorize(self, request: web.Request) -> web.Response:
        self.nonce = request.query["nonce"]
        back = request.query["redirect_uri"] + "?code=c&state=" + request.query["state"]
        return web.Response(status=302, headers={"location": back})

    async def token(self, request: web.Request) -> web.Response:
        if self.token_answer is not None:
            return web.Response(text=self.token_answer, content_type="application/json")
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "s", "aud": "registry", "iat": now, "exp": now + 600, "nonce": self.nonce}
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        made = jwt.encode(claims, self.signer, self.algorithm)
        return web.json_response({"access_token": "a", "token_type": "Bearer", "id_token": made})

    async def userinfo(self, request: web.Request) -> web.Response:
        return web.json_response({"preferred_username": "leo", **self.info})

    async def keys(self, request: web.Request) -> web.Response:
        return web.json_response({"keys": [jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)]})


@pytest_asyncio.fixture(loop_scope="session")
async def liar() -> AsyncIterator[Liar]:
    made, app = Liar(), web.Application()
    app.router.add_get("/.well-known/openid-configuration", made.discover)
    app.router.add_get("/authorization", made.authorize)
    app.router.add_post("/token", made.token)
    app.router.add_get("/userinfo", made.userinfo)
    app.router.add_get("/keys", made.keys)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.issuer = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="session")
async def fooled(registry: Registry, liar: Liar) -> Site:
    made = Site(registry, Provider(liar.issuer, None), Client("registry", SECRET))  # type: ignore[arg-type] # no process
    answer = await made.set(
        auth_mode="oidc_auth",
        endpoint=liar.issuer,
        client_id="registry",
        client_secret=SECRET,
        auto_onboard=True,
    )
    assert answer.status == 200
    return made


async def test_the_truth_is_believed(fooled: Site, browser: Browser) -> None:
    assert (await fooled.sign_in(browser))["username"] == "leo"


LIES: list[dict[str, Any]] = [
    {"claims": {"nonce": None}},
    {"claims": {"nonce": "of another login"}},
    {"claims": {"iss": "https://evil.example"}},
    {"claims": {"aud": "another client"}},
    {"claims": {"aud": ["registry", "another"]}},
    {"claims": {"azp": "another client"}},
    {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    {"claims": {"exp": 1}},
    {"claims": {"iat": None}},
    {"claims": {"sub": "somebody else"}},
    {"info": {"sub": "somebody else"}},
    {"info": {}},
    {"algorithm": "HS256", "signer": SECRET},
    {"algorithm": "none", "signer": None},
    {"signer": ec.generate_private_key(ec.SECP256R1())},
    {"token_answer": '{"access_token": "a"}'},
    {"token_answer": "[1]"},
    {"token_answer": "{" * 100_000},
    {"token_answer": '{"access_token": "' + "a" * (2 << 20)},
]


async def test_no_lie_is(fooled: Site, browser: Browser, liar: Liar) -> None:
    truth = dict(vars(liar))
    for lie in LIES:
        vars(liar).update(truth | lie)
        page = await browser.go(fooled.login)
        assert page.status in (401, 503) and page.path == "/c/oidc/callback", (lie, page)
        assert await fooled.value("SELECT count(*) FROM account_identity") == 0


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://another.example"},
        {"jwks_uri": "http://keys.example/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"token_endpoint": "http://127.0.0.1:1@evil.example/"},
        {"authorization_endpoint": ""},
        {"issuer": 7},
    ],
)
async def test_metadata_must_make_sense(fooled: Site, browser: Browser, liar: Liar, metadata: dict[str, Any]) -> None:
    liar.metadata = metadata
    page = await browser.go(fooled.login)
    assert (page.status, page.path) == (503, "/c/oidc/login")
