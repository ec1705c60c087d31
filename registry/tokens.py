"""The token service: `/service/token` (GET, and the POST of OAuth 2) and the public keys beside it.

POST takes a token of another issuer too, for one of a robot that trusts it (RFC 8693; identity/exchange.py).

A token says who its bearer is; what he may do is asked anew with every request. A robot's also names the actions it was
asked for, and is good for no others. The protocol is the distribution project's token authentication, its OAuth 2 form
RFC 6749 sections 4.3, 5 and 6.
"""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from ..core.access import ANONYMOUS, Action, Principal, Rights, permits
from ..core.oci.errors import MethodNotAllowed, NameUnknown, QueryInvalid, TokenInvalid, Unauthorized
from ..core.oci.names import REPOSITORY, project_of
from ..core.records import accounts, audit, refresh_tokens
from ..core.records.database import Database
from ..core.signin import SignIn
from ..core.signing import KeyRing
from .access import TOKEN_PATH
from .credentials import Basic, credentials
from .forms import Fields, read_form
from .identity.exchange import ACCESS_TOKEN, GRANT, Exchange, Where, by_token, seconds_left
from .load.rates import Rates
from .origin import address, neighbourhood, public_url
from .scopes import Asked, parse_scopes
from .sections import Token

JWKS_PATH = f"{TOKEN_PATH}/jwks"
SHORTEST, LONGEST = 60, 3600
"""Seconds a token is good for: clients take less than 60 for 60."""
_SECRET = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_Respond = Callable[[Scope, Receive], Awaitable[Response]]


class TokenService:
    """An ASGI application for TOKEN_PATH and JWKS_PATH. Refusals are RegistryErrors for the caller to answer with."""

    def __init__(
        self,
        database: Database,
        settings: Token,
        sign_in: SignIn,
        keys: KeyRing,
        exchange: Exchange,
        rates: Rates,
        *,
        external_url: str = "",
        form_limit: int = 64 << 10,
    ) -> None:
        self._database, self._settings = database, settings
        self._external_url, self._form_limit = external_url, form_limit
        self._sign_in, self._keys, self._rates = sign_in, keys, rates
        self._methods: dict[str, dict[str, _Respond]] = {
            TOKEN_PATH: {"GET": self._get, "POST": self._post},
            JWKS_PATH: {"GET": self._jwks},
        }
        self._lifetime = _bounded(settings.expiry)
        self._exchange, self._exchanged_lifetime = exchange, _bounded(exchange.expiry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; NameUnknown for other paths, MethodNotAllowed for other methods."""
        methods = self._methods.get(scope["path"])
        if methods is None:
            raise NameUnknown("nothing is served here")
        if scope["method"] not in methods:
            allowed = ", ".join(methods)
            raise MethodNotAllowed(f"only {allowed} is served here", headers={"Allow": allowed})
        try:
            response = await methods[scope["method"]](scope, receive)
        except Unauthorized:
            self._rates.count_address(scope)
            raise
        await response(scope, receive, send)

    async def _get(self, scope: Scope, receive: Receive) -> Response:
        """Basic credentials, or none, for a token."""
        fields = Fields(scope["query_string"], many=("scope",))
        service, lifetime = self._service(fields), self._lifetime
        match credentials(scope):
            case None:
                principal = ANONYMOUS
            case Basic(username, password):
                principal, lifetime = await self._password(scope, username, password)
            case _:
                raise Unauthorized("a token is had for a name and password, not for a token", headers=self._ask(scope))
        self._rates.count(scope, principal)
        offline = fields.one("offline_token").lower() in ("true", "1")
        refresh = await self._refresh(scope, principal, fields, service) if offline else ""
        return await self._token(principal, fields, lifetime, refresh)

    async def _post(self, scope: Scope, receive: Receive) -> Response:
        """The OAuth 2 form: a password, a refresh token or another issuer's for a token."""
        fields = await read_form(scope, receive, self._form_limit, many=("scope",))
        service, lifetime = self._service(fields), self._lifetime
        offline = fields.one("access_type") == "offline"
        match fields.one("grant_type"):
            case "password":
                principal, lifetime = await self._password(scope, fields.one("username"), fields.one("password"))
                refresh = await self._refresh(scope, principal, fields, service) if offline else ""
            case "refresh_token":
                # the same token again: clients that share one would lose it to a rotation
                refresh = fields.one("refresh_token")
                async with self._database.acquire() as conn:
                    found = await refresh_tokens.find(conn, refresh, service)
                if found is None:
                    raise Unauthorized("the refresh token is expired or revoked; sign in", headers=self._ask(scope))
                principal, stale = found
                if stale:
                    await self._sign_in.vouch(principal)
                refresh = refresh if offline else ""
            case other if other == GRANT:
                where = Where(address(scope), scope["state"].get("request_id", ""))
                robot = await self._exchange.robot(fields, where)
                self._rates.count(scope, robot)
                return await self._exchanged(robot, fields)
            case _:
                raise QueryInvalid(f"grant_type is password, refresh_token or {GRANT}")
        self._rates.count(scope, principal)
        return await self._token(principal, fields, lifetime, refresh)

    async def _exchanged(self, robot: Principal, fields: Fields) -> Response:
        """A token that does what the robot may, or with a scope that alone; it is the robot's password too."""
        asked = parse_scopes(fields.all("scope"))
        if asked:
            robot = replace(robot, ceiling=frozenset(_actions(asked)))
        return await self._answer(robot, asked, self._exchanged_lifetime, {"issued_token_type": ACCESS_TOKEN})

    async def _jwks(self, scope: Scope, receive: Receive) -> Response:
        return JSONResponse(await self._keys.jwks(), headers={"Cache-Control": "public, max-age=300"})

    async def _password(self, scope: Scope, username: str, password: str) -> tuple[Principal, int]:
        """Whose they are, and how long a token for them may last: for a token no longer than that one."""
        try:
            if (token := await by_token(self._keys, username, password)) is not None:
                if (left := seconds_left(token)) <= 0:
                    raise TokenInvalid("the token is expired; ask for a new one")
                return token.principal, min(left, self._lifetime)
            return await self._sign_in.password(username, password, neighbourhood(scope)), self._lifetime
        except Unauthorized as error:
            error.headers |= self._ask(scope)
            raise

    async def _refresh(self, scope: Scope, principal: Principal, fields: Fields, service: str) -> str:
        """A new refresh token of an account; nobody else gets one."""
        if principal.kind != "account":
            return ""
        client_id = fields.one("client_id")[:256].replace("\0", "")
        lifetime = timedelta(seconds=self._settings.refresh_expiry)
        caller = {"address": address(scope), "request_id": scope["state"].get("request_id", "")}
        async with self._database.transaction() as conn:
            await audit.record(conn, principal, "create", "refresh_token", client_id, **caller)
            return await refresh_tokens.create(conn, principal, service, client_id, lifetime)

    async def _token(self, principal: Principal, fields: Fields, lifetime: int, refresh: str) -> Response:
        asked = parse_scopes(fields.all("scope"))
        if principal.kind == "robot":  # a machine's token does what it was asked for, whatever the machine may
            actions = frozenset(_actions(asked))
            ceiling = actions if principal.ceiling is None else actions & principal.ceiling
            principal = replace(principal, ceiling=ceiling)
        return await self._answer(principal, asked, lifetime, {"refresh_token": refresh} if refresh else {})

    async def _answer(self, principal: Principal, asked: list[Asked], lifetime: int, more: dict[str, str]) -> Response:
        granted = await self._granted(principal, asked)
        token, issued = await self._keys.sign(principal, lifetime)
        answer = {
            "token": token,
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": lifetime,
            "issued_at": datetime.fromtimestamp(issued, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "scope": " ".join(map(str, granted)),
        }
        return JSONResponse(answer | more, headers=_SECRET)

    async def _granted(self, principal: Principal, asked: list[Asked]) -> list[Asked]:
        """What of it the bearer may do at this moment: told, not promised, and nothing is refused for it."""
        seen: dict[str, Rights] = {}
        granted = []
        async with self._database.acquire() as conn:
            for scope in asked:
                if scope.type == "repository" and not REPOSITORY.fullmatch(scope.name):
                    continue
                project = project_of(scope.name) if scope.type == "repository" else ""
                if project not in seen:
                    seen[project] = await accounts.rights(conn, principal, project)
                actions = tuple(name for name in scope.actions if _may(principal, seen[project], scope, name))
                if actions:
                    granted.append(Asked(scope.type, scope.name, actions))
        return granted

    def _service(self, fields: Fields) -> str:
        service = fields.one("service", self._settings.service)
        if service != self._settings.service:
            raise QueryInvalid(f"this is the token service of {self._settings.service}, no other")
        return service

    def _ask(self, scope: Scope) -> dict[str, str]:
        return {"WWW-Authenticate": f'Basic realm="{public_url(scope, self._external_url)}"'}


def _bounded(seconds: float) -> int:
    return int(min(max(seconds, SHORTEST), LONGEST))


def _actions(asked: list[Asked]) -> Iterator[Action]:
    for scope in asked:
        if scope.type == "repository":
            yield from (Action(name) for name in scope.actions if name in tuple(Action))


def _may(principal: Principal, rights: Rights, scope: Asked, action: str) -> bool:
    if scope.type != "repository":
        return rights.admin
    if principal.ceiling is not None and action not in principal.ceiling:
        return False
    return action in tuple(Action) and permits(rights, Action(action))
