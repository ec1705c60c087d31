"""HTTP to one registry: patience with a busy server, answers turned into RegistryErrors."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from ...core.oci import errors
from ...core.oci.errors import RegistryError, Unavailable
from .answer import Answer
from .body import Body, opened
from .credentials import Credentials, find_credentials
from .login import Login

CONNECTIONS = 16
ATTEMPTS = 5
FAILURES = (aiohttp.ClientError, TimeoutError, OSError)
"""What a connection that is cut, or was never had, raises."""
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_BUSY = frozenset({429, 502, 503, 504})
# No limit on a whole transfer, which may be long; limits on what should be short.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)


@dataclass(eq=False)
class _Open:
    """What belongs to one event loop: a transport that is used in another (a fork, a second asyncio.run) makes anew."""

    loop: asyncio.AbstractEventLoop
    session: aiohttp.ClientSession
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CONNECTIONS))
    login: asyncio.Lock = field(default_factory=asyncio.Lock)


class Transport:
    """Requests to the registry at `base` (`http://HOST:PORT`), at most CONNECTIONS at a time.

    An async context, or closed by `close`. Every failure is a RegistryError whose message is one line: Unavailable
    when the registry cannot be reached. requests, sent_bytes, received_bytes: answered so far, bodies only.
    """

    def __init__(self, base: str, credentials: Credentials | None = None) -> None:
        parts = urlsplit(base)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/"):
            raise errors.NameInvalid(f"{base!r} is no registry address; one reads http://HOST:PORT")
        self.base = base.rstrip("/")
        self._login = Login(self.base, find_credentials(self.base) if credentials is None else credentials)
        self._open: _Open | None = None
        self.bundles = False  # until the registry has shown itself to be ours
        self.may_know_values = True  # until it has shown that it does not
        self.requests = 0
        self.sent_bytes = 0
        self.received_bytes = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let the connections go. A later request opens new ones."""
        opened, self._open = self._open, None
        if opened is not None and opened.loop is asyncio.get_running_loop():
            await opened.session.close()

    async def request(
        self,
        method: str,
        path: str,
        scope: str = "",
        *,
        query: list[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        data: Body | None = None,
        expect: tuple[int, ...] = (200,),
        attempts: int = ATTEMPTS,
    ) -> Answer:
        """One answered request. path: `/v2/...`, or a Location of this registry; scope: the repository it concerns.

        Raises the RegistryError that fits unless the status is one of `expect`. attempts: 1 for what must not be sent
        twice; all else names what it puts by digest, or asks.
        """
        url = self._url(path, query)
        async with self._here().slots:
            for attempt in range(attempts):
                last = attempt == attempts - 1
                try:
                    async with self._answered(method, url, scope, headers or {}, data) as response:
                        answer = Answer(response.status, dict(response.headers.items()), await response.read())
                except FAILURES as error:
                    if last or isinstance(error, aiohttp.ClientSSLError):
                        raise self.unreachable(error) from error
                    await pause(attempt, None)
                    continue
                if answer.status in _BUSY and answer.status not in expect and not last:
                    await pause(attempt, answer.headers.get("Retry-After"))
                    continue
                if answer.status not in expect:
                    raise answer.error(method, url.path)
                self.requests += 1
                self.sent_bytes += len(data or b"")
                self.received_bytes += len(answer.body)
                return answer
        raise AssertionError("the last attempt returns or raises")

    @asynccontextmanager
    async def stream(
        self, path: str, scope: str, headers: Mapping[str, str], expect: tuple[int, ...]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """GET whose body the caller reads piece by piece. One attempt: FAILURES, or the RegistryError that fits."""
        url = self._url(path, None)
        async with self._here().slots, self._answered("GET", url, scope, headers, None) as response:
            if response.status not in expect:
                answer = Answer(response.status, dict(response.headers.items()), await response.read())
                raise answer.error("GET", url.path)
            self.requests += 1
            yield response

    def unreachable(self, error: BaseException) -> Unavailable:
        """What a failed connection is to people."""
        return Unavailable(f"{self.base} cannot be reached: {_reason(error)}")

    def _here(self) -> _Open:
        loop = asyncio.get_running_loop()
        if self._open is None or self._open.loop is not loop:
            connector = aiohttp.TCPConnector(limit=CONNECTIONS)
            session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, auto_decompress=False)
            self._open = _Open(loop, session)
        return self._open

    def _url(self, path: str, query: list[tuple[str, str]] | None) -> URL:
        url = URL(self.base).join(URL(path, encoded=True))
        if (url.host, url.port, url.scheme) != (URL(self.base).host, URL(self.base).port, URL(self.base).scheme):
            raise RegistryError(f"{self.base} sends its uploads to {url.host}; only its own address is followed")
        return url.extend_query(query) if query else url

    @asynccontextmanager
    async def _answered(
        self, method: str, url: URL, scope: str, headers: Mapping[str, str], data: Body | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer, after one log-in if the registry asks for it."""
        used = self._login.header(scope)
        async with self._sent(method, url, headers, data, used) as response:
            if response.status != 401:
                yield response
                return
            refused = Answer(response.status, dict(response.headers.items()), await response.read())
        newest = await self._login.renewed(scope, used, refused, self._ask, self._here().login)
        async with self._sent(method, url, headers, data, newest) as response:
            yield response

    async def _ask(self, url: URL, authorization: str | None) -> Answer:
        async with self._sent("GET", url, {}, None, authorization) as response:
            return Answer(response.status, dict(response.headers.items()), await response.read())

    @asynccontextmanager
    async def _sent(
        self, method: str, url: URL, headers: Mapping[str, str], data: Body | None, authorization: str | None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        sent = {"Accept-Encoding": "identity", **headers}
        if authorization:
            sent["Authorization"] = authorization
        async with self._here().session.request(method, url, headers=sent, data=opened(data)) as response:
            yield response


async def pause(attempt: int, retry_after: str | None) -> None:
    """Wait what the server asked for, else doubling, never more than ten seconds."""
    if retry_after and retry_after.isdigit():
        await asyncio.sleep(min(float(retry_after), _LONGEST_PAUSE))
    else:
        await asyncio.sleep(min(_FIRST_PAUSE * 2.0**attempt, _LONGEST_PAUSE))


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted here: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientSSLError):
        return "no TLS is spoken there; is its address http://?"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "there is no host of that name; is it spelt so?"
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return f"{os.strerror(number) if number and number > 0 else error.os_error}; is it running there?"
    return str(error) or ("it does not answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
