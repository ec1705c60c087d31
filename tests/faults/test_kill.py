"""What was acknowledged survives kill -9 of the server (promise P1), and an upload goes on after it (P5)."""

import os
import secrets
import signal
import time

import pytest

from .kill import campaign
from .server import Server, sha256

KILLS = int(os.environ.get("FAULTS", "6"))


@pytest.mark.timeout(240 + 20 * KILLS)
def test_nothing_acknowledged_is_lost_by_kill_9(server: Server) -> None:
    noted = campaign(server, KILLS)
    assert noted.tags
    print(f"{KILLS} kills, {len(noted.contents)} contents and {len(noted.tags)} tags acknowledged")
    assert noted.lost(server) == []
    assert server.violations(killed=True) == []


def test_an_upload_goes_on_after_kill_9_on_another_server(server: Server, second: Server) -> None:
    data = secrets.token_bytes(6_000_000)
    _, headers, _ = second.send("POST", "/v2/faults/resumed/blobs/uploads/")
    location = headers["location"]
    assert second.send("PATCH", location, data[:1_000_000])[0] == 202
    with second.begin(location, 5_000_000, data[1_000_000:5_000_000]):
        while server.staged() <= 1_000_000:
            time.sleep(0.02)
        second.stop(signal.SIGKILL)
    status, headers, _ = server.send("GET", location)
    assert (status, headers["range"]) == (204, "0-999999")
    while True:  # the dead writer's lease of a second
        status, headers, _ = server.send("PATCH", location, data[1_000_000:], Content_Range="1000000-5999999")
        if status != 416:
            break
        time.sleep(0.2)
    assert (status, headers["range"]) == (202, "0-5999999")
    assert server.send("PUT", f"{location}?digest={sha256(data)}")[0] == 201
    assert server.send("GET", f"/v2/faults/resumed/blobs/{sha256(data)}")[2] == data
    assert server.violations() == []
