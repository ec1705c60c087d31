"""`storage.cache` puts copies on a local disk before the store, and says how often they were of use."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from dataforge_registry.core.oci.digest import Digest, blob_key
from dataforge_registry.drivers.base import Unavailable
from dataforge_registry.drivers.cached import Cached
from dataforge_registry.registry.backends import open_store, with_cache
from dataforge_registry.registry.config import load

from ..drivers.bodies import body, read

pytestmark = pytest.mark.asyncio


async def test_the_hit_rate_is_in_the_metrics(tmp_path: Path) -> None:
    config = load(None, {"REGISTRY_STORAGE_CACHE_FOLDER": str(tmp_path / "cache")}, data=str(tmp_path / "data"))
    metrics = CollectorRegistry()
    driver = with_cache(config, open_store(config), metrics)
    assert isinstance(driver, Cached)
    key = blob_key(Digest.of(b"bytes of a curve"))
    await driver.put(key, body(b"bytes of a curve"))
    for _ in range(5):
        assert await read(driver, key, 0, 5) == b"bytes"
        await driver.filled()
    for path in (tmp_path / "cache").iterdir():
        path.write_bytes(b"rot")
    assert await read(driver, key) == b"bytes of a curve"
    await driver.close()

    def value(name: str, **labels: str) -> float | None:
        return metrics.get_sample_value(f"dfr_blob_cache_{name}_total", labels)

    assert (value("reads", result="hit"), value("reads", result="miss")) == (3, 3)
    assert (value("hit_bytes"), value("filled_bytes")) == (15, 16)
    assert (value("faults", fault="damaged"), value("faults", fault="failed")) == (1, 0)


async def test_without_a_folder_there_is_no_cache(tmp_path: Path) -> None:
    config = load(None, {}, data=str(tmp_path))
    driver, metrics = open_store(config), CollectorRegistry()
    assert with_cache(config, driver, metrics) is driver
    assert list(metrics.collect()) == []
    await driver.close()


async def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    config = load(None, {"REGISTRY_STORAGE_CACHE_FOLDER": str(tmp_path / "file")}, data=str(tmp_path))
    driver = open_store(config)
    with pytest.raises(Unavailable, match=r"storage.cache.folder: .*/file cannot be used: File exists"):
        with_cache(config, driver, CollectorRegistry())
    await driver.close()
