"""Logins of browsers: a cookie that names a row, and what keeps other sites from using it.

Over TLS the cookie is `__Host-sid`, which no other host can plant and no path or domain can widen (RFC 6265bis section
4.1.3.2). Over plain HTTP, where browsers refuse that name, it is `sid`, as Harbor's clients know it. They may send
`sid` over TLS too, but a browser may not, since one can be made to bring a stranger's session: browsers say where a
request comes from (`Sec-Fetch-Site`).

What changes something must come from our own pages (`Sec-Fetch-Site`, else `Origin`) and bring the token that every
answer to the session carries in X-Harbor-CSRF-Token. The token follows from the session alone, so `_gorilla_csrf`, the
other half of Harbor's pair, is set for clients that wait for it and not read.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

from starlette.types import Scope

from ..core.access import ANONYMOUS, Principal
from ..core.oci.errors import Denied
from ..core.records import sessions
from ..core.records.database import Database
from ..core.signin import Vouch
from .origin import address, header, public_url
from .sections import Session

COOKIE, TLS_COOKIE = "sid", "__Host-sid"
CSRF_COOKIE, CSRF_HEADER = "_gorilla_csrf", "x-harbor-csrf-token"
SAFE = ("GET", "HEAD", "OPTIONS")
_LONGEST_TOKEN = 64


class Visit(NamedTuple):
    """Who is asking, and what goes with the answer: to a session its CSRF token."""

    principal: Principal
    headers: Mapping[str, str] = {}


class Sessions:
    """Begins, finds and ends them."""

    def __init__(
        self, database: Database, settings: Session, external_url: str = "", vouch: Vouch | None = None
    ) -> None:
        self._database, self._external_url, self._vouch = database, external_url, vouch
        self._idle, self._longest = timedelta(seconds=settings.idle), timedelta(seconds=settings.longest)

    async def begin(self, scope: Scope, account: Principal) -> Mapping[str, str]:
        """Log an account in, in place of whatever session the browser had: the headers that tell it."""
        old = self._token(scope)
        where = {"address": address(scope), "request_id": scope["state"].get("request_id", "")}
        async with self._database.transaction() as conn:
            if old:
                await sessions.end(conn, old)
            token = await sessions.begin(conn, account, self._idle, **where)
        return {"set-cookie": self._cookie(scope, token), "cache-control": "no-store"}

    async def end(self, scope: Scope) -> Mapping[str, str]:
        """Log out: the row goes, then the cookie."""
        if token := self._token(scope):
            async with self._database.transaction() as conn:
                await sessions.end(conn, token)
        return {"set-cookie": self._cookie(scope, "") + "; Max-Age=0", "cache-control": "no-store"}

    async def visit(self, scope: Scope) -> Visit:
        """Whose session a request brings; ANONYMOUS without one that is good. Denied for a change that another site
        may have caused."""
        token = self._token(scope)
        if not token:
            return Visit(ANONYMOUS)
        async with self._database.acquire() as conn:
            found = await sessions.find(conn, token, self._idle, self._longest)
        if found is None:
            return Visit(ANONYMOUS)
        account, stale = found
        if stale and self._vouch is not None:
            await self._vouch(account)
        csrf = _csrf(token)
        headers = {CSRF_HEADER: csrf, "set-cookie": f"{CSRF_COOKIE}={csrf}; {self.attributes(scope, 'Strict')}"}
        if scope["method"] not in SAFE:
            self.require_own_site(scope)
            given = header(scope, CSRF_HEADER.encode())
            if len(given) != 1 or not hmac.compare_digest(given[0].encode(), csrf.encode()):
                raise Denied("send this answer's X-Harbor-CSRF-Token back with the request", headers=headers)
        return Visit(account, headers)

    def require_own_site(self, scope: Scope) -> None:
        """Denied where a browser says that another site caused the request; others say nothing."""
        sites, origins = header(scope, b"sec-fetch-site"), header(scope, b"origin")
        if sites:
            own = set(sites) <= {"same-origin", "none"}
        else:
            own = all(origin == public_url(scope, self._external_url) for origin in origins)
        if not own:
            raise Denied("another site caused this request")

    def _token(self, scope: Scope) -> str:
        """The session that a request brings, "" without one."""
        given = cookies(scope)
        if self.tls(scope):
            plain = "" if header(scope, b"sec-fetch-site") else given.get(COOKIE, "")
            found = given.get(TLS_COOKIE, plain)
        else:
            found = given.get(COOKIE, "")
        return found if len(found) <= _LONGEST_TOKEN else ""

    def _cookie(self, scope: Scope, token: str) -> str:
        return f"{TLS_COOKIE if self.tls(scope) else COOKIE}={token}; {self.attributes(scope, 'Lax')}"

    def attributes(self, scope: Scope, same_site: str) -> str:
        """What a cookie of ours says beside its value."""
        return f"Path=/; HttpOnly; SameSite={same_site}" + ("; Secure" if self.tls(scope) else "")

    def tls(self, scope: Scope) -> bool:
        """Whether the browser sees TLS."""
        return public_url(scope, self._external_url).startswith("https:")


def cookies(scope: Scope) -> dict[str, str]:
    """The cookies of a request; of a name given twice none, since nobody can say whose is the right one."""
    found: dict[str, str] = {}
    for line in header(scope, b"cookie"):
        for pair in line.split(";"):
            name, _, value = pair.strip().partition("=")
            found[name] = "" if name in found else value
    return found


def _csrf(token: str) -> str:
    digest = hmac.digest(token.encode(), b"csrf", hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
