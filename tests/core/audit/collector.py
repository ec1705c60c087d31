"""A syslog collector: listens on 127.0.0.1, takes RFC 5424 messages in RFC 6587's octet-counted frames, reads them."""

import re
import socket
import ssl
import struct
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self

HEAD = re.compile(r"<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) ")
PARAMETER = re.compile(r' ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\["\\\]])*)"')
RESET = struct.pack("ii", 1, 0)


class Message(NamedTuple):
    """What RFC 5424 says a message is; `data` of its one element."""

    priority: int
    time: str
    host: str
    application: str
    name: str
    element: str
    data: Mapping[str, str]
    text: str


def read(raw: bytes) -> Message:
    """A message, strictly."""
    line = raw.decode()
    head = HEAD.match(line)
    assert head, line
    place = head.end()
    opened = re.compile(r"\[([!#-<>-\\^-~]{1,32})").match(line, place)
    assert opened, line
    place, data = opened.end(), {}
    while found := PARAMETER.match(line, place):
        data[found[1]] = re.sub(r'\\(["\\\]])', r"\1", found[2])
        place = found.end()
    assert line[place : place + 2] == "] ", line
    priority, moment, host, application, _, name = head.groups()
    return Message(int(priority), moment, host, application, name, opened[1], data, line[place + 2 :])


@dataclass
class Collector:
    """`dies_after`: bytes of the next connection after which it is reset, once. Started again it has the same port."""

    port: int = 0
    tls: tuple[str, str] | None = None
    dies_after: int | None = None

    def __post_init__(self) -> None:
        self.messages: list[Message] = []
        self.connections = 0

    def __enter__(self) -> Self:
        self._server = socket.create_server(("127.0.0.1", self.port))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(10)

    @property
    def ids(self) -> list[int]:
        """The rows' numbers, as they came."""
        return [int(message.data["id"]) for message in self.messages if message.element.startswith("audit@")]

    def _serve(self) -> None:
        context = None
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                if context:
                    try:
                        with context.wrap_socket(connection, server_side=True) as sealed:
                            self._take(sealed)
                    except OSError:
                        continue  # the client wants no such certificate
                else:
                    self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        dies_after, self.dies_after = self.dies_after, None
        got = b""
        while dies_after is None or len(got) < dies_after:
            piece = connection.recv(65536 if dies_after is None else dies_after - len(got))
            if not piece:
                break
            got += piece
        else:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._keep(got)
        if isinstance(connection, ssl.SSLSocket):
            connection.unwrap()

    def _keep(self, got: bytes) -> None:
        while found := re.match(rb"([1-9]\d*) ", got):
            end = found.end() + int(found[1])
            if len(got) < end:
                break
            self.messages.append(read(got[found.end() : end]))
            got = got[end:]
