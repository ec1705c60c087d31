"""Clients that push without end and note what was acknowledged to them."""

import http.client
import json
import random
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from .server import Server, sha256

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PUSHERS = 4
BROKEN = 0


@dataclass
class Acknowledged:
    """What servers said is theirs now: contents by path, digests by path of a tag; and every other answer."""

    contents: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def lost(self, server: Server) -> list[str]:
        """Paths where the server has not, or not just, what was acknowledged."""
        lost = [path for path, data in self.contents.items() if server.send("GET", path)[::2] != (200, data)]
        for path, digest in self.tags.items():
            status, headers, _ = server.send("HEAD", path)
            if status != 200 or headers["docker-content-digest"] != digest:
                lost.append(path)
        return lost


class Pusher(threading.Thread):
    """Pushes artifacts of two blobs, one small and one large, in random ways, to random ones of the servers."""

    def __init__(self, number: int, servers: list[Server], noted: Acknowledged) -> None:
        super().__init__()
        self._name = f"/v2/faults/p{number}"
        self._servers = servers
        self._noted = noted
        self.halt = threading.Event()

    def run(self) -> None:
        while not self.halt.is_set():
            layers = [self._blob(random.randint(0, 8192)), self._blob(random.randint(8193, 300_000))]
            if None not in layers:
                self._manifest(layers)

    def _manifest(self, layers: list[dict[str, object] | None]) -> None:
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": layers[0], "layers": layers[1:]}
        body, tag = json.dumps(manifest).encode(), secrets.token_hex(8)
        if self._send("PUT", f"{self._name}/manifests/{tag}", body, Content_Type=MANIFEST)[0] == 201:
            self._noted.contents[f"{self._name}/manifests/{sha256(body)}"] = body
            self._noted.tags[f"{self._name}/manifests/{tag}"] = sha256(body)

    def _blob(self, size: int) -> dict[str, object] | None:
        data = secrets.token_bytes(size)
        digest = sha256(data)
        if random.random() < 0.3:
            status, _ = self._send("POST", f"{self._name}/blobs/uploads/?digest={digest}", data)
        else:
            status, headers = self._send("POST", f"{self._name}/blobs/uploads/")
            sent = 0
            if status == 202 and random.random() < 0.7:
                sent = size // 2
                status, _ = self._send("PATCH", headers["location"], data[:sent])
            if status == 202:
                status, _ = self._send("PUT", f"{headers['location']}?digest={digest}", data[sent:])
        if status != 201:
            return None
        self._noted.contents[f"{self._name}/blobs/{digest}"] = data
        return {"mediaType": "application/octet-stream", "digest": digest, "size": size}

    def _send(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, str]]:
        try:
            status, answer, said = random.choice(self._servers).send(method, path, body, **headers)
            if status >= 400:
                answer |= {"request": f"{method} {path} of {len(body)} bytes", "said": said.decode()}
        except (OSError, http.client.HTTPException) as error:
            time.sleep(0.05)
            status, answer = BROKEN, {"error": repr(error)}
        if status not in (201, 202):
            self._noted.refusals.append((status, answer))
        return status, answer


@contextmanager
def pushing(noted: Acknowledged, *servers: Server) -> Iterator[None]:
    """While some push."""
    pushers = [Pusher(number, list(servers), noted) for number in range(PUSHERS)]
    for pusher in pushers:
        pusher.start()
    try:
        yield
    finally:
        for pusher in pushers:
            pusher.halt.set()
        for pusher in pushers:
            pusher.join()
