"""Servers to hurt, one or two of one folder."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .server import Server


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not in pytest's own: the private PostgreSQL's user must get in."""
    with tempfile.TemporaryDirectory(prefix="dfr-faults-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    running = Server(folder, REGISTRY_UPLOAD_LEASE="1s")
    running.start()
    yield running
    running.stop()


@pytest.fixture
def second(server: Server, folder: Path) -> Iterator[Server]:
    """Another process beside `server`."""
    running = Server(folder, REGISTRY_UPLOAD_LEASE="1s")
    running.start()
    yield running
    running.stop()
