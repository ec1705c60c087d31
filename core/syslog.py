"""Rows of the audit trail as syslog: RFC 5424 messages over TCP with octets counted (RFC 6587), TLS (RFC 5425) or UDP
(RFC 5426).

Over TCP and TLS each batch has a connection of its own, which we end and the collector closes once it has read all:
what a collector had not read when it died is known not to have arrived.
"""

import fcntl
import re
import socket
import ssl
import struct
import sys
import termios
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from .records.checkpoints import Tip
from .records.journal import Entry

SCHEMES: Final = ("tcp", "tls", "udp")
PATIENCE: Final = 15.0
"""Seconds for each step: connecting, sending a batch, and the collector's reading it."""
DATAGRAM: Final = 8192
"""Bytes of a message over UDP; what is longer is cut."""
NUMBER: Final = 32473
"""The private enterprise number that RFC 5612 keeps for those that have none."""
_AUDIT: Final = 13 * 8
_WARNING, _NOTICE, _INFORMATIONAL = 4, 5, 6
_ESCAPED: Final = re.compile(r'["\\\]]')
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_UNPRINTABLE: Final = re.compile(r"[^!-~]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a collector listens."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """`host:port` (TCP, as Harbor has it) or `tcp://`, `tls://`, `udp://` before it. ValueError says why not."""
        wrong = f"{text[:200]!r} is no collector: write host:port, or tcp://, tls:// or udp:// before it"
        try:
            parts = urlsplit(text if "://" in text else f"tcp://{text}")
            port = parts.port
        except ValueError:
            raise ValueError(wrong) from None
        long = len(parts.hostname or "") > 253 or any(len(label) > 63 for label in (parts.hostname or "").split("."))
        extra = long or parts.path or parts.query or parts.fragment or "@" in parts.netloc
        if parts.scheme not in SCHEMES or not parts.hostname or not port or extra or _UNPRINTABLE.search(text):
            raise ValueError(wrong)
        return cls(parts.scheme, parts.hostname, port)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def host_name() -> str:
    """What this machine calls itself, as HOSTNAME may be written."""
    return _UNPRINTABLE.sub("", socket.gethostname())[:255] or "-"


def row_message(row: Entry, host: str) -> bytes:
    """A row. Nothing in it can end an element of the structured data, or the line."""
    severity = _WARNING if not row.result else _INFORMATIONAL if row.operation == "pull" else _NOTICE
    said = {
        "id": row.log_id,
        "user": row.username,
        "operation": row.operation,
        "type": row.resource_type,
        "resource": row.resource,
        "result": "success" if row.result else "refused",
        "project": row.project_id,
        "repository": row.repo_name,
        "tag": row.repo_tag,
        "address": row.address,
        "request": row.request_id,
    }
    what = " ".join(filter(None, (row.username, row.operation, row.resource_type, row.repo_name, row.resource)))
    name = _UNPRINTABLE.sub("", f"{row.operation}_{row.resource_type}")[:32] or "-"
    stamp = f"{row.op_time:%Y-%m-%dT%H:%M:%S.%fZ}"
    return _message(severity, stamp, host, name, _element("audit", said), what)


def checkpoint_message(point: Tip, host: str) -> bytes:
    """A checkpoint of the sealed trail: its chain, written down where the database cannot reach it."""
    said = {"number": point.number, "last": point.last_id, "total": point.total, "chain": point.chain.hex()}
    stamp = f"{point.made_at:%Y-%m-%dT%H:%M:%S.%fZ}" if point.made_at else "-"
    what = f"rows to {point.last_id} are sealed"
    return _message(_NOTICE, stamp, host, "checkpoint", _element("checkpoint", said), what)


def _message(severity: int, stamp: str, host: str, name: str, data: str, what: str) -> bytes:
    return f"<{_AUDIT + severity}>1 {stamp} {host} dataforge-registry - {name} {data} {_plain(what)}".encode()


def _element(name: str, said: dict[str, object]) -> str:
    values = ((key, _plain(str(value))) for key, value in said.items() if value not in (None, ""))
    pairs = (f'{key}="{_ESCAPED.sub(lambda found: chr(92) + found[0], value)}"' for key, value in values)
    return f"[{name}@{NUMBER} {' '.join(pairs)}]"


def _plain(text: str) -> str:
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def send(endpoint: Endpoint, messages: Sequence[bytes], patience: float = PATIENCE) -> None:
    """Blocks until the collector has read all messages (UDP: until they are sent). OSError: some may be missing."""
    if endpoint.scheme == "udp":
        _send_datagrams(endpoint, messages, patience)
        return
    with socket.create_connection((endpoint.host, endpoint.port), timeout=patience) as plain:
        if endpoint.scheme == "tcp":
            plain.sendall(_framed(messages))
            plain.shutdown(socket.SHUT_WR)
            _wait_for_end(plain, patience)
            return
        with ssl.create_default_context().wrap_socket(plain, server_hostname=endpoint.host) as sealed:
            sealed.sendall(_framed(messages))
            with suppress(ssl.SSLEOFError):  # it closed without a last word
                sealed.unwrap()
            _all_taken(sealed)


def _framed(messages: Iterable[bytes]) -> bytes:
    return b"".join(b"%d %s" % (len(message), message) for message in messages)


def _wait_for_end(plain: socket.socket, patience: float) -> None:
    until = time.monotonic() + patience
    while plain.recv(4096):
        if time.monotonic() > until:
            raise TimeoutError("it goes on sending")
    _all_taken(plain)


def _all_taken(plain: socket.socket) -> None:
    """A collector that closed before it had read all looks like one that had, but for what is still unconfirmed."""
    if sys.platform == "linux":
        (waiting,) = struct.unpack("i", fcntl.ioctl(plain.fileno(), termios.TIOCOUTQ, bytes(4)))
        if waiting:
            raise ConnectionResetError("it closed before it had read all")


def _send_datagrams(endpoint: Endpoint, messages: Sequence[bytes], patience: float) -> None:
    kinds = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, address = kinds[0]
    with socket.socket(family, kind, protocol) as sender:
        sender.settimeout(patience)
        sender.connect(address)
        for message in messages:
            sender.send(message[:DATAGRAM].decode(errors="ignore").encode())
