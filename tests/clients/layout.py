"""An OCI image layout on disk (image-spec, image-layout.md), made from nothing: what foreign clients push from."""

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Layout:
    """`digest` is the manifest's; `blobs` are the digests of its config and layers."""

    directory: Path
    digest: str
    blobs: tuple[str, ...]

    def read(self, digest: str) -> bytes:
        return (self.directory / "blobs" / digest.replace(":", "/")).read_bytes()


def write_layout(directory: Path, files: Mapping[str, bytes], tag: str = "v1") -> Layout:
    """A runnable image of one layer per file, the same bytes for the same files."""
    tars = {name: tar(name, data) for name, data in files.items()}
    layers = [store(directory, gzip.compress(data, mtime=0), LAYER) for data in tars.values()]
    image = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(data).hexdigest() for data in tars.values()]},
    }
    config = store(directory, json.dumps(image).encode(), CONFIG)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    # Two spaces: a client that re-serialises a manifest changes its digest, and the test sees it.
    descriptor = store(directory, json.dumps(manifest, indent=2).encode(), MANIFEST)
    named = descriptor | {"annotations": {"org.opencontainers.image.ref.name": tag}}
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    return Layout(directory, str(descriptor["digest"]), tuple(str(d["digest"]) for d in (config, *layers)))


def tar(name: str, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def store(directory: Path, data: bytes, media_type: str) -> dict[str, object]:
    hexadecimal = sha256(data).hexdigest()
    path = directory / "blobs" / "sha256" / hexadecimal
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{hexadecimal}", "size": len(data)}
