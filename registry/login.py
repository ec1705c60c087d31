"""`/c/login`, `/c/log_out` and `/c/oidc/*`: how a browser, or a client that keeps cookies, signs in to /api/v2.0."""

from starlette.types import Receive, Scope, Send

from ..core.oci.errors import MethodNotAllowed, NotFound, RegistryError
from ..core.signin import SignIn
from .forms import read_form
from .identity.pages import METHODS, OidcPages
from .management.errors import error_answer
from .origin import neighbourhood
from .sessions import Sessions
from .v2.answer import Answer

PREFIX = "/c/"
_METHODS = {"/c/login": ("POST",), "/c/log_out": ("GET", "POST"), **METHODS}


class Login:
    """An ASGI application for the paths below PREFIX."""

    def __init__(self, sign_in: SignIn, sessions: Sessions, form_limit: int, oidc: OidcPages) -> None:
        self._sign_in, self._sessions, self._form_limit, self._oidc = sign_in, sessions, form_limit, oidc

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            found = await self._answer(scope, receive)
        except RegistryError as error:
            found = error_answer(error)
        await found.send(send, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path: str = scope["path"]
        methods = _METHODS.get(path)
        if methods is None:
            raise NotFound("nothing is served here")
        scope["state"]["endpoint"] = "login." + path.removeprefix("/c/").replace("/", ".")
        if scope["method"] not in methods:
            names = ", ".join(methods)
            raise MethodNotAllowed(f"this address takes {names}", headers={"allow": names})
        if path in METHODS:
            return await self._oidc.answer(scope, receive)
        self._sessions.require_own_site(scope)
        if path == "/c/log_out":
            return Answer(200, await self._sessions.end(scope))
        form = await read_form(scope, receive, self._form_limit)
        name, password = form.one("principal"), form.one("password")
        account = await self._sign_in.password(name, password, neighbourhood(scope), person=True)
        scope["state"]["actor"] = account.name
        return Answer(200, await self._sessions.begin(scope, account))
