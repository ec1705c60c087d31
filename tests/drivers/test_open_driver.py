"""A configuration names its driver; a mistake in it is one line that says what to write."""

import sys
from pathlib import Path
from typing import Any

import pytest

from dataforge_registry.drivers import open_driver
from dataforge_registry.drivers.base import Unavailable
from dataforge_registry.drivers.filesystem import FilesystemDriver
from dataforge_registry.drivers.memory import MemoryDriver

from .bodies import body, read


@pytest.mark.asyncio
async def test_the_named_driver_is_made(tmp_path: Path) -> None:
    root = tmp_path / "not" / "there" / "yet"
    driver = open_driver("filesystem", {"rootdirectory": str(root), "maxthreads": 2})
    assert isinstance(driver, FilesystemDriver)
    await driver.put("a/b", body(b"bytes"))
    assert (root / "a" / "b").read_bytes() == b"bytes"
    await driver.close()
    for kind in ("memory", "inmemory"):
        memory = open_driver(kind, {})
        assert isinstance(memory, MemoryDriver)
        await memory.put("a/b", body(b"bytes"))
        assert await read(memory, "a/b") == b"bytes"


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        ("floppy", {}, r"unknown storage driver 'floppy'; built are: azure, filesystem, gcs, inmemory, memory, s3"),
        ("filesystem", {}, "storage.filesystem.rootdirectory must be the path of a folder, not None"),
        ("filesystem", {"rootdirectory": ""}, "rootdirectory must be"),
        ("filesystem", {"rootdirectory": 7}, "rootdirectory must be"),
        ("filesystem", {"rootdirectory": "a\0b"}, "rootdirectory must be"),
        ("filesystem", {"rootdirectory": "x", "rootdir": "y"}, r"no parameter 'rootdir' \(known: rootdirectory, maxth"),
        ("filesystem", {"rootdirectory": "x", "maxthreads": 0}, "maxthreads must be"),
        ("filesystem", {"rootdirectory": "x", "maxthreads": True}, "maxthreads must be"),
        ("inmemory", {"size": 3}, r"storage.memory has no parameter 'size' \(known: none\)"),
    ],
)
def test_a_mistake_is_named(kind: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_driver(kind, parameters)


def test_a_root_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Unavailable, match=f"^cannot use {root} as storage root: [A-Z][a-z ]+$"):
            open_driver("filesystem", {"rootdirectory": str(root)})


@pytest.mark.parametrize(("kind", "package"), [("azure", "azure.storage.blob"), ("gcs", "gcloud.aio.storage")])
def test_a_driver_without_its_package_names_its_extra(kind: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith((package, f"dataforge_registry.drivers.{kind}"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ValueError, match=rf"^storage.{kind} needs {package}.*pip install 'dataforge-registry\[{kind}\]'$"
    ):
        open_driver(kind, {})
