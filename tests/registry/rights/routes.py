"""Every route that the server has, from its own tables: METHOD and path with parameters."""

from collections.abc import Iterable

from starlette.routing import Route

from dataforge_registry.drivers.memory import MemoryDriver
from dataforge_registry.registry import login, metrics, pages, tokens
from dataforge_registry.registry.curves.application import ENDPOINTS
from dataforge_registry.registry.health import Health
from dataforge_registry.registry.identity.exchange import Exchange
from dataforge_registry.registry.management.application import OPERATIONS
from dataforge_registry.registry.sections import Token
from dataforge_registry.registry.v2.application import ALLOWED

V2 = {
    "base": "/v2/",
    "catalog": "/v2/_catalog",
    "discover": "/v2/_oci/ext/discover",
    "manifest": "/v2/{name}/manifests/{reference}",
    "blob": "/v2/{name}/blobs/{digest}",
    "uploads": "/v2/{name}/blobs/uploads/",
    "upload": "/v2/{name}/blobs/uploads/{upload}",
    "tags": "/v2/{name}/tags/list",
    "referrers": "/v2/{name}/referrers/{digest}",
}
APPLICATIONS = {"_distribution", "_curves", "_management", "_tokens", "_login", "_pages"}
"""What `Registry` hands requests to: each has its routes below."""


def served(heads: bool = False) -> set[str]:
    """`GET /v2/` and so on; HEAD only where it is not GET's own, or with `heads` wherever it is answered."""
    api = {
        *(f"{each.method} /api/v2.0{each.path}" for each in OPERATIONS),
        *(f"{each.method} /api/v1{each.path}" for each in ENDPOINTS),
    }
    others = {
        *_each((V2[endpoint], methods) for endpoint, methods in ALLOWED.items()),
        *_each(login._METHODS.items()),
        *_each(_tokens()._methods.items()),
        *_each((route.path, route.methods or ()) for route in _pages()),
    }
    implied = {route.replace("GET", "HEAD", 1) for route in api if route.startswith("GET")}
    return api | others | implied if heads else api | {route for route in others if not route.startswith("HEAD")}


def _each(table: Iterable[tuple[str, Iterable[str]]]) -> Iterable[str]:
    return (f"{method} {path}" for path, methods in table for method in methods)


def _tokens() -> tokens.TokenService:
    exchange = Exchange(None, None, 900)  # type: ignore[arg-type]  # as below
    return tokens.TokenService(None, Token(), None, None, exchange, None)  # type: ignore[arg-type]  # asked for its table alone


def _pages() -> list[Route]:
    health = Health(None, MemoryDriver())  # type: ignore[arg-type]
    return [route for route in pages.pages(health, metrics.Metrics()).routes if isinstance(route, Route)]
