"""More than a server has room for: it refuses some, says so, answers the rest, and recovers (P13, F19, F24).

CROWD=10000 connects so many idle clients, SLOW=1000 so many slow ones of each kind.
"""

import os
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from .crowd import connected, cut, metric, push, status, until, used
from .server import Server, sha256

CROWD = int(os.environ.get("CROWD", "600"))
SLOW = int(os.environ.get("SLOW", "40"))
MIB = 1 << 20
ENGINES = pytest.mark.parametrize("engine", ["hypercorn", "granian"])
pytestmark = pytest.mark.xdist_group("load")


@pytest.fixture(scope="module")
def host() -> Iterator[tuple[Server, Path]]:
    """A server without limits, which has the private PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="dfr-load-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = Server(folder)
        server.start()
        try:
            yield server, folder
        finally:
            server.stop()


@contextmanager
def limited(folder: Path, ulimit: str = "", **settings: str) -> Iterator[Server]:
    """Another server of the folder. It must not have failed at anything."""
    server = Server(folder, ulimit, **{f"REGISTRY_{name}": value for name, value in settings.items()})
    server.start()
    try:
        yield server
        assert "Traceback" not in server.log.read_text() and "exc_info" not in server.log.read_text()
    finally:
        server.stop()


def nothing(server: Server, line: str) -> bool:
    """Whether a gauge is at nothing."""
    return metric(server, line) == 0


@ENGINES
def test_uploads_beyond_their_number_wait_in_order_and_then_are_refused(host: tuple[Server, Path], engine: str) -> None:
    settings = {"SERVER_ENGINE": engine, "LIMITS_UPLOADS": "2", "LIMITS_QUEUE": "1", "LIMITS_WAIT": "600s"}
    with limited(host[1], **settings) as server, ThreadPoolExecutor(1) as pool:
        places = [server.send("POST", "/v2/faults/lane/blobs/uploads/")[1]["location"] for _ in range(3)]
        body = secrets.token_bytes(2 * MIB)
        inside = [server.begin(place, len(body), body[:MIB]) for place in places[:2]]
        until(lambda: metric(server, 'dfr_under_way{kind="uploads"}') == 2)
        waits = pool.submit(server.send, "PATCH", places[2], body)
        until(lambda: metric(server, 'dfr_waiting{kind="uploads"}') == 1)
        code, headers, answer = server.send("POST", f"/v2/faults/lane/blobs/uploads/?digest={sha256(body)}", body)
        assert (code, int(headers["retry-after"]) > 0, b"UNAVAILABLE" in answer) == (503, True, True)
        assert push(server, body[: MIB // 2]) == 201  # a small body is no upload
        inside[0].sendall(body[MIB:])
        assert waits.result()[0] == 202
        inside[1].sendall(body[MIB:])
        assert [half.recv(4096).split()[1] for half in inside] == [b"202", b"202"]
        for half in inside:
            half.close()
        assert metric(server, 'dfr_refused_requests_total{reason="uploads"}') == 1
        until(lambda: metric(server, 'dfr_under_way{kind="uploads"}') == 0)
        until(lambda: server.log.read_text().count("refusing requests") == 1)


def test_requests_beyond_their_number_are_refused_and_health_is_not(host: tuple[Server, Path]) -> None:
    content = secrets.token_bytes(32 * MIB)
    assert push(host[0], content) == 201
    request = f"GET /v2/faults/load/blobs/{sha256(content)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with limited(host[1], LIMITS_REQUESTS="2", LIMITS_WAIT="0.1s") as server:
        with connected(server, 2, request) as readers:  # that do not read
            until(lambda: metric(server, 'dfr_under_way{kind="requests"}') == 2)
            assert status(server, "GET", "/v2/") == 503
            assert status(server, "GET", "/health/live") == status(server, "GET", "/health") == 200
            assert len(readers) == 2
        until(lambda: status(server, "GET", "/v2/") == 200)


def test_short_memory_refuses_uploads_and_large_reads_first_and_comes_back(host: tuple[Server, Path]) -> None:
    with limited(host[1], STORAGE_INMEMORY="{}") as server:
        assert push(server, secrets.token_bytes(2 * MIB)) == 201
        base = used(server.pid, 1)
    most = base + 250 * MIB
    settings = {"LIMITS_MEMORY": str(most), "LIMITS_SHED": f"{(base + 100 * MIB) / most:.3f}", "LIMITS_REFUSE": "1"}
    small, large, body = secrets.token_bytes(100), secrets.token_bytes(2 * MIB), bytes(150 * MIB)
    with limited(host[1], STORAGE_INMEMORY="{}", **settings) as server:
        assert push(server, large) == 201
        path = f"/v2/faults/load/blobs/{sha256(large)}"
        head = f"POST /v2/faults/load/blobs/uploads/?digest={sha256(b'')} HTTP/1.1\r\nHost: x\r\n"
        with connected(server, 1, f"{head}Content-Length: {len(body) + 1}\r\n\r\n".encode() + body):
            until(lambda: metric(server, "dfr_memory_level") == 1)
            assert (push(server, large), push(server, small)) == (503, 201)
            assert (status(server, "GET", path), status(server, "GET", path, Range="bytes=0-9")) == (503, 206)
        until(lambda: (push(server, large), status(server, "GET", path)) == (201, 200))
        log = server.log.read_text()
        assert log.count("memory runs short: uploads and large reads are refused") == 1
        assert log.count("memory is there again") == 1


def test_all_but_health_is_refused_when_memory_is_used_up(host: tuple[Server, Path]) -> None:
    with limited(host[1], LIMITS_MEMORY="1MiB") as server:
        until(lambda: metric(server, "dfr_memory_level") == 2)
        assert status(server, "GET", "/v2/") == push(server, b"small") == 503
        assert status(server, "GET", "/health/ready") == status(server, "GET", "/health/live") == 200


def test_pushes_beyond_the_address_space_are_refused_and_the_server_lives(host: tuple[Server, Path]) -> None:
    """F24: no crash, no answer but success and refusal, and all is well again afterwards."""
    with limited(host[1], STORAGE_INMEMORY="{}") as server:
        base = used(server.pid, 0)
    most = base + 300 * MIB
    with limited(host[1], f"-v {most // 1024}", STORAGE_INMEMORY="{}", LIMITS_SHED="1", LIMITS_REFUSE="1") as server:
        pid, body = server.pid, bytes(100 * MIB)
        wrong = f"/v2/faults/load/blobs/uploads/?digest={sha256(b'')}"
        with ThreadPoolExecutor(6) as pool:
            answers = [job.result() for job in [pool.submit(status, server, "POST", wrong, body) for _ in range(6)]]
        assert set(answers) <= {400, 503} and 503 in answers
        until(lambda: push(server, secrets.token_bytes(3 * MIB)) == 201)
        assert server.pid == pid and status(server, "GET", "/health/live") == 200


@ENGINES
def test_a_crowd_of_idle_clients_shuts_nobody_out(host: tuple[Server, Path], engine: str) -> None:
    """F24: 256 open files."""
    content = secrets.token_bytes(2 * MIB)
    settings = {"SERVER_ENGINE": engine, "HTTP_HEADER_TIMEOUT": "2s"}
    with limited(host[1], "-n 256", **settings) as server:
        with connected(server, CROWD):
            until(lambda: push(server, content) == 201)
            path = f"/v2/faults/load/blobs/{sha256(content)}"
            until(lambda: status(server, "GET", path) == 200)
            assert server.send("GET", path)[2] == content
        until(lambda: push(server, content, "faults/after") == 201)


@ENGINES
def test_idle_clients_that_there_is_room_for_hold_up_nobody(host: tuple[Server, Path], engine: str) -> None:
    settings = {"SERVER_ENGINE": engine, "HTTP_HEADER_TIMEOUT": "1h"}
    with limited(host[1], "-n 8192", **settings) as server, connected(server, 1100):
        assert push(server, b"meanwhile") == 201


def test_slow_clients_are_cut_and_starve_nobody(host: tuple[Server, Path]) -> None:
    """P13: heads, bodies and readers that never end."""
    content = secrets.token_bytes(32 * MIB)  # more than sockets hold
    path = f"/v2/faults/load/blobs/{sha256(content)}"
    settings = {"HTTP_HEADER_TIMEOUT": "2s", "HTTP_STALL": "4s", "HTTP_LINGER": "1s"}
    with limited(host[1], **settings) as server:
        assert push(server, content) == 201
        place = server.send("POST", "/v2/faults/load/blobs/uploads/")[1]["location"]
        before = used(server.pid, 1)
        head = b"GET / HTTP/1.1\r\nHost:"
        body = f"PATCH {place} HTTP/1.1\r\nHost: x\r\nContent-Length: {8 * MIB}\r\n\r\nsome".encode()
        reader = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        with (
            connected(server, SLOW, head) as heads,
            connected(server, SLOW, body) as bodies,
            connected(server, SLOW // 2, reader) as readers,
        ):
            assert server.send("GET", path)[2] == content
            assert used(server.pid, 1) - before < 300 * MIB
            assert len(heads) + len(bodies) + len(readers) == 2 * SLOW + SLOW // 2
            assert all(map(cut, [*heads, *bodies]))
            for kind in ("requests", "uploads"):
                line = f'dfr_under_way{{kind="{kind}"}}'
                until(partial(nothing, server, line))
        assert server.send("GET", path)[2] == content
