"""HTTP to one registry: credentials and tokens, patience with a busy server, answers turned into RegistryErrors."""

import asyncio
import io
import json
import os
import re
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from ...core.oci import errors
from ...core.oci.errors import RegistryError, Unauthorized, Unavailable
from .credentials import Credentials, find_credentials

DEFAULT_ADDRESS = "http://127.0.0.1:5000"
CONNECTIONS = 8
ATTEMPTS = 5
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 10.0
_BUSY = frozenset({429, 502, 503, 504})
# No limit on a whole transfer, which may be long; limits on what should be short.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_CODES: dict[str, type[RegistryError]] = {
    "NAME_UNKNOWN": errors.NameUnknown,
    "NAME_INVALID": errors.NameInvalid,
    "BLOB_UNKNOWN": errors.BlobUnknown,
    "MANIFEST_UNKNOWN": errors.ManifestUnknown,
    "MANIFEST_BLOB_UNKNOWN": errors.BlobUnknown,
    "DIGEST_INVALID": errors.DigestInvalid,
    "SIZE_INVALID": errors.SizeInvalid,
    "DENIED": errors.Denied,
    "UNAUTHORIZED": errors.Unauthorized,
    "TOOMANYREQUESTS": errors.TooManyRequests,
    "UNAVAILABLE": errors.Unavailable,
}
_STATUSES: dict[int, type[RegistryError]] = {
    401: errors.Unauthorized,
    403: errors.Denied,
    409: errors.CurveConflict,
    412: errors.PreconditionFailed,
    413: errors.SizeInvalid,
    429: errors.TooManyRequests,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class Transport:
    """Requests to the registry at `base` (`http://HOST:PORT`), at most CONNECTIONS at a time. An async context.

    Every failure is a RegistryError whose message is one line: Unavailable when the registry cannot be reached.
    """

    def __init__(self, base: str, credentials: Credentials | None = None) -> None:
        parts = urlsplit(base)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/"):
            raise errors.NameInvalid(f"{base!r} is no registry address; one reads http://HOST:PORT")
        self.base = base.rstrip("/")
        self._credentials = find_credentials(self.base) if credentials is None else credentials
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._authorizations: dict[str, str] = {}
        self._last_authorization: str | None = None
        self._login = asyncio.Lock()
        self.sent_bytes = 0

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT, auto_decompress=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        path: str,
        scope: str = "",
        *,
        query: list[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        expect: tuple[int, ...] = (200,),
    ) -> "Answer":
        """One answered request. path: `/v2/...`, or a Location of this registry; scope: the repository it concerns.

        Raises the RegistryError that fits unless the status is one of `expect`.
        """
        url = self._url(path, query)
        async with self._slots:
            for attempt in range(ATTEMPTS):
                last = attempt == ATTEMPTS - 1
                try:
                    answer = await self._authorized(method, url, scope, dict(headers or {}), data)
                except (aiohttp.ClientError, TimeoutError, OSError) as error:
                    if last or isinstance(error, aiohttp.ClientSSLError):
                        raise Unavailable(f"{self.base} cannot be reached: {_reason(error)}") from error
                    await asyncio.sleep(_pause(attempt, None))
                    continue
                if answer.status in _BUSY and answer.status not in expect and not last:
                    await asyncio.sleep(_pause(attempt, answer.headers.get("Retry-After")))
                    continue
                if answer.status not in expect:
                    raise answer.error(method, url.path)
                self.sent_bytes += len(data or b"")
                return answer
        raise AssertionError("the last attempt returns or raises")

    def _url(self, path: str, query: list[tuple[str, str]] | None) -> URL:
        url = URL(self.base).join(URL(path, encoded=True))
        if (url.host, url.port, url.scheme) != (URL(self.base).host, URL(self.base).port, URL(self.base).scheme):
            raise RegistryError(f"{self.base} sends its uploads to {url.host}; only its own address is followed")
        return url.extend_query(query) if query else url

    async def _authorized(
        self, method: str, url: URL, scope: str, headers: dict[str, str], data: bytes | None
    ) -> "Answer":
        """The answer, after one log-in if the registry asks for it."""
        used = self._authorizations.get(scope) or self._last_authorization
        answer = await self._send(method, url, headers, data, used)
        if answer.status != 401:
            return answer
        async with self._login:
            newest = self._authorizations.get(scope)
            if newest is None or newest == used:
                newest = await self._log_in(answer)
                self._authorizations[scope] = self._last_authorization = newest
        return await self._send(method, url, headers, data, newest)

    async def _send(
        self, method: str, url: URL, headers: dict[str, str], data: bytes | None, authorization: str | None
    ) -> "Answer":
        if self._session is None:
            raise RuntimeError("a Transport is used inside `async with`")
        if authorization:
            headers = headers | {"Authorization": authorization}
        headers = {"Accept-Encoding": "identity", **headers}
        body = None if data is None else io.BytesIO(data)  # sent in pieces, so that a large one does not stop the loop
        async with self._session.request(method, url, headers=headers, data=body) as response:
            return Answer(response.status, dict(response.headers.items()), await response.read())

    async def _log_in(self, refused: "Answer") -> str:
        """An Authorization that answers a challenge (distribution-spec's token flow, RFC 7617 Basic)."""
        challenge = refused.headers.get("WWW-Authenticate", "")
        kind, _, rest = challenge.partition(" ")
        basic = self._credentials.basic
        if kind.casefold() == "basic":
            if basic is None:
                raise Unauthorized(f"{self.base} asks for a name and password: {_LOG_IN}")
            return basic
        parameters = dict(_PARAMETER.findall(rest))
        if kind.casefold() != "bearer" or "realm" not in parameters:
            raise Unauthorized(f"{self.base} refuses without saying how to log in")
        realm = URL(parameters["realm"])
        own = URL(self.base)
        if basic and realm.scheme != "https" and (realm.host, realm.port) != (own.host, own.port):
            raise Unauthorized(f"{self.base} wants the password sent in the clear to {realm.host}; that is not done")
        query = [("service", parameters["service"])] if "service" in parameters else []
        query += [("scope", scope) for scope in [parameters.get("scope", "")] if scope]
        answer = await self._send("GET", realm.extend_query(query), {}, None, basic)
        if answer.status != 200:
            who = f"{self._credentials.username!r} is not let in" if basic else "it asks for a name and password"
            raise Unauthorized(f"{self.base}: {who}: {_LOG_IN}")
        body = answer.json()
        token = body.get("token") or body.get("access_token")
        if not isinstance(token, str):
            raise Unauthorized(f"the token service {realm} of {self.base} sent no token")
        return f"Bearer {token}"


_LOG_IN = "set DFR_USERNAME and DFR_PASSWORD, or log in with docker or oras"


class Answer:
    """Status, headers (in canonical capitals) and body of an HTTP answer."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = {_canonical(name): value for name, value in headers.items()}
        self.body = body

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty where it is none."""
        try:
            body = json.loads(self.body)
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}

    def error(self, method: str, path: str) -> RegistryError:
        """What the registry said, as the error class of that situation."""
        said = self.json().get("errors")
        first = said[0] if isinstance(said, list) and said and isinstance(said[0], dict) else {}
        code, message = str(first.get("code", "")), " ".join(str(first.get("message", "")).split())
        if self.status == 404 and not code:
            kind: type[RegistryError] = errors.BlobUnknown if "/blobs/" in path else errors.ManifestUnknown
        else:
            kind = _STATUSES.get(self.status) or _CODES.get(code, RegistryError)
        message = message or f"{method} {path} was answered with {self.status}"
        if self.status == 401:
            message = f"{message}: {_LOG_IN}"
        return kind(message, {"status": self.status, "code": code})


def _canonical(name: str) -> str:
    return "WWW-Authenticate" if name.casefold() == "www-authenticate" else name.title()


def _pause(attempt: int, retry_after: str | None) -> float:
    """Seconds: what the server asked for, else doubling, never more than ten."""
    if retry_after and retry_after.isdigit():
        return min(float(retry_after), _LONGEST_PAUSE)
    return min(_FIRST_PAUSE * 2.0**attempt, _LONGEST_PAUSE)


def _reason(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        number = error.os_error.errno
        return f"{os.strerror(number) if number and number > 0 else error.os_error}; is it running there?"
    return str(error) or ("it does not answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
