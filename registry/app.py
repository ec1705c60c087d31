"""create_app: the one place where a server is put together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from ..core.first_start import FILE, ensure_admin
from ..core.oci.errors import NameUnknown, RegistryError, Unauthorized
from ..core.passwords import Passwords
from ..core.records.database import Database
from ..core.records.pulls import PullLog
from ..core.records.schema import check_schema
from ..core.sandbox import Sandbox
from ..core.secrets import Vault
from ..core.signin import SignIn
from ..core.signing import KeyRing
from ..core.store import Store
from .access import TOKEN_PATH, Door
from .backends import limits, open_database, open_store, redirects, sandbox_limits, with_cache
from .background import beside
from .config import Config
from .curves.application import PREFIX as API
from .curves.application import CurveApi
from .curves.call import Services
from .curves.made import MadeFiles
from .curves.sealed import Links
from .errors import error_answer
from .forwarded import Forwarded
from .gc_metrics import GcMetrics
from .health import Health
from .identity.exchange import Exchange
from .identity.issuers import Issuers
from .identity.pages import OidcPages
from .identity.people import People
from .limits import Limits as BodyLimits
from .load.gate import Gate
from .load.load import Load, load_of
from .load.nodes import Nodes
from .load.rates import Rates
from .load.watch import Watch
from .login import PREFIX as LOGIN
from .login import Login
from .management.answers import PREFIX
from .management.application import ManagementApi
from .management.operation import Services as ManagementServices
from .metrics import Metrics
from .middleware import Observed, ServerErrors
from .pages import pages
from .sessions import Sessions
from .state_metrics import StateMetrics
from .tokens import TokenService
from .v2.application import Distribution
from .worker import create_worker

log = logging.getLogger(__name__)
ROTATION_CHECK = 3600.0
KEY_LIFETIME = 90 * 86400.0
MANAGEMENT = PREFIX.encode() + b"/"


def create_app(config: Config) -> ASGIApp:
    """The registry of a configuration, as an ASGI application whose lifespan opens database and store."""
    metrics = Metrics()
    load = load_of(config, metrics.registry)
    app: ASGIApp = Registry(config, metrics, load)
    app = Observed(BodyLimits(ServerErrors(Gate(app, load)), config.http), metrics)
    return Forwarded(app, config.http.trusted_proxies) if config.http.trusted_proxies else app


class Registry:
    """What answers: /v2/ and the token service ourselves, since they are hot or strict; the rest through Starlette."""

    def __init__(self, config: Config, metrics: Metrics, load: Load) -> None:
        self._config = config
        self._metrics = metrics
        self._load = load
        self._open = AsyncExitStack()
        self._distribution: ASGIApp = _starting
        self._curves: ASGIApp = _starting
        self._management: ASGIApp = _starting
        self._tokens: ASGIApp = _starting
        self._login: ASGIApp = _starting
        self._pages: ASGIApp = _starting

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request, or live through the lifespan."""
        if scope["type"] == "lifespan":
            return self._live(receive, send)
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        scope["raw_path"] = path
        if path.startswith(b"/v2/") or path == b"/v2":
            return self._distribution(scope, receive, send)
        if path.startswith(MANAGEMENT):
            return self._management(scope, receive, send)
        if path.startswith(API):
            return self._curves(scope, receive, send)
        if path.startswith(TOKEN_PATH.encode()):
            scope["state"]["endpoint"] = "token"
            return self._tokens(scope, receive, send)
        if path.startswith(LOGIN.encode()):
            return self._login(scope, receive, send)
        return self._pages(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._open:
            await self._build()
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _build(self) -> None:
        config, stack = self._config, self._open
        database = await open_database(config)
        stack.push_async_callback(database.close)
        await check_schema(database)
        driver = open_store(config)
        cached = with_cache(config, driver, self._metrics.registry)
        stack.push_async_callback(cached.close)
        await driver.check()
        pulls = PullLog(database, share=config.audit.pulls)
        stack.push_async_callback(pulls.close)
        await self._beside("writing pulls", pulls.run)
        await self._beside("metrics", partial(StateMetrics(self._metrics.registry).run, database))
        store = Store(database, cached, limits(config), pulls)
        stack.push_async_callback(store.settle)
        rates = await self._watched(database)
        door, sign_in = Door(database, config.auth.token.service, config.http.external_url, rates=rates), None
        people: People | None = None
        if config.auth.mode != "none":
            door, sign_in, people = await self._with_accounts(database, rates)
        self._distribution = Distribution(store, door, config.storage.delete.enabled, redirects(config))
        sandbox = await stack.enter_async_context(
            Sandbox(config.curves.processes, sandbox_limits(config), admit=self._load.spare)
        )
        made = MadeFiles(config.curves.file_memory, config.curves.file_disk)
        stack.push_async_callback(made.close)
        links = Links(config.auth.secretkey, config.curves.link_expiry, config.curves.link_longest)
        self._curves = CurveApi(
            Services(store, door, sandbox, made, links, config.curves.file_limit, config.http.external_url)
        )
        health = Health(database, driver)
        self._management = ManagementApi(
            ManagementServices(config, database, store, door, health, people.vault if people else None, sign_in, people)
        )
        self._pages = pages(health, self._metrics if config.metrics.enabled else None)
        if config.worker.enabled:
            worker = create_worker(config, database, driver, metrics=GcMetrics(self._metrics.registry))
            task = asyncio.create_task(worker.run())
            stack.push_async_callback(_stopped, task)
            stack.callback(worker.stop)

    async def _watched(self, database: Database) -> Rates:
        """Looks after the load from now on; how often one may ask."""
        nodes = Nodes(database)
        self._open.push_async_callback(nodes.leave)
        await nodes.beat()
        await self._beside("the sign of life", nodes.run)
        await self._beside("the look at the load", partial(Watch(self._load, self._metrics.registry).run, nodes))
        return Rates(self._config.limits.rate, self._load.refusals, lambda: nodes.live)

    async def _with_accounts(self, database: Database, rates: Rates) -> tuple[Door, SignIn, People]:
        auth, http, passwords = self._config.auth, self._config.http, Passwords()
        folder = Path(self._config.data) if self._config.data else None
        shown = await ensure_admin(database, passwords, auth.admin_password, folder)
        if shown is not None:
            kept = f"; it stands in {folder / FILE}" if folder else ""
            print(f"first start: user admin, password {shown}{kept}", flush=True)
        vault = Vault(auth.secretkey)
        keys = KeyRing(database, vault, auth.token.issuer, auth.token.service)
        await keys.start()
        await self._beside("the rotation of keys", partial(_rotate, keys))
        issuers = Issuers()
        self._open.push_async_callback(issuers.close)
        people = People(database, vault, auth.oidc, issuers)
        sign_in = SignIn(database, passwords, vault, people.vouch, elsewhere=bool(auth.oidc.endpoint))
        self._tokens = _Answered(
            TokenService(
                database,
                auth.token,
                sign_in,
                keys,
                Exchange(database, issuers, auth.keyless.expiry),
                rates,
                external_url=http.external_url,
                form_limit=http.form_limit,
            )
        )
        sessions = Sessions(database, auth.session, http.external_url, people.vouch)
        pages = OidcPages(people, sessions, http.external_url, http.form_limit)
        self._login = Login(sign_in, sessions, http.form_limit, pages)
        return Door(database, auth.token.service, http.external_url, sign_in, keys, sessions, rates), sign_in, people

    async def _beside(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        await self._open.enter_async_context(beside(name, work))


class _Answered:
    """Another application whose refusals become OCI answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except RegistryError as error:
            if isinstance(error, Unauthorized) and "www-authenticate" not in map(str.lower, error.headers):
                error.headers = {**error.headers, "www-authenticate": 'Basic realm="DataForge Registry"'}
            await error_answer(error).send(send)


async def _starting(scope: Scope, receive: Receive, send: Send) -> None:
    await error_answer(NameUnknown("nothing is served here")).send(send)


async def _rotate(keys: KeyRing) -> None:
    while True:
        await asyncio.sleep(ROTATION_CHECK)
        try:
            await keys.rotate(older_than=KEY_LIFETIME)
        except RegistryError as error:
            log.warning("signing keys could not be rotated; trying again in an hour: %s", error)


async def _cancelled(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _stopped(task: "asyncio.Task[None]") -> None:
    await asyncio.wait({task}, timeout=10)
    await _cancelled(task)
