"""The listening socket: one that all workers share, or an address at which each opens its own."""

import errno
import ipaddress
import socket
from typing import Any

from .config import Config
from .failures import CommandError
from .sections import Http


def listen(config: Config) -> socket.socket:
    """The listening socket, or for granian's workers one that holds the address, not inherited by other programs.
    CommandError says what is in the way."""
    http = config.http
    try:
        family, kind, _, _, address = socket.getaddrinfo(http.host, http.port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise CommandError(f"cannot listen on {http.host}: {error.strerror or error}") from None
    if config.auth.mode == "none" and not ipaddress.ip_address(address[0]).is_loopback:
        raise CommandError(
            f"without authentication only this machine may connect: --auth none needs a loopback host, not {http.host}"
        )
    try:
        sock = _bound(family, kind, address)
        if config.server.engine == "granian" and config.server.workers > 1:
            # Its runtime may leave an accepted connection alone where processes share a socket, until the next event
            # (seen in a tenth of starts under load): each worker opens its own at this address. The socket above found
            # the port free, which a shared address does not tell.
            address = sock.getsockname()
            sock.close()
            return _bound(family, kind, address, shared=True)
        sock.listen(http.backlog)
    except OSError as error:
        hint = "; stop the other program or choose another --port" if error.errno == errno.EADDRINUSE else ""
        raise CommandError(f"cannot listen on {http.host} port {http.port}: {error.strerror}{hint}") from None
    return sock


def _bound(family: int, kind: int, address: Any, *, shared: bool = False) -> socket.socket:
    """A socket at an address, not listening yet. shared: others of this user may listen there too (SO_REUSEPORT)."""
    sock = socket.socket(family, kind)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def own_socket(sock: socket.socket, backlog: int) -> socket.socket:
    """A listening socket: sock itself, or one of this process's own where sock only holds the address for many."""
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return sock
    own = _bound(sock.family, sock.type, sock.getsockname(), shared=True)
    own.listen(backlog)
    own.setblocking(False)
    return own


def address(http: Http, sock: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"{'https' if http.tls.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
