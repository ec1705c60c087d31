"""The one door: who is asking, and what they are told when that is not enough.

The door only finds out who it is. What they may do is asked of the database with the request's own look-up, and decided
by core/access.py.
"""

import hashlib
import re
import time
from collections.abc import Iterable

from cachetools import LRUCache
from starlette.types import Scope

from ..core.access import ANONYMOUS, SYSTEM, Principal, Rights
from ..core.oci.errors import RegistryError, ScopeInsufficient, TokenInvalid, Unauthorized
from ..core.records import accounts
from ..core.records.database import Database
from ..core.signin import SignIn
from ..core.signing import KeyRing, Token
from .credentials import Basic, Bearer, credentials
from .identity.exchange import by_token
from .load.rates import Rates
from .origin import header, neighbourhood, public_url
from .sessions import Sessions, Visit

TOKEN_PATH = "/service/token"
_REMEMBERED = 10_000
_SCOPE = re.compile(r"[!#-\[\]-~]+")  # RFC 6749 section 3.3
_CAUSES: dict[type, str] = {TokenInvalid: "invalid_token", ScopeInsufficient: "insufficient_scope"}


def repository_scope(name: str, *actions: str) -> str:
    """The scope that names actions on a repository, as `repository:library/gr:pull,push`."""
    return f"repository:{name}:{','.join(actions)}"


class Door:
    """Turns a request's credentials into a Principal, and counts it for him (`rates`). Without `sign_in` and `keys`
    (`auth.mode: none`) everybody is SYSTEM."""

    def __init__(
        self,
        database: Database,
        service: str,
        external_url: str = "",
        sign_in: SignIn | None = None,
        keys: KeyRing | None = None,
        sessions: Sessions | None = None,
        rates: Rates | None = None,
    ) -> None:
        self._database, self._service, self._external_url = database, service, external_url
        self._sign_in, self._keys, self._sessions = sign_in, keys, sessions
        self._rates = rates if rates is not None and rates.limited else None
        self._verified: LRUCache[bytes, Token] = LRUCache(_REMEMBERED)

    async def principal(self, scope: Scope) -> Principal:
        """Who is asking: by Bearer token, by Basic, or ANONYMOUS.

        Unauthorized (TokenInvalid for a token) where the credentials are no good, TooManyRequests after too many
        failures or beyond the limit of his rate. A token's bearer may have been disabled since: the look-up's
        `Rights.valid`, or `holds`, tells.
        """
        if self._rates is None:
            return await self._known(scope)
        try:
            found = await self._known(scope)
        except Unauthorized:
            self._rates.count_address(scope)
            raise
        self._rates.count(scope, found)
        return found

    def nobody(self, scope: Scope) -> Principal:
        """ANONYMOUS, for a request that needs no credentials. TooManyRequests."""
        if self._rates is not None:
            self._rates.count(scope, ANONYMOUS)
        return ANONYMOUS

    async def _known(self, scope: Scope) -> Principal:
        if self._sign_in is None or self._keys is None:
            return SYSTEM
        match credentials(scope):
            case None:
                return ANONYMOUS
            case Basic(username, password):
                if (token := await by_token(self._keys, username, password)) is not None:
                    return token.principal
                return await self._sign_in.password(username, password, neighbourhood(scope))
            case Bearer(token):
                return await self._bearer(token, self._keys)

    async def visit(self, scope: Scope) -> Visit:
        """As `principal`, or without credentials by a browser's cookie: for the management API alone. Denied for a
        change that another site may have caused."""
        if self._sessions is None or header(scope, b"authorization"):
            return Visit(await self.principal(scope))
        visit = await self._sessions.visit(scope)
        if self._rates is not None:
            self._rates.count(scope, visit.principal)
        return visit

    async def rights(self, principal: Principal, project: str) -> Rights:
        """What the database says now, for a request that has no look-up of its own."""
        async with self._database.acquire() as conn:
            return await accounts.rights(conn, principal, project)

    async def holds(self, principal: Principal) -> Principal:
        """The principal, if it is still there and not disabled, else TokenInvalid: for requests without a project."""
        if principal not in (ANONYMOUS, SYSTEM) and not (await self.rights(principal, "")).valid:
            raise TokenInvalid("these credentials are no longer good; sign in again")
        return principal

    def challenge(self, scope: Scope, scopes: Iterable[str] = (), cause: RegistryError | None = None) -> str:
        """The WWW-Authenticate of a 401 (RFC 6750, section 3): where to get a token, and for what.

        `scopes` are those the request needs, both repositories' for a mount, left out where a quoted string cannot hold
        them; `cause` is the error being answered.
        """
        parts = {
            "realm": public_url(scope, self._external_url) + TOKEN_PATH,
            "service": self._service,
            "scope": " ".join(filter(_SCOPE.fullmatch, scopes)),
            "error": _CAUSES.get(type(cause)),
        }
        return "Bearer " + ",".join(f'{name}="{value}"' for name, value in parts.items() if value)

    async def _bearer(self, token: str, keys: KeyRing) -> Principal:
        key = hashlib.sha256(token.encode("latin-1")).digest()
        known = self._verified.get(key)
        if known is None or known.expires <= time.time():
            known = self._verified[key] = await keys.verify(token)
        return known.principal
