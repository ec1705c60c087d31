"""The storage tree of CNCF distribution, and so of Harbor (`registry/storage/paths.go` there says what lies where).

docker/registry/v2/blobs/sha256/a3/<hex>/data
docker/registry/v2/repositories/<name>/_manifests/revisions/sha256/<hex>/link
docker/registry/v2/repositories/<name>/_manifests/tags/<tag>/current/link
docker/registry/v2/repositories/<name>/_manifests/tags/<tag>/index/sha256/<hex>/link    what it named, now or before
docker/registry/v2/repositories/<name>/_layers/sha256/<hex>/link
docker/registry/v2/repositories/<name>/_uploads/<uuid>/...                             uploads that did not end

A link is a file that holds a digest. What counts is what the manifests name, whatever layers are linked.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from dataforge_registry.drivers.base import Driver, DriverError

from ..oci.digest import Digest
from ..oci.errors import RegistryError
from ..oci.names import is_tag
from .past import Untold, past_of
from .trees import OldRepository, Refusal

ROOT: Final = "docker/registry/v2/"
BASE: Final = f"{ROOT}repositories/"
AT_ONCE: Final = 16
DELETED: Final = "deleted there: only the history of a tag knows of it"
UPLOAD: Final = "an upload that did not end"
LINK: Final = 256
"""Bytes of a link that are read: the longest digest has 135."""


@dataclass
class _Met:
    """A repository on its way: tag -> digest -> time of its index link, tag -> time of its current link."""

    found: OldRepository
    indexed: dict[str, dict[Digest, float]] = field(default_factory=dict)
    current: dict[str, float] = field(default_factory=dict)
    uploads: set[str] = field(default_factory=set)


class DistributionTree:
    """See Tree. Its root is the store's."""

    def __init__(self, store: Driver) -> None:
        self._store = store

    def key(self, digest: Digest) -> str:
        """See Tree.key."""
        return f"{ROOT}blobs/{digest.algorithm}/{digest.hex[:2]}/{digest.hex}/data"

    async def repositories(self) -> AsyncIterator[OldRepository]:
        """One listing of all links. Keys of a repository stand together, since no name has a part that begins with
        `_`."""
        met: _Met | None = None
        async for stat in self._store.list(BASE):
            name, part, rest = _parts(stat.key[len(BASE) :])
            if met is not None and met.found.name != name:
                yield await self._read(met)
                met = None
            met = met or _Met(OldRepository(name))
            try:
                self._note(met, [part, *rest], stat.modified)
            except RegistryError as error:
                met.found.broken.append(Refusal(stat.key, error.message))
        if met is not None:
            yield await self._read(met)

    def _note(self, met: _Met, path: list[str], modified: float) -> None:
        match path:
            case ["_manifests", "revisions", algorithm, text, "link"]:
                met.found.manifests[Digest.parse(f"{algorithm}:{text}")] = modified
            case ["_manifests", "tags", tag, "current", "link"]:
                met.current[tag] = modified
            case ["_manifests", "tags", tag, "index", algorithm, text, "link"]:
                met.indexed.setdefault(tag, {})[Digest.parse(f"{algorithm}:{text}")] = modified
            case ["_layers", algorithm, text, "link"]:
                met.found.layers.add(Digest.parse(f"{algorithm}:{text}"))
            case ["_uploads", upload, *_]:
                met.uploads.add(upload)

    async def _read(self, met: _Met) -> OldRepository:
        found, folder = met.found, f"{BASE}{met.found.name}/_manifests/"
        digests = sorted(found.manifests)
        said_by = await self._links([f"{folder}revisions/{digest.algorithm}/{digest.hex}/link" for digest in digests])
        for digest, said in zip(digests, said_by, strict=True):
            if said != digest:
                del found.manifests[digest]
                found.broken.append(Refusal(digest, f"its link holds {said!r}: deleted or damaged"))
        named_by = await self._links([f"{folder}tags/{tag}/current/link" for tag in met.current])
        for tag, named in zip(met.current, named_by, strict=True):
            if not is_tag(tag):
                found.broken.append(Refusal(tag, "that is no name for a tag"))
            elif Digest(named) not in found.manifests:
                found.broken.append(Refusal(tag, f"the tag names {named!r}, which is no manifest of the repository"))
            else:
                found.tags[tag] = Digest(named)
                self._remember(met, tag)
        for tag, before in met.indexed.items():
            if tag not in met.current:
                found.broken.append(Refusal(tag, f"the tag has no current link; once it named {', '.join(before)}"))
        deleted = {digest for named in met.indexed.values() for digest in named} - found.manifests.keys()
        told = {each.what for each in found.broken}
        found.left += [Refusal(digest, DELETED) for digest in sorted(deleted - told)]
        found.left += [Refusal(upload, UPLOAD) for upload in sorted(met.uploads)]
        return found

    def _remember(self, met: _Met, tag: str) -> None:
        found = met.found
        try:
            indexed = met.indexed.get(tag, {})
            found.past[tag] = past_of(found.tags[tag], met.current[tag], indexed, time.time())
        except Untold as error:
            found.left.append(Refusal(tag, f"its history begins here: {error}"))

    async def _links(self, keys: list[str]) -> list[str]:
        found: list[str] = []
        for at in range(0, len(keys), AT_ONCE):
            found += await asyncio.gather(*(self._link(key) for key in keys[at : at + AT_ONCE]))
        return found

    async def _link(self, key: str) -> str:
        """The content of a link, as far as it can be one."""
        try:
            async with aclosing(await self._store.open(key, 0, LINK)) as body:
                return b"".join([piece async for piece in body]).decode("ascii", "replace").strip()
        except DriverError as error:
            return f"({error})"


def _parts(path: str) -> tuple[str, str, list[str]]:
    """Name, `_manifests` or its like, and what is behind; a file outside of any is a part of nothing."""
    parts = path.split("/")
    at = next((n for n, part in enumerate(parts) if part.startswith("_")), len(parts) - 1)
    return "/".join(parts[:at]), parts[at], parts[at + 1 :]
