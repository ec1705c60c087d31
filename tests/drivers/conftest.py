"""Object stores behind proxies that hold drivers to their rules. A file says which one by a fixture `kind`."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import botocore.retries.standard
import pytest
import pytest_asyncio

from dataforge_registry.drivers import tries
from dataforge_registry.drivers.base import Driver

from .azure_proxy import AzureProxy
from .gcs_proxy import GcsProxy
from .proxy import Proxy, proxied
from .s3_proxy import S3Proxy
from .stores import Store, azurite, fake_gcs, versitygw


class Strict(NamedTuple):
    """How a store is started, and what is stricter than it."""

    start: Callable[[], Store]
    proxy: Callable[[str], Proxy]


STRICT = {
    "s3": Strict(versitygw, S3Proxy),
    "azure": Strict(azurite, AzureProxy),
    "gcs": Strict(fake_gcs, GcsProxy),
}


@pytest_asyncio.fixture
async def store(kind: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store itself. One that is well again at once needs no long pauses."""
    backoff = botocore.retries.standard.ExponentialBackoff
    monkeypatch.setattr(backoff, "delay_amount", lambda self, context: 0.02 * context.attempt_number)
    monkeypatch.setattr(tries, "PAUSES", tuple(pause / 10 for pause in tries.PAUSES))
    return await asyncio.to_thread(STRICT[kind].start)


@pytest_asyncio.fixture
async def proxy(kind: str, store: Store) -> AsyncIterator[Proxy]:
    """A strict proxy before it: no rule of the store may be broken."""
    async with proxied(STRICT[kind].proxy(store.origin)) as made:
        yield made
    assert made.broken == []


@pytest_asyncio.fixture
async def driver(store: Store, proxy: Proxy) -> AsyncIterator[Driver]:
    """The driver, by way of the proxy, with parts of the least size."""
    made = store.seen_at(proxy.endpoint).driver(chunksize=5 << 20)
    yield made
    await made.close()
