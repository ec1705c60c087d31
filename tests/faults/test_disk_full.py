"""A store that is full, or may not grow a file any more (promise P15): 503, nothing lost, and well again with room."""

import json
import os
import resource
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .server import Server, sha256

MIB = 1 << 20


def push(server: Server, data: bytes) -> int:
    """POST and PUT of one blob; the last answer's status. A refusal is 503 UNAVAILABLE with Retry-After."""
    location = server.send("POST", "/v2/faults/full/blobs/uploads/")[1]["location"]
    status, headers, body = server.send("PUT", f"{location}?digest={sha256(data)}", data)
    if status != 201:
        assert (status, json.loads(body)["errors"][0]["code"]) == (503, "UNAVAILABLE")
        assert int(headers["retry-after"]) > 0
    return status


def has(server: Server, data: bytes) -> bool:
    return server.send("GET", f"/v2/faults/full/blobs/{sha256(data)}")[::2] == (200, data)


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is Linux's")
def test_a_file_that_may_not_grow(server: Server) -> None:
    fits, large = secrets.token_bytes(MIB // 2), secrets.token_bytes(4 * MIB)
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (MIB, before[1]))
    assert push(server, large) == 503
    assert push(server, fits) == 201
    assert server.send("GET", f"/v2/faults/full/blobs/{sha256(large)}")[0] == 404
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, before)
    assert push(server, large) == 201
    assert has(server, large) and has(server, fits)
    assert server.violations() == []


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 8 MiB."""
    disk = folder / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_full(folder: Path, small_disk: Path) -> None:
    server = Server(folder, REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=str(small_disk))
    server.start()
    try:
        kept: list[bytes] = []
        refused: list[bytes] = []
        while len(refused) < 3:
            data = secrets.token_bytes(MIB)
            (kept if push(server, data) == 201 else refused).append(data)
        assert len(kept) >= 4
        assert all(has(server, data) for data in kept)  # a full disk is still read from
        small = b"rides in its row while the store is full"
        assert push(server, small) == 201
        subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
        for data in refused:
            assert push(server, data) == 201
        assert all(has(server, data) for data in [*kept, *refused, small])
        assert server.violations() == []
    finally:
        server.stop()
