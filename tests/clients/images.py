"""Small images as plain requests push them."""

import json
from typing import Any

from .server import Server, sha256

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def blob(server: Server, name: str, data: bytes) -> dict[str, Any]:
    """Push a blob; its descriptor."""
    digest = sha256(data)
    answer = server.request("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", data=data)
    assert answer.status_code == 201, answer.text
    return {"mediaType": "application/octet-stream", "digest": digest, "size": len(data)}


def image(server: Server, name: str, reference: str = "", **more: Any) -> str:
    """Push an image of one layer; its digest. Without a reference it has no tag."""
    config = blob(server, name, b"{}") | {"mediaType": "application/vnd.oci.image.config.v1+json"}
    layers = [blob(server, name, b"layer of " + name.encode())]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers, **more}
    raw = json.dumps(manifest).encode()
    path = f"/v2/{name}/manifests/{reference or sha256(raw)}"
    answer = server.request("PUT", path, data=raw, headers={"Content-Type": MANIFEST})
    assert answer.status_code == 201, answer.text
    return sha256(raw)
