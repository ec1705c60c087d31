"""`/c/oidc/*`: a browser's way to the OIDC provider and back, the choice of a name at the first time, logout."""

import base64
import binascii
import html
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec
from starlette.types import Receive, Scope

from ...core.access import Principal
from ...core.oci.errors import Conflict, QueryInvalid, Unauthorized, Unsupported
from ...core.records import identities
from ...core.records.accounts import USERNAME, AccountError
from ...core.records.database import Connection
from ...core.records.identities import Person
from ...core.secrets import SealBroken
from ..forms import Fields, read_form
from ..origin import address, public_url
from ..sections import Oidc
from ..sessions import Sessions, cookies
from ..v2.answer import Answer
from .people import People
from .settings import check_extra

T = TypeVar("T", bound=msgspec.Struct)
LOGIN, CALLBACK, ONBOARD, LOGOUT = "/c/oidc/login", "/c/oidc/callback", "/c/oidc/onboard", "/c/oidc/logout"
METHODS = {LOGIN: ("GET",), CALLBACK: ("GET",), ONBOARD: ("GET", "POST"), LOGOUT: ("GET", "POST")}
HOME = "/api/v2.0/users/current"
SECONDS = 600
"""How long a login, and the choice of a name after it, may take."""
_LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1000}")
_AGAIN = f"this browser began no login here, or too long ago; begin again at {LOGIN}"
_PAGE = """<!doctype html><meta charset="utf-8"><title>DataForge Registry</title>
<form method="post"><label>Your name in this registry, for good: <input name="username" value="{name}" maxlength="255"
required autofocus></label> <button>Go on</button></form>"""


class Newcomer(msgspec.Struct, frozen=True):
    """Somebody whom the provider knows and who has no account yet."""

    issuer: str
    subject: str
    username: str
    email: str | None
    realname: str | None
    target: str
    until: float


class OidcPages:
    """Answers the paths of METHODS."""

    def __init__(self, people: People, sessions: Sessions, external_url: str, form_limit: int) -> None:
        self._people, self._sessions = people, sessions
        self._external_url, self._form_limit = external_url, form_limit

    async def answer(self, scope: Scope, receive: Receive) -> Answer:
        """One request, its method one that METHODS allows."""
        now = await self._people.settings()
        if not now.on:
            raise Unsupported("people sign in with a name and a password here (auth_mode: db_auth)")
        check_extra()
        match scope["path"]:
            case "/c/oidc/login":
                return await self._login(scope, now.oidc)
            case "/c/oidc/callback":
                return await self._callback(scope, now.oidc)
            case "/c/oidc/logout":
                return await self._logout(scope, now.oidc)
        return await self._onboard(scope, receive)

    async def _login(self, scope: Scope, oidc: Oidc) -> Answer:
        from .flow import begin

        target = _local(Fields(scope["query_string"]).one("redirect_url"))
        redirect_uri = public_url(scope, self._external_url) + CALLBACK
        url, pending = await begin(self._people.issuer(oidc), oidc, redirect_uri, target, SECONDS)
        return _redirect(url, {"set-cookie": self._sealed(scope, "login", pending)})

    async def _callback(self, scope: Scope, oidc: Oidc) -> Answer:
        from .flow import Pending, finish

        pending = self._opened(scope, "login", Pending)
        issuer = self._people.issuer(oidc)
        answered = await finish(issuer, oidc, pending, Fields(scope["query_string"]))
        name = (await issuer.metadata()).issuer
        where = _where(scope)
        async with self._people.transaction() as conn:
            if not await identities.use(
                conn, f"state {pending.state}", datetime.fromtimestamp(pending.until + SECONDS, UTC)
            ):
                raise Unauthorized(_AGAIN)
            person = await self._people.person(conn, oidc, name, answered)
            found = await identities.find(conn, person.issuer, person.subject)
            if found is None and oidc.auto_onboard:
                found = await _onboarded(conn, person, person.username, where), False
            if found is not None and not found[1]:
                await self._people.heard(conn, found[0], person, answered, **where)
        if found is None:
            newcomer = Newcomer(
                person.issuer,
                person.subject,
                person.username,
                person.email,
                person.realname,
                pending.target,
                time.time() + SECONDS,
            )
            return _redirect(ONBOARD, {"set-cookie": self._sealed(scope, "newcomer", newcomer)})
        who, disabled = found
        if disabled:
            raise Unauthorized("this account is disabled")
        scope["state"]["actor"] = who.name
        return _redirect(pending.target, await self._sessions.begin(scope, who))

    async def _onboard(self, scope: Scope, receive: Receive) -> Answer:
        newcomer = self._opened(scope, "newcomer", Newcomer)
        if scope["method"] == "GET":
            headers = {
                "content-type": "text/html; charset=utf-8",
                "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
                "cache-control": "no-store",
            }
            return Answer(200, headers, _PAGE.format(name=html.escape(newcomer.username)).encode())
        self._sessions.require_own_site(scope)
        chosen = (await read_form(scope, receive, self._form_limit)).one("username")
        person = Person(
            newcomer.issuer, newcomer.subject, chosen, newcomer.email, newcomer.realname, groups=(), admin=False
        )
        async with self._people.transaction() as conn:
            await _onboarded(conn, person, chosen, _where(scope))
        # the provider knows the browser: this login brings groups, and the session
        return _redirect(f"{LOGIN}?redirect_url={quote(newcomer.target, safe='')}", {}, 303)

    async def _logout(self, scope: Scope, oidc: Oidc) -> Answer:
        self._sessions.require_own_site(scope)
        headers = await self._sessions.end(scope)
        url = (await self._people.issuer(oidc).metadata()).end_session_endpoint if oidc.logout else ""
        if not url:
            return Answer(200, headers)
        back = {"client_id": oidc.client_id, "post_logout_redirect_uri": public_url(scope, self._external_url)}
        return _redirect(f"{url}{'&' if '?' in url else '?'}{urlencode(back)}", headers)

    def _sealed(self, scope: Scope, kind: str, value: msgspec.Struct) -> str:
        """The cookie that brings a value back, which nobody else can read or make."""
        sealed = self._people.vault.seal(f"cookie:{kind}", msgspec.json.encode(value))
        text = base64.urlsafe_b64encode(sealed).decode()
        return f"{self._cookie(scope)}={text}; {self._sessions.attributes(scope, 'Lax')}; Max-Age={SECONDS}"

    def _opened(self, scope: Scope, kind: str, type_: type[T]) -> T:
        text = cookies(scope).get(self._cookie(scope), "")
        try:
            raw = self._people.vault.open(f"cookie:{kind}", base64.b64decode(text, altchars=b"-_", validate=True))
            found = msgspec.json.decode(raw, type=type_)
        except (SealBroken, binascii.Error, ValueError, msgspec.MsgspecError):
            raise Unauthorized(_AGAIN) from None
        if getattr(found, "until", 0) < time.time():
            raise Unauthorized(_AGAIN)
        return found

    def _cookie(self, scope: Scope) -> str:
        return "__Host-oidc" if self._sessions.tls(scope) else "oidc"


async def _onboarded(conn: Connection, person: Person, name: str, where: Mapping[str, str]) -> Principal:
    """The new account of a person. Conflict where anybody has the name: nobody is taken for somebody else by it."""
    try:
        return await identities.onboard(conn, person, name, **where)
    except AccountError as error:
        raise (Conflict if USERNAME.fullmatch(name) else QueryInvalid)(str(error)) from None


def _local(target: str) -> str:
    """Where to go after the login: a path of this registry, never another host."""
    return target if _LOCAL.fullmatch(target) else HOME


def _redirect(url: str, headers: Mapping[str, str], status: int = 302) -> Answer:
    return Answer(status, {"location": url, "cache-control": "no-store", "referrer-policy": "no-referrer", **headers})


def _where(scope: Scope) -> dict[str, str]:
    return {"address": address(scope), "request_id": scope["state"].get("request_id", "")}
