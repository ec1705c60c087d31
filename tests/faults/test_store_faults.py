"""Whatever goes wrong between a server and its bucket, nothing acknowledged is lost and no request waits for ever."""

import http.client
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ..drivers.stores import S3, versitygw
from .pushers import Acknowledged, pushing
from .server import Server
from .store_proxy import FAULTS, StoreProxy

SECONDS = float(os.environ.get("STORE_FAULTS", "2"))
"""Each fault is on for so long."""
pytestmark = [pytest.mark.tool("versitygw"), pytest.mark.timeout(600 + 10 * SECONDS), pytest.mark.xdist_group("on-s3")]


@contextmanager
def reading(noted: Acknowledged, server: Server) -> Iterator[list[str]]:
    """While one reads what was acknowledged: a whole answer holds the right bytes, whatever else happens."""
    wrong: list[str] = []
    halt = threading.Event()

    def read() -> None:
        while not halt.is_set():
            paths = list(noted.contents)
            if not paths:
                time.sleep(0.05)
                continue
            path = random.choice(paths)
            try:
                status, _, body = server.send("GET", path)
            except (OSError, http.client.HTTPException):
                continue
            if status not in (200, 503) or (status == 200 and body != noted.contents[path]):
                wrong.append(f"{path}: {status}, {len(body)} bytes")

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield wrong
    finally:
        halt.set()
        reader.join()


def test_whatever_happens_to_the_connections_to_the_store(folder: Path) -> None:
    noted = Acknowledged()
    with StoreProxy(urlsplit(versitygw().endpoint).port or 0) as proxy:
        store = S3(f"http://127.0.0.1:{proxy.port}")
        server = Server(folder, REGISTRY_UPLOAD_LEASE="1s", **store.environment("faults"))
        server.start()
        try:
            with pushing(noted, server), reading(noted, server) as wrong:
                for fault in FAULTS:
                    proxy.fault = fault
                    time.sleep(SECONDS)
                    proxy.fault = ""
                    time.sleep(SECONDS / 4)
            assert wrong == []
            assert min(proxy.met.values()) > 0, proxy.met
            assert noted.lost(server) == []
            # A client's own patience never ended first; what was refused said when to come again.
            refused = {status for status, _ in noted.refusals}
            assert refused <= {503, 404, 416}, noted.refusals
            assert all("retry-after" in headers for status, headers in noted.refusals if status == 503)
        finally:
            server.stop()
        print(f"{proxy.met}, {len(noted.contents)} acknowledged, {len(noted.refusals)} refused")
