"""One server per mode for the whole session; every test works in repositories of its own."""

import itertools
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ..memory import home
from .layout import Layout, write_layout
from .server import ALL_MODES, Client, Mode, Server, serving

# With xdist, all tests of one mode go to one worker: it starts that server once.
MODES = [pytest.param(mode, id=str(mode), marks=pytest.mark.xdist_group(str(mode))) for mode in ALL_MODES]
NUMBERS = itertools.count()
CLOSED = [param for param, mode in zip(MODES, ALL_MODES, strict=True) if mode.credentials]


@pytest.fixture(scope="session", params=MODES)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    mode: Mode = request.param
    with home(f"dfr-{mode}-") as folder, serving(folder / "data", mode) as server:
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


@pytest.fixture
def word() -> str:
    """A name of this test's own: for a project, a user, a label."""
    return f"w{os.getpid()}x{next(NUMBERS)}"


@pytest_asyncio.fixture
async def harbor(server: Server) -> AsyncIterator[Any]:
    """harborapi, signed in as the system administrator."""
    from .harborapi_watch import Harbor  # only here: its models take a second to import

    assert server.login is not None
    async with aclosing(Harbor(server, *server.login)) as harbor:
        yield harbor
