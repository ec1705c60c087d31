"""What the S3 driver does otherwise than drivers over other object stores (test_object_stores.py)."""

import os
import time
from typing import Any

import pytest

from dataforge_registry.drivers import open_driver
from dataforge_registry.drivers.base import Driver
from dataforge_registry.drivers.s3_settings import settings_of
from dataforge_registry.drivers.staged import PART

from .bodies import staged, uploads
from .stores import BUCKET, versitygw

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


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "storage.s3.bucket must be the name"),
        ({"bucket": "b", "accesskey": "a"}, "accesskey and secretkey go together"),
        ({"bucket": "b", "v4auth": False}, "v4auth"),
        ({"bucket": "b", "keyid": "k"}, "keyid encrypts nothing"),
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
