"""Calls of an Azure container: one session of connections, tries within a deadline, and who may read by what.

The client's own tries are off: they wait 90 s for a store that refuses, without an end to the whole. Its reader is not
used: it fetches 32 MiB before it gives a byte. A read is a request of our own here, whose body goes on as it comes.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from urllib.parse import quote

import aiohttp
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobSasPermissions, UserDelegationKey, generate_blob_sas
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from yarl import URL

from .azure_errors import FAILURES, ReadFailed, driver_error, passes, status_of
from .azure_settings import Settings
from .base import Unavailable
from .objects import WEEK
from .tries import tried

AT_ONCE: Final = 64
"""Calls of a process under way at once: the rest wait here and not in the store's backlog."""
CONNECTIONS: Final = 512
"""Of a process: a slow reader holds one, and readers of blobs are bounded elsewhere."""
CONNECT, SILENCE = 5.0, 30.0
"""Seconds to wait for a connection, and for the next bytes of an answer."""
SINGLE: Final = 5000 * 1024 * 1024
"""Most bytes of one Put Blob."""
LINK: Final = 3600
"""Seconds that an address for our own use is good: its first request alone needs it."""
DELEGATION: Final = 24 * 3600
"""Seconds for which a key that signs links is asked: twice the life of a link where that is more, a week at most."""
LONGEST: Final = (WEEK - 600) // 2
"""Most seconds of a link by such a key, with room for clocks that differ."""
REFUSED: Final = 300.0
"""Seconds after which a store that gave no such key is asked again."""
SCOPE: Final = "https://storage.azure.com/.default"
VERSION: Final = "2021-12-02"
"""Of the interface, where we speak it ourselves."""
T = TypeVar("T")


@dataclass(frozen=True)
class Clients:
    """What speaks to the store: requests of our own by session, and the client over the same connections."""

    session: aiohttp.ClientSession
    service: BlobServiceClient
    container: ContainerClient
    credential: Any


class Calls:
    """Connects with its first call."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._open = AsyncExitStack()
        self._opening, self._alone = asyncio.Lock(), asyncio.Lock()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._made: Clients | None = None
        self._delegation: tuple[UserDelegationKey | None, float] = (None, 0.0)

    async def call(self, what: str, name: str, function: Callable[[ContainerClient], Awaitable[T]], size: int = 0) -> T:
        """What the function makes of the container's client; its errors in the drivers' words. size: bytes that it
        sends, or that the store copies."""

        async def once() -> T:
            return await function((await self._clients()).container)

        async with self._room:
            return await _tried(f"{what} {name}", once, size)

    async def read(self, name: str, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """The answer to a GET of a blob, its body not read yet; whoever has it closes it."""

        async def once() -> aiohttp.ClientResponse:
            address, bearer = await self.source(name)
            said = {"x-ms-version": VERSION, "Accept-Encoding": "identity", **headers}
            session = (await self._clients()).session
            answer = await session.get(
                URL(address, encoded=True), headers=said | ({"Authorization": bearer} if bearer else {})
            )
            if answer.status >= 300:
                answer.close()
                raise ReadFailed(answer.status, answer.headers.get("x-ms-error-code", ""))
            return answer

        async with self._room:
            return await _tried(f"read {name}", once)

    async def source(self, name: str) -> tuple[str, str]:
        """Where a blob is read, and the token to show there; none where the address is signed itself."""
        signed = await self.link(self._settings.endpoint, name, LINK)
        if signed is not None:
            return signed, ""
        token = await (await self._clients()).credential.get_token(SCOPE)
        return self._address(self._settings.endpoint, name), f"Bearer {token.token}"

    async def link(self, endpoint: str, name: str, seconds: int) -> str | None:
        """An address of a blob by which anybody can read it for so long; None where the store gives no key for it."""
        credential = (await self._clients()).credential
        if isinstance(credential, AzureNamedKeyCredential):
            return self._signed(endpoint, name, seconds, account_key=credential.named_key.key)
        seconds = min(seconds, LONGEST)
        key = await self._delegated(seconds)
        return None if key is None else self._signed(endpoint, name, seconds, user_delegation_key=key)

    async def close(self) -> None:
        """Give back the connections."""
        await self._open.aclose()
        self._made = None

    async def _delegated(self, seconds: int) -> UserDelegationKey | None:
        """The key by which this identity signs links that are good for so long."""
        async with self._alone:
            key, until = self._delegation
            if time.time() + (seconds if key else 0) < until:
                return key
            now = datetime.now(UTC)
            end = now + timedelta(seconds=max(DELEGATION, 2 * seconds))
            service = (await self._clients()).service
            try:
                key = await _tried(
                    "ask for a key that signs links",
                    lambda: service.get_user_delegation_key(now - timedelta(minutes=5), end),
                )
                self._delegation = key, end.timestamp()
            except Unavailable as failed:
                if status_of(failed.__cause__) != 403:
                    raise
                self._delegation = None, time.time() + REFUSED
            return self._delegation[0]

    def _address(self, endpoint: str, name: str) -> str:
        return f"{endpoint}/{quote(self._settings.container)}/{quote(name, safe='/~')}"

    def _signed(self, endpoint: str, name: str, seconds: int, **by: Any) -> str:
        signature = generate_blob_sas(
            self._settings.account,
            self._settings.container,
            name,
            permission=BlobSasPermissions(read=True),
            expiry=datetime.now(UTC) + timedelta(seconds=seconds),
            protocol="https" if endpoint.startswith("https://") else None,
            **by,
        )
        return f"{self._address(endpoint, name)}?{signature}"

    async def _clients(self) -> Clients:
        async with self._opening:
            if self._made is None:
                self._made = await self._connect()
        return self._made

    async def _connect(self) -> Clients:
        settings = self._settings
        session = await self._open.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=settings.trust or True),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT, sock_read=SILENCE),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=True,
            )
        )
        credential = settings.credential()
        if not isinstance(credential, AzureNamedKeyCredential):
            await self._open.enter_async_context(credential)
        transport = AioHttpTransport(
            session=session, session_owner=False, connection_timeout=CONNECT, read_timeout=SILENCE
        )
        service = BlobServiceClient(
            settings.endpoint,
            credential,
            transport=transport,
            retry_total=0,
            max_single_put_size=SINGLE,
        )
        return Clients(session, service, service.get_container_client(settings.container), credential)


async def _tried(what: str, once: Callable[[], Awaitable[T]], size: int = 0) -> T:
    try:
        return await tried(once, lambda error: isinstance(error, FAILURES) and passes(error), size)
    except FAILURES as error:
        raise driver_error(error, what) from error
