"""Issuers of tokens, as far as HTTP goes: what each says of itself (OpenID Connect Discovery 1.0) and its keys.

Both are kept for an hour; a key id that is not among them has the keys fetched once more, at most every ten seconds.
Redirects are not followed, answers have an end, and whatever went wrong an issuer's own words reach no client.
"""

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
from cachetools import LRUCache

from ...core.identity.tokens import MOST_KEYS, Believed, believe, header_of, usable
from ...core.oci.errors import QueryInvalid, Unavailable

log = logging.getLogger(__name__)
KEPT, AGAIN, TIMEOUT, MOST = 3600.0, 10.0, 10.0, 1 << 20
"""Seconds that documents are kept, that pass before keys are fetched again; seconds and bytes of an answer."""
WELL_KNOWN = "/.well-known/openid-configuration"
Json = dict[str, Any]


class Metadata(msgspec.Struct, frozen=True):
    """Of a discovery document, what is used."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Refused(Exception):
    """The provider refused a request (RFC 6749 section 5.2): `error` is its word for why."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


def check_url(url: str, what: str, here: bool = True) -> str:
    """The address of an issuer or of one of its endpoints; QueryInvalid where it is not https (this machine may speak
    http, if it may be meant: `here`) or has what addresses of issuers have not (Discovery section 3)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or port == 0 or parts.username or parts.fragment or any(ord(char) < 33 for char in url):
        raise QueryInvalid(f"{what}: write https://host/path")
    if parts.scheme != "https" and not (here and parts.scheme == "http" and _here(host)):
        raise QueryInvalid(f"{what}: only https{', or http on this machine' if here else ''}")
    return url


def _here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Issuers:
    """Those that somebody trusts, and the connections to them."""

    def __init__(self) -> None:
        self._known: LRUCache[tuple[str, bool], Issuer] = LRUCache(256)
        self._session: aiohttp.ClientSession | None = None

    def of(self, url: str, verify_cert: bool = True) -> "Issuer":
        """The issuer of an address, which must come from a setting or a rule and never from a token."""
        key = (url.rstrip("/"), verify_cert)
        if (found := self._known.get(key)) is None:
            found = self._known[key] = Issuer(self, url, verify_cert)
        return found

    def session(self) -> aiohttp.ClientSession:
        """The connections of this process, opened with the first request."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT), cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()


class Issuer:
    """One of them. Unavailable where it cannot be reached or answers nonsense."""

    def __init__(self, issuers: Issuers, url: str, verify_cert: bool) -> None:
        self._issuers, self._url, self._verify_cert = issuers, url, verify_cert
        self._metadata: Metadata | None = None
        self._told = 0.0
        self._keys: list[Any] = []
        self._fetched, self._missed, self._failed = 0.0, -AGAIN, float("-inf")
        self._lock = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """What it says of itself."""
        since = time.monotonic()
        async with self._lock:
            if self._metadata is None or time.monotonic() - self._told > KEPT:
                self._spare(since)
                try:
                    self._metadata = await self._discover()
                except Unavailable as error:
                    self._failed = time.monotonic()
                    if self._metadata is None:
                        raise
                    log.warning("the metadata of %s stay as they were: %s", self._url, error)
                self._told = time.monotonic()
            return self._metadata

    async def verified(self, token: str, audience: str | Sequence[str]) -> Believed:
        """What a token of this issuer for an audience says. TokenRefused."""
        header = header_of(token)
        issuer = (await self.metadata()).issuer
        keys = [key for key in await self._current() if usable(key, header)]
        if not keys:
            keys = [key for key in await self._current(unknown=True) if usable(key, header)]
        return believe(token, keys, issuer, audience)

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Json:
        """What an endpoint answers to a form. Refused where it says why not (RFC 6749 section 5.2)."""
        return await self._json("POST", url, data=form, headers=headers)

    async def get(self, url: str, bearer: str = "") -> Json:
        """The JSON object at an address of this issuer."""
        return await self._json("GET", url, headers={"Authorization": f"Bearer {bearer}"} if bearer else {})

    def _spare(self, since: float) -> None:
        """Unavailable where somebody asked in vain while the caller waited: not each in turn waits for the timeout."""
        if self._failed > since:
            raise Unavailable("the OIDC provider cannot be reached; try again")

    async def _discover(self) -> Metadata:
        try:
            found = msgspec.convert(await self.get(self._url.rstrip("/") + WELL_KNOWN), Metadata)
            if found.issuer.rstrip("/") != self._url.rstrip("/"):
                raise QueryInvalid("it says that it is another issuer")
            for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "userinfo_endpoint"):
                if url := getattr(found, name):
                    check_url(url, name, here=self._url.lower().startswith("http:"))
            return found
        except (msgspec.ValidationError, QueryInvalid, Refused) as error:
            log.warning("the metadata of %s cannot be used: %s", self._url, error)
            raise Unavailable("the OIDC provider's metadata cannot be used; the log says why") from None

    async def _current(self, unknown: bool = False) -> list[Any]:
        """Its keys, fetched once more where one of them is `unknown`."""
        url, since = (await self.metadata()).jwks_uri, time.monotonic()
        async with self._lock:
            now = time.monotonic()
            again = unknown and now - self._missed > AGAIN
            self._missed = now if again else self._missed
            if again or not self._fetched or now - self._fetched > KEPT:
                if not self._fetched:
                    self._spare(since)
                try:
                    keys = (await self.get(url)).get("keys")
                    self._keys = keys[:MOST_KEYS] if isinstance(keys, list) else []
                except (Unavailable, Refused):
                    self._failed = time.monotonic()
                    if not self._fetched:
                        raise Unavailable("the keys of the OIDC provider cannot be fetched") from None
                self._fetched = time.monotonic()
            return self._keys

    async def _json(self, method: str, url: str, **options: Any) -> Json:
        try:
            async with self._issuers.session().request(
                method, url, allow_redirects=False, ssl=self._verify_cert, **options
            ) as response:
                raw = await response.content.read(MOST + 1)
                while len(raw) <= MOST and not response.content.at_eof():
                    raw += await response.content.read(MOST + 1 - len(raw))
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            log.warning("the OIDC provider at %s cannot be reached: %s", self._url, error)
            raise Unavailable("the OIDC provider cannot be reached; try again") from None
        try:
            found = json.loads(raw) if len(raw) <= MOST else None
        except (ValueError, RecursionError):
            found = None
        if response.status in (400, 401, 403) and isinstance(found, dict):
            raise Refused(str(found.get("error", "refused"))[:64])
        if response.status != 200 or not isinstance(found, dict):
            log.warning("the OIDC provider at %s answers %d to %s %s", self._url, response.status, method, url)
            raise Unavailable("the OIDC provider does not answer as it should; try again")
        return found
