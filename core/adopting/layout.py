"""An OCI image layout (image-spec, image-layout.md): a folder with `oci-layout`, `index.json` and `blobs/`.

`index.json` lists manifests; the annotation `org.opencontainers.image.ref.name` of an entry is its tag. What an index
among them lists is taken too.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from dataforge_registry.drivers.base import Driver, DriverError, NotFound

from ..oci import media
from ..oci.digest import Digest
from ..oci.errors import RegistryError
from ..oci.manifest import parse
from ..oci.names import is_tag
from .trees import OldRepository, Refusal

REF_NAME: Final = "org.opencontainers.image.ref.name"
LARGEST: Final = 4 << 20


class NoLayout(Exception):
    """Why a folder is no image layout, in one line."""


class LayoutTree:
    """See Tree. `name` is the repository that it becomes."""

    def __init__(self, store: Driver, name: str) -> None:
        self._store = store
        self._name = name

    def key(self, digest: Digest) -> str:
        """See Tree.key."""
        return f"blobs/{digest.algorithm}/{digest.hex}"

    async def repositories(self) -> AsyncIterator[OldRepository]:
        """The one that it is. NoLayout."""
        try:
            listed = json.loads(await self._read("index.json"))["manifests"]
            entries = [entry for entry in listed if isinstance(entry, dict)]
        except NotFound:
            raise NoLayout("there is no index.json: this is no OCI image layout") from None
        except (ValueError, KeyError, TypeError) as error:
            raise NoLayout(f"index.json cannot be read: {error}") from None
        found = OldRepository(self._name)
        for entry in entries:
            digest = await self._take(found, entry)
            annotations = entry.get("annotations")
            tag = annotations.get(REF_NAME) if isinstance(annotations, dict) else None
            if digest is None or tag is None:
                continue
            tag = str(tag).rpartition(":")[2]  # some writers put a whole reference there
            if not is_tag(tag):
                found.broken.append(Refusal(tag, "that is no name for a tag"))
            elif found.tags.setdefault(tag, digest) != digest:
                found.broken.append(Refusal(tag, f"two entries have this tag; it is that of {found.tags[tag]}"))
        yield found

    async def _take(self, found: OldRepository, entry: dict[str, Any]) -> Digest | None:
        try:
            digest = Digest.parse(str(entry.get("digest")))
        except RegistryError as error:
            found.broken.append(Refusal(str(entry.get("digest")), error.message))
            return None
        media_type = str(entry.get("mediaType"))
        if digest in found.manifests:
            return digest
        found.manifests[digest], found.media_types[digest] = 0.0, media_type
        if media_type in media.INDEXES:
            try:
                for child in parse(await self._read(self.key(digest)), media_type, digest).manifests:
                    await self._take(found, {"digest": child.digest, "mediaType": child.media_type})
            except (RegistryError, DriverError):
                pass  # told where it is pushed
        return digest

    async def _read(self, path: str) -> bytes:
        async with aclosing(await self._store.open(path, 0, LARGEST)) as body:
            return b"".join([piece async for piece in body])
