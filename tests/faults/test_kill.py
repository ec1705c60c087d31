"""What was acknowledged survives kill -9 of the server (promise P1), and an upload goes on after it (P5).

A few kills here; `FAULTS=200 make test ARGS=tests/faults` for many.
"""

import hashlib
import http.client
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

KILLS = int(os.environ.get("FAULTS", "4"))
PUSHERS = 4
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Server:
    """`dfr serve` on one folder and one port, started again and again."""

    def __init__(self, directory: Path, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = [sys.executable, "-m", "dataforge_registry.registry", "serve", "--auth", "none"]
        self._command += ["--data", str(directory / "data"), "--port", str(self.port)]
        self._environment = {**os.environ, **environment}
        self._log = (directory / "log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=subprocess.PIPE, stderr=self._log, start_new_session=True
        )
        assert self._process.stdout is not None
        assert b"http://" in self._process.stdout.readline()

    def stop(self, number: int = signal.SIGTERM) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.send_signal(number)
        self._process.wait(60)
        self._process.stdout.close()

    def close(self) -> None:
        self.stop()
        self._log.close()

    def send(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="dfr-faults-") as folder:
        Path(folder).chmod(0o755)  # the private PostgreSQL's own user must get in
        running = Server(Path(folder), REGISTRY_UPLOAD_LEASE="1s")
        running.start()
        yield running
        running.close()


def push(server: Server, number: int, stop: threading.Event, blobs: dict[str, bytes], tags: dict[str, str]) -> None:
    """Push artifacts until told to stop; what was acknowledged is noted, what broke is not."""
    name = f"/v2/faults/p{number}"
    while not stop.is_set():
        try:
            layers = []
            for size in (random.randint(0, 8192), random.randint(8193, 300_000)):
                data = secrets.token_bytes(size)
                status, headers, _ = server.send("POST", f"{name}/blobs/uploads/")
                if status == 202:
                    half = size // 2
                    server.send("PATCH", headers["location"], data[:half])
                    status, _, _ = server.send("PUT", f"{headers['location']}?digest={sha256(data)}", data[half:])
                if status != 201:
                    break
                blobs[f"{name}/blobs/{sha256(data)}"] = data
                layers.append({"mediaType": "application/octet-stream", "digest": sha256(data), "size": size})
            else:
                body = json.dumps(
                    {"schemaVersion": 2, "mediaType": MANIFEST, "config": layers[0], "layers": layers[1:]}
                ).encode()
                tag = secrets.token_hex(8)
                if server.send("PUT", f"{name}/manifests/{tag}", body, Content_Type=MANIFEST)[0] == 201:
                    blobs[f"{name}/manifests/{sha256(body)}"] = body
                    tags[f"{name}/manifests/{tag}"] = sha256(body)
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)


@pytest.mark.timeout(120 + 20 * KILLS)
def test_nothing_acknowledged_is_lost_by_kill_9(server: Server) -> None:
    blobs: dict[str, bytes] = {}
    tags: dict[str, str] = {}
    for _ in range(KILLS):
        stop = threading.Event()
        pushers = [threading.Thread(target=push, args=(server, n, stop, blobs, tags)) for n in range(PUSHERS)]
        for pusher in pushers:
            pusher.start()
        time.sleep(random.uniform(0.2, 1.5))
        server.stop(signal.SIGKILL)
        stop.set()
        for pusher in pushers:
            pusher.join()
        server.start()
    assert tags
    lost = [path for path, data in blobs.items() if server.send("GET", path)[::2] != (200, data)]
    moved = [path for path, digest in tags.items() if server.send("HEAD", path)[1]["docker-content-digest"] != digest]
    print(f"{KILLS} kills, {len(blobs)} acknowledged contents, {len(tags)} tags, {len(lost)} lost")
    assert not lost
    assert not moved


def test_an_upload_goes_on_after_kill_9(server: Server) -> None:
    data = secrets.token_bytes(3_000_000)
    _, headers, _ = server.send("POST", "/v2/faults/resumed/blobs/uploads/")
    location = headers["location"]
    assert server.send("PATCH", location, data[:1_000_000])[0] == 202
    with socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n".encode())
        half.sendall(data[1_000_000:1_700_000])
        time.sleep(0.5)
        server.stop(signal.SIGKILL)
    server.start()
    status, headers, _ = server.send("GET", location)
    assert (status, headers["range"]) == (204, "0-999999")
    while True:  # the dead writer's lease of a second
        status, headers, _ = server.send("PATCH", location, data[1_000_000:], Content_Range="1000000-2999999")
        if status != 416:
            break
        time.sleep(0.2)
    assert (status, headers["range"]) == (202, "0-2999999")
    assert server.send("PUT", f"{location}?digest={sha256(data)}")[0] == 201
    assert server.send("GET", f"/v2/faults/resumed/blobs/{sha256(data)}")[2] == data


def test_many_pushers_of_one_blob_store_it_once(server: Server) -> None:
    data, answers = secrets.token_bytes(1 << 20), []
    path = f"/v2/faults/same/blobs/uploads/?digest={sha256(data)}"
    pushers = [threading.Thread(target=lambda: answers.append(server.send("POST", path, data)[0])) for _ in range(40)]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
    assert answers == [201] * 40
    assert server.send("GET", f"/v2/faults/same/blobs/{sha256(data)}")[2] == data
