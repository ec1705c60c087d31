"""Storage trees as other registries leave them, written file by file."""

import json
from typing import Any

from dataforge_registry.core.oci import media
from dataforge_registry.core.oci.digest import Digest
from dataforge_registry.drivers.base import Driver

from ..gc.conftest import pieces

ROOT = "docker/registry/v2"


class Tree:
    """A distribution tree at the root of a store."""

    def __init__(self, store: Driver) -> None:
        self.store = store

    async def put(self, key: str, content: bytes) -> None:
        await self.store.put(f"{ROOT}/{key}", pieces(content))

    @staticmethod
    def data(digest: Digest) -> str:
        return f"blobs/sha256/{digest.hex[:2]}/{digest.hex}/data"

    async def blob(self, name: str, content: bytes) -> dict[str, Any]:
        digest = Digest.of(content)
        await self.put(self.data(digest), content)
        await self.put(f"repositories/{name}/_layers/sha256/{digest.hex}/link", digest.encode())
        return {"digest": digest, "size": len(content), "mediaType": "application/vnd.test.layer"}

    async def manifest(self, name: str, manifest: dict[str, Any], *tags: str) -> Digest:
        raw = json.dumps({"schemaVersion": 2} | manifest).encode()
        digest = Digest.of(raw)
        await self.put(self.data(digest), raw)
        folder = f"repositories/{name}/_manifests"
        await self.put(f"{folder}/revisions/sha256/{digest.hex}/link", digest.encode())
        for tag in tags:
            await self.put(f"{folder}/tags/{tag}/index/sha256/{digest.hex}/link", digest.encode())
            await self.put(f"{folder}/tags/{tag}/current/link", digest.encode())
        return digest

    async def image(self, name: str, *layers: bytes, tags: tuple[str, ...] = (), **more: Any) -> Digest:
        entries = [await self.blob(name, layer) for layer in layers]
        body = {"mediaType": media.OCI_MANIFEST, "config": entries[0], "layers": entries} | more
        return await self.manifest(name, {key: value for key, value in body.items() if value is not None}, *tags)

    async def index(self, name: str, *children: Digest, tags: tuple[str, ...] = ()) -> Digest:
        listed = []
        for child in children:
            size = (await self.store.stat(f"{ROOT}/{self.data(child)}")).size
            listed.append({"digest": child, "size": size, "mediaType": media.OCI_MANIFEST})
        return await self.manifest(name, {"mediaType": media.OCI_INDEX, "manifests": listed}, *tags)
