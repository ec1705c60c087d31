"""A registry as a process on each engine, and a client that sends just what it is told to."""

import hashlib
import http.client
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from ..client.conftest import served

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
NUMBERS = itertools.count()


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The first OCI error code; every error has one."""
        entry = json.loads(self.body)["errors"][0]
        assert entry["message"]
        return str(entry["code"])


@dataclass(frozen=True)
class Registry:
    host: str

    def send(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, path, body, dict(headers or {}), encode_chunked=not isinstance(body, bytes))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def blob(self, name: str, data: bytes) -> dict[str, Any]:
        """Push a blob; its descriptor."""
        digest = sha256(data)
        assert self.send("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", data).status == 201
        return {"mediaType": "application/octet-stream", "digest": digest, "size": len(data)}

    def upload(self, name: str) -> str:
        """Start an upload; its address."""
        answer = self.send("POST", f"/v2/{name}/blobs/uploads/")
        assert answer.status == 202
        return answer.headers["location"]

    def image(self, name: str, **more: Any) -> dict[str, Any]:
        """A manifest whose blobs are there."""
        config = self.blob(name, b"{}") | {"mediaType": "application/vnd.oci.empty.v1+json"}
        layers = [self.blob(name, b"layer of " + name.encode())]
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, **more}

    def put(self, name: str, reference: str, manifest: Any, media_type: str | None = MANIFEST) -> Answer:
        """PUT a manifest, given as bytes or as an object."""
        raw = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        headers = {"Content-Type": media_type} if media_type else {}
        return self.send("PUT", f"/v2/{name}/manifests/{reference}", raw, headers)


@pytest.fixture(
    scope="module",
    params=[pytest.param(engine, marks=pytest.mark.xdist_group(f"v2-{engine}")) for engine in ("hypercorn", "granian")],
)
def registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    with served("--auth", "none", "--engine", request.param) as server:
        yield Registry(server.url.removeprefix("http://"))


@pytest.fixture
def name() -> str:
    """A repository of this test's own."""
    return f"v2/r{next(NUMBERS)}"
