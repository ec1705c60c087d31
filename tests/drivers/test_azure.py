"""What the Azure driver does otherwise than drivers over other object stores (test_object_stores.py)."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import pytest

from dataforge_registry.drivers import azure, open_driver
from dataforge_registry.drivers.base import Driver, Staging, Unavailable

from .azure_proxy import AzureProxy
from .bodies import keys, pieces, read, uploads

pytestmark = [pytest.mark.asyncio, pytest.mark.tool("azurite")]
MIB = 1024 * 1024
KEY = "blobs/sha256/a3/f2/a3f2"


@pytest.fixture
def kind() -> str:
    return "azure"


async def uploaded(driver: Driver, content: bytes) -> Staging:
    """Content in objects of the least size, to be joined."""
    return await driver.append(await driver.begin(), pieces(content))


async def test_joins_at_one_name_do_not_take_each_others_blocks(driver: Driver, proxy: AzureProxy) -> None:
    content = os.urandom(11 * MIB)

    async def push() -> None:
        staging = await uploaded(driver, content)
        await driver.commit(staging, KEY)
        await driver.abort(staging)

    await asyncio.gather(*(push() for _ in range(3)))
    assert await read(driver, KEY) == content
    assert await uploads(driver) == []


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_join_that_was_overtaken_is_done_where_something_is_there(
    driver: Driver, proxy: AzureProxy, deleted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service drops blocks that others staged at a name when somebody commits there."""
    monkeypatch.setattr(azure, "WHOLE", 10 * MIB)
    first, second = os.urandom(11 * MIB), os.urandom(11 * MIB)
    one, other = await uploaded(driver, first), await uploaded(driver, second)
    store = driver._store  # type: ignore[attr-defined]
    commit = store._commit

    async def overtaken(name: str, ids: Sequence[str]) -> None:
        store._commit = commit
        await driver.commit(other, KEY)
        if deleted:
            await driver.delete(KEY)
        await commit(name, ids)

    store._commit = overtaken
    if deleted:
        with pytest.raises(Unavailable, match="InvalidBlockList"):
            await driver.commit(one, KEY)
        assert await keys(driver) == []
    else:
        await driver.commit(one, KEY)
        assert await read(driver, KEY) == second
    assert "InvalidBlockList" in proxy.refused


async def test_names_keep_their_order_whatever_the_service_makes_of_backslashes(driver: Driver) -> None:
    names = ["a/b", "a\\b", "a[b", "a[!b", "a[~b", "a]b", "aZb", "a\\!b", "a\\[b", "a[\\b"]
    await driver.put_many({name: name.encode() for name in names})
    assert await keys(driver) == sorted(names)
    for name in names:
        assert await read(driver, name) == name.encode()
        assert await keys(driver, after=name) == [each for each in sorted(names) if each > name]
        assert await keys(driver, prefix=name) == [each for each in sorted(names) if each.startswith(name)]


BASE = {"accountname": "a", "container": "c"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "storage.azure.accountname must be the name of an account"),
        ({"accountname": "a"}, "storage.azure.container must be the name of a container"),
        (BASE | {"accountkey": "not base64"}, "accountkey is not base64"),
        (BASE | {"accountkey": "a2V5", "chunksize": 1}, "chunksize must be from 5 MiB to 100 MiB"),
        (BASE | {"accountkey": "a2V5", "serviceurl": "host"}, "serviceurl must begin with https:// or http://"),
        (BASE | {"serviceurl": "http://host"}, "tokens travel by https alone"),
        (BASE | {"accountkey": "a2V5", "rootcertificates": "/nowhere.pem"}, "/nowhere.pem cannot be read"),
        (BASE | {"credentials": {"type": "none"}}, "credentials.type must be one of shared_key, client_secret"),
        (BASE | {"credentials": {"type": "shared_key"}}, "accountkey goes with credentials.type shared_key"),
        (BASE | {"accountkey": "a2V5", "credentials": {"type": "client_secret"}}, "and this is client_secret"),
        (BASE | {"credentials": {"type": "client_secret", "clientid": "x"}}, "client_secret need tenantid"),
        (BASE | {"credentials": {"user": "x"}}, "no parameter 'user'"),
        (BASE | {"bucket": "x"}, "storage.azure has no parameter 'bucket'"),
    ],
)
async def test_a_mistake_in_the_settings_is_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_driver("azure", parameters)
