"""A server stopped for long in the middle of a PATCH, and woken after another has ended its upload (F25).

An epoch in the row fences the row, not the file: without the fork of a take-over this corrupts an acknowledged blob.
"""

import secrets
import signal
import time

import pytest

from .server import Server, sha256

KEPT, REST = 1_000_000, 8_000_000


@pytest.mark.parametrize("ends", [True, False], ids=["finished", "going on"])
def test_a_paused_writer_wakes_into_a_file_nobody_uses(server: Server, second: Server, ends: bool) -> None:
    data, theirs = secrets.token_bytes(KEPT + REST), secrets.token_bytes(REST)
    path = f"/v2/faults/paused/blobs/{sha256(data)}"
    location = server.send("POST", "/v2/faults/paused/blobs/uploads/")[1]["location"]
    assert server.send("PATCH", location, data[:KEPT])[0] == 202
    with second.begin(location, REST, theirs[: REST // 2]) as half:
        while server.staged() <= KEPT:
            time.sleep(0.02)
        second.send_signal(signal.SIGSTOP)
        try:
            half.sendall(theirs[REST // 2 :])
            method, query = ("PUT", f"?digest={sha256(data)}") if ends else ("PATCH", "")
            while (status := server.send(method, location + query, data[KEPT:])[0]) == 416:
                time.sleep(0.2)
        finally:
            second.send_signal(signal.SIGCONT)
        assert status == (201 if ends else 202)
        late = half.recv(4096).split()[1]  # the woken writer has written all it has, and is told that it counts nothing
    assert late == (b"404" if ends else b"416")
    if not ends:
        assert second.send("PUT", f"{location}?digest={sha256(data)}")[0] == 201
    assert server.send("GET", path)[2] == second.send("GET", path)[2] == data
    assert server.violations() == []
