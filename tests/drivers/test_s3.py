"""What the S3 driver does otherwise than drivers over other object stores (test_object_stores.py)."""

import os
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dataforge_registry.drivers import open_driver
from dataforge_registry.drivers.base import Driver, Unavailable
from dataforge_registry.drivers.s3_settings import settings_of
from dataforge_registry.drivers.staged import PART

from .bodies import body, pieces, read, staged, uploads
from .s3_proxy import S3Proxy
from .stores import BUCKET, Store, versitygw

pytestmark = [pytest.mark.asyncio, pytest.mark.tool("versitygw")]
MIB = 1024 * 1024
KEY = "blobs/sha256/a3/f2/a3f2"


@pytest.fixture
def kind() -> str:
    return "s3"


async def test_a_join_that_was_killed_is_swept(driver: Driver) -> None:
    staging = await staged(driver, os.urandom(11 * MIB))
    root = driver._store._root  # type: ignore[attr-defined]
    async with versitygw().client() as client:
        await client.create_multipart_upload(Bucket=BUCKET, Key=f"{root}{KEY}")
    found = await uploads(driver)
    assert {each.id for each in found if each.size} == {staging.id}
    assert len(found) == 2
    assert [each async for each in driver.stale(time.time() - 3600)] == []
    for each in found:
        await driver.abort(each)
    assert await uploads(driver) == []


async def test_an_append_whose_multipart_was_swept_is_refused_and_may_be_made_again(driver: Driver) -> None:
    content = os.urandom(13 * MIB)

    async def swept() -> AsyncIterator[bytes]:
        for at in range(0, 13 * MIB, MIB):
            yield content[at : at + MIB]
            for leftover in await uploads(driver):
                await driver.abort(leftover)

    staging = await driver.begin()
    with pytest.raises(Unavailable, match="multipart"):
        await driver.append(staging, swept())
    staging = await driver.append(staging, pieces(content))
    await driver.commit(staging, KEY)
    assert await read(driver, KEY) == content


async def test_parts_of_an_upload_are_not_of_a_class_that_is_billed_for_a_month(store: Store, proxy: S3Proxy) -> None:
    driver = store.seen_at(proxy.endpoint).driver(chunksize=5 * MIB, storageclass="STANDARD_IA")
    for size in (100, 6 * MIB, 12 * MIB):  # as it is, copied, joined
        staging = await driver.append(await driver.begin(), pieces(bytes(size)))
        await driver.commit(staging, f"blobs/{size}")
    await driver.put("blobs/put", body(b"x"))
    await driver.close()
    asked = {(place.split("/")[3], storage) for place, storage in proxy.classes.items()}
    assert asked == {("uploads", ""), ("blobs", "STANDARD_IA")}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "storage.s3.bucket must be the name"),
        ({"bucket": "b", "accesskey": "a"}, "accesskey and secretkey go together"),
        ({"bucket": "b", "v4auth": False}, "v4auth"),
        ({"bucket": "b", "keyid": "k"}, "keyid encrypts nothing"),
        ({"bucket": "b", "storageclass": "GLACIER"}, "storageclass GLACIER cannot be read at once"),
        ({"bucket": "b", "chunksize": 1}, "chunksize must be from 5 MiB"),
        ({"bucket": "b", "rootcertificates": "/nowhere.pem"}, "rootcertificates: /nowhere.pem cannot be read"),
    ],
)
async def test_a_mistake_in_the_settings_is_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_driver("s3", parameters)


async def test_what_is_not_said_is_as_distribution_has_it() -> None:
    settings = settings_of({"bucket": "b", "region": "eu-north-1", "accesskey": "a", "secretkey": "s", "encrypt": True})
    assert (settings.root, settings.part, settings.stored["ServerSideEncryption"]) == ("", PART, "AES256")
    assert settings.client["region_name"] == "eu-north-1"
    assert "endpoint_url" not in settings.client
