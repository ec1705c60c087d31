"""How a request looks from the client's side of the proxies: its address, and the address it knows the server by.

Forwarded headers count only where the peer is one of `http.trusted_proxies`.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.types import Scope

from ..core.oci.errors import Unsupported
from .config import ConfigError

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def header(scope: Scope, name: bytes) -> list[str]:
    """Every value of a request header (lower-case name), in order."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


class Origin:
    """`external_url` is what clients are told to use ("": what they used); `proxies` are addresses or networks."""

    def __init__(self, external_url: str = "", proxies: Iterable[str] = ()) -> None:
        self._external_url = external_url.rstrip("/")
        try:
            self._proxies = [ip_network(proxy) for proxy in proxies]
        except ValueError as error:
            raise ConfigError(f"http.trusted_proxies: {error}; write addresses or networks, as 10.0.0.0/8") from None

    def url(self, scope: Scope) -> str:
        """Scheme, host and port the client reached us by, without a path. Unsupported where the Host is no host."""
        if self._external_url:
            return self._external_url
        hosts = header(scope, b"host")
        if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
            raise Unsupported("the Host header is not a host name or address with an optional port")
        scheme: str = scope["scheme"]
        if self._trusted(self._peer(scope)):
            forwarded = ",".join(header(scope, b"x-forwarded-proto")).rpartition(",")[2].strip().lower()
            scheme = forwarded if forwarded in ("http", "https") else scheme
        return f"{scheme}://{hosts[0]}"

    def address(self, scope: Scope) -> str:
        """The client's address: the last one that no trusted proxy of ours has."""
        address = self._peer(scope)
        hops = [hop.strip() for line in header(scope, b"x-forwarded-for") for hop in line.split(",")]
        while hops and self._trusted(address):
            try:
                address = str(ip_address(hops.pop()))
            except ValueError:
                break
        return address

    def neighbourhood(self, scope: Scope) -> str:
        """What counts as one guesser: an IPv4 address, or the /64 that one IPv6 host has to itself."""
        address = self.address(scope)
        try:
            parsed = ip_address(address)
        except ValueError:
            return address
        return str(ip_network((int(parsed) >> 64 << 64, 64))) if isinstance(parsed, IPv6Address) else address

    def _peer(self, scope: Scope) -> str:
        client = scope.get("client")
        return str(client[0]) if client else ""

    def _trusted(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)
