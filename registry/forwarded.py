"""Who the client is behind a proxy: X-Forwarded-* are believed from `http.trusted_proxies` alone."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from .engines.grammar import HOST
from .middleware import header


class Forwarded:
    """Plain ASGI: `client`, `scheme` and the Host header as the nearest untrusted hop saw them. The address is the last
    of X-Forwarded-For that is no trusted proxy, so a client cannot choose it."""

    def __init__(self, app: ASGIApp, trusted: Iterable[str]) -> None:
        self._app = app
        self._trusted = [ipaddress.ip_network(network) for network in trusted]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope.get("client") and self._trusts(scope["client"][0]):
            scope = dict(scope) | self._seen_outside(scope["headers"])
        await self._app(scope, receive, send)

    def _seen_outside(self, headers: Any) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        hops = b",".join(value for name, value in headers if name == b"x-forwarded-for").decode("latin-1").split(",")
        for hop in reversed([hop.strip() for hop in hops]):
            if not _is_address(hop):
                break
            seen["client"] = (hop, 0)
            if not self._trusts(hop):
                break
        scheme, host = header(headers, b"x-forwarded-proto"), header(headers, b"x-forwarded-host")
        if scheme in (b"http", b"https"):
            seen["scheme"] = scheme.decode()
        if host and HOST.fullmatch(host):
            seen["headers"] = [(b"host", host), *((name, value) for name, value in headers if name != b"host")]
        return seen

    def _trusts(self, address: str) -> bool:
        return _is_address(address) and any(ipaddress.ip_address(address) in network for network in self._trusted)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
