"""One server per mode for the whole session; every test works in repositories of its own."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .layout import Layout, write_layout
from .server import ALL_MODES, Client, Mode, Server, serving

# With xdist, all tests of one mode go to one worker: it starts that server once.
MODES = [pytest.param(mode, id=str(mode), marks=pytest.mark.xdist_group(str(mode))) for mode in ALL_MODES]


@pytest.fixture(scope="session", params=MODES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    mode: Mode = request.param
    # Not under pytest's own folder: that one is closed to the user that the private PostgreSQL runs as.
    with tempfile.TemporaryDirectory(prefix=f"dfr-{mode}-") as folder:
        Path(folder).chmod(0o755)
        with serving(Path(folder) / "data", mode) as server:
            yield server


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Client:
    home = tmp_path / "home"
    home.mkdir()
    return Client(home, server)


@pytest.fixture
def repository(server: Server, request: pytest.FixtureRequest) -> str:
    """A repository of this test's own, in a project that takes its pushes."""
    return f"{server.project('clients')}/{re.sub('[^a-z0-9]+', '-', request.node.originalname)}"


@pytest.fixture
def layout(tmp_path: Path, request: pytest.FixtureRequest) -> Layout:
    """A small image whose bytes no other test pushes."""
    name = request.node.name.encode()
    return write_layout(tmp_path / "layout", {"a.txt": b"alpha " + name, "b.bin": name * 4096})
