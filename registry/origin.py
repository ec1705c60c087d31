"""How a request looks from the client's side, once `Forwarded` has put right what proxies hide."""

from ipaddress import IPv6Address, ip_address, ip_network

from starlette.types import Scope

from ..core.oci.errors import Unsupported
from .engines.grammar import HOST


def header(scope: Scope, name: bytes) -> list[str]:
    """Every value of a request header (lower-case name), in order."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def address(scope: Scope) -> str:
    """The client's address."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def neighbourhood(scope: Scope) -> str:
    """What counts as one guesser: an IPv4 address, or the /64 that one IPv6 host has to itself (RFC 6177)."""
    try:
        parsed = ip_address(address(scope))
    except ValueError:
        return address(scope)
    return str(ip_network((int(parsed) >> 64 << 64, 64))) if isinstance(parsed, IPv6Address) else str(parsed)


def public_url(scope: Scope, external_url: str = "") -> str:
    """Scheme, host and port clients reach us by, without a path: what the configuration says, else what this client
    used. Unsupported where its Host is no host."""
    if external_url:
        return external_url.rstrip("/")
    hosts = [value for key, value in scope["headers"] if key == b"host"]
    if len(hosts) != 1 or not HOST.fullmatch(hosts[0]):
        raise Unsupported("the Host header is not a host name or address with an optional port")
    return f"{scope['scheme']}://{hosts[0].decode()}"
