"""How a client gets in: a challenge answered by a name and password, or by a token that they buy."""

import asyncio
import re
from collections.abc import Awaitable, Callable

from yarl import URL

from ...core.oci.errors import Unauthorized
from .answer import LOG_IN, Answer
from .credentials import Credentials

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')

Ask = Callable[[URL, str | None], Awaitable[Answer]]
"""GET of an address with an Authorization header or none."""


class Login:
    """The Authorization headers of one registry, one for each scope, each bought once."""

    def __init__(self, base: str, credentials: Credentials) -> None:
        self._base = base
        self._credentials = credentials
        self._authorizations: dict[str, str] = {}
        self._last: str | None = None

    def header(self, scope: str) -> str | None:
        """What a request about a repository is best sent with; None before the first challenge."""
        return self._authorizations.get(scope) or self._last

    async def renewed(self, scope: str, used: str | None, refused: Answer, ask: Ask, turn: asyncio.Lock) -> str:
        """A header that answers a 401. Of many that wait at once, the first asks and the others take its answer."""
        async with turn:
            newest = self._authorizations.get(scope)
            if newest is None or newest == used:
                newest = await self._answer(refused, ask)
                self._authorizations[scope] = self._last = newest
        return newest

    async def _answer(self, refused: Answer, ask: Ask) -> str:
        """The distribution-spec's token flow, or RFC 7617 Basic."""
        challenge = refused.headers.get("WWW-Authenticate", "")
        kind, _, rest = challenge.partition(" ")
        basic = self._credentials.basic
        if kind.casefold() == "basic":
            if basic is None:
                raise Unauthorized(f"{self._base} asks for a name and password: {LOG_IN}")
            return basic
        parameters = dict(_PARAMETER.findall(rest))
        if kind.casefold() != "bearer" or "realm" not in parameters:
            raise Unauthorized(f"{self._base} refuses without saying how to log in")
        realm = URL(parameters["realm"])
        own = URL(self._base)
        if basic and realm.scheme != "https" and (realm.host, realm.port) != (own.host, own.port):
            raise Unauthorized(f"{self._base} wants the password sent in the clear to {realm.host}; that is not done")
        query = [("service", parameters["service"])] if "service" in parameters else []
        query += [("scope", scope) for scope in [parameters.get("scope", "")] if scope]
        answer = await ask(realm.extend_query(query), basic)
        if answer.status != 200:
            if answer.status not in (401, 403):
                raise answer.error("GET", realm.path)
            wrong = f"the name {self._credentials.username!r} or its password is wrong"
            who = wrong if basic else "it asks for a name and password"
            raise Unauthorized(f"{self._base}: {who}: {LOG_IN}")
        body = answer.json()
        token = body.get("token") or body.get("access_token")
        if not isinstance(token, str):
            raise Unauthorized(f"the token service {realm} of {self._base} sent no token")
        return f"Bearer {token}"
